"""What the preprocessing command may be asked for, beside every option of Apache Beam's."""

from __future__ import annotations

import argparse

from pipelines.common.errors import BadUse
from pipelines.common.files import location
from pipelines.databases import READERS, Choices
from pipelines.dataset.folds import RULES, VALID_SHARE
from pipelines.demo_faces.source import DEMO_FRAMES, DEMO_SEED, DEMO_SUBJECTS
from pipelines.job.tasks import RECORDS_A_SHARD

# A field of Choices: the databases that know it, what it does, and how argparse reads it.
_READERS_OPTIONS = (
    (
        "prealigned",
        ("images",),
        "the pictures are cropped faces, to be resized and not searched",
        {"action": "store_true"},
    ),
    (
        "landmarks",
        ("ckplus", "images"),
        "align by the landmark files that come with the pictures",
        {"action": "store_true"},
    ),
    (
        "peaks",
        ("mmi",),
        "CSV session,frame[,label,orientation]; without it the middle frame is the peak",
        {"type": location, "metavar": "FILE"},
    ),
    (
        "shot",
        ("multi_pie",),
        "number of the flash, 0 to 19 (7, the frontal one)",
        {"type": int, "choices": range(20), "metavar": "N"},
    ),
    (
        "session",
        ("multi_pie",),
        "which of several sessions of one expression counts (earliest)",
        {"choices": ("earliest", "latest")},
    ),
    (
        "yaw_sign",
        ("multi_pie",),
        "1, or -1 where the cameras' angles count the other way",
        {"type": int, "choices": (1, -1)},
    ),
    (
        "label_order",
        ("tfd",),
        "the classes of the labels 1 to 7, in order, with commas",
        {"type": lambda text: tuple(text.split(",")), "metavar": "NAMES"},
    ),
    (
        "warp",
        ("tfd",),
        "carry the eyes and the mouth onto the template instead of resizing the crop",
        {"action": "store_true"},
    ),
)


def parser() -> argparse.ArgumentParser:
    """The command's own options; what it does not know is for `pipelines.job.beam_options`."""
    made = argparse.ArgumentParser(
        prog="python -m pipelines.preprocess",
        description="Aligns the faces of a database and writes them as per-fold TFRecords.",
        epilog="Any other option is Apache Beam's, for example --direct_num_workers 2 "
        "--direct_running_mode multi_processing, or --runner FlinkRunner.",
        allow_abbrev=False,
    )
    made.add_argument("--db", default="demo", choices=sorted(READERS), help="default: demo")
    made.add_argument(
        "--input",
        type=location,
        help="the database's folder or file, or gs://…; demo renders one if not given",
    )
    made.add_argument("--output", type=location, help="default: data/<db>")
    made.add_argument("--shards", type=int, help=f"files a fold; default 1 per {RECORDS_A_SHARD}")
    made.add_argument(
        "--overwrite", action="store_true", help="replace the data of another database"
    )
    folds = made.add_argument_group("who is tested when")
    folds.add_argument("--folds", type=int, help="default: the database's customary number")
    folds.add_argument(
        "--fold-rule",
        choices=RULES,
        default=RULES[0],
        help="step: subject i of the sorted ones is tested in fold i mod k; contiguous: in k "
        "runs of neighbours; default %(default)s",
    )
    folds.add_argument(
        "--valid-share",
        type=float,
        default=VALID_SHARE,
        help="part of each fold's training subjects that validates; default %(default)s",
    )
    faces = made.add_argument_group("faces")
    faces.add_argument(
        "--points",
        type=int,
        choices=(68, 5),
        default=68,
        help="landmarks that a face is aligned by; default %(default)s, the paper's kind",
    )
    faces.add_argument(
        "--max-rejects",
        type=float,
        default=1.0,
        help="share of the pictures, 0 to 1, beyond which the job fails; default %(default)s",
    )
    reader = made.add_argument_group("what one reader knows")
    for name, databases, text, settings in _READERS_OPTIONS:
        reader.add_argument(
            _flag(name), help=f"{', '.join(databases)}: {text}", default=None, **settings
        )
    demo = made.add_argument_group("the demo database, where it is rendered first")
    demo.add_argument("--demo-subjects", type=int, default=DEMO_SUBJECTS)
    demo.add_argument("--demo-seed", type=int, default=DEMO_SEED)
    demo.add_argument("--demo-frames", type=int, default=DEMO_FRAMES)
    return made


def choices(args: argparse.Namespace) -> Choices:
    """The reader's choices; `BadUse` for one that the chosen database does not know."""
    asked = {}
    for name, databases, _, _ in _READERS_OPTIONS:
        value = getattr(args, name)
        if value is None:
            continue
        if args.db not in databases:
            raise BadUse(f"{_flag(name)} is for {' and '.join(databases)}, not for --db {args.db}")
        asked[name] = value
    return Choices(**asked)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
