"""The options of the preprocessing command; all others belong to Apache Beam."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.common.files import location
from pipelines.databases import READERS, reader_options
from pipelines.dataset import copies
from pipelines.dataset.folds import RULES, VALID_SHARES
from pipelines.demo_faces.source import DEMO_FRAMES, DEMO_SEED, DEMO_SUBJECTS
from pipelines.job.tasks import RECORDS_A_SHARD


def parser() -> argparse.ArgumentParser:
    """The command's own options; unknown ones go to `pipelines.job.beam_options`."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.preprocess",
        description="Aligns the faces of a database and writes them as per-fold TFRecords.",
        epilog="Any other option is Apache Beam's, for example --direct_num_workers 2 "
        "--direct_running_mode multi_processing, or --runner dask; see docs/guide/clusters.md.",
        allow_abbrev=False,
    )
    parser.add_argument("--db", default="demo", choices=sorted(READERS), help="default: demo")
    parser.add_argument(
        "--input",
        type=location,
        help="the database's folder or file, or gs://…; demo renders one if not given",
    )
    parser.add_argument("--output", type=location, help="default: data/<db>")
    parser.add_argument("--shards", type=int, help=f"files a fold; default 1 per {RECORDS_A_SHARD}")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the data of another database"
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="do not take up what a killed job of the same images and options has finished",
    )
    parser.add_argument(
        "--leave-out",
        type=lambda text: tuple(name.strip() for name in text.split(",")),
        metavar="NAMES",
        help="classes to reject, separated by commas; the others are numbered anew",
    )
    folds = parser.add_argument_group("folds")
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
        help="part of each fold's training subjects that validates; default "
        + " and ".join(f"{share:g} for {name}" for name, share in VALID_SHARES.items())
        + ", 0 for the others, as in the paper",
    )
    folds.add_argument(
        "--valid-list",
        type=location,
        metavar="FILE",
        help="keys of training images, one a line, that validate instead; for databases with "
        "official parts",
    )
    copied = parser.add_argument_group("copies of one image in two parts of a fold")
    copied = copied.add_mutually_exclusive_group()
    copied.add_argument(
        "--drop-copies",
        dest="copies",
        action="store_const",
        const=copies.DROPPED,
        help="take them out of the training and validation parts; default: the job fails",
    )
    copied.add_argument(
        "--allow-copies",
        dest="copies",
        action="store_const",
        const=copies.ALLOWED,
        help="keep them where they are",
    )
    parser.set_defaults(copies=copies.REFUSED)
    faces = parser.add_argument_group("faces")
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
        help="share of the images, 0 to 1, beyond which the job fails; default %(default)s",
    )
    reader = parser.add_argument_group("options of single databases")
    for option, databases in reader_options().items():
        text = f"{', '.join(databases)}: {option.help}"
        reader.add_argument(option.flag, help=text, default=None, **option.argparse)
    demo = parser.add_argument_group("the rendered demo database")
    demo.add_argument("--demo-subjects", type=int, default=DEMO_SUBJECTS)
    demo.add_argument("--demo-seed", type=int, default=DEMO_SEED)
    demo.add_argument("--demo-frames", type=int, default=DEMO_FRAMES)
    return parser


def options_of_reader(args: argparse.Namespace) -> dict[str, Any]:
    """The options given for `open_database`, by name."""
    names = ("leave_out", "valid_list", *(option.name for option in reader_options()))
    values = {name: getattr(args, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
