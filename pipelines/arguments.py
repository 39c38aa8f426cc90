"""What the preprocessing command may be asked for, beside every option of Apache Beam's."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.databases import READERS, Choices
from pipelines.demo_source import DEMO_FRAMES, DEMO_SEED, DEMO_SUBJECTS
from pipelines.errors import BadUse
from pipelines.folds import RULES, VALID_SHARE

# About 25 MB a shard at 25 KB a face: small enough to sort in memory on any worker, large
# enough to read fast.
RECORDS_A_SHARD = 1000


def parser() -> argparse.ArgumentParser:
    """The command's own options; what it does not know is for `pipelines.beam_options`."""
    made = argparse.ArgumentParser(
        prog="python -m pipelines.preprocess",
        description="Aligns the faces of a database and writes them as per-fold TFRecords.",
        epilog="Any other option is Apache Beam's, for example --direct_num_workers 2 "
        "--direct_running_mode multi_processing, or --runner FlinkRunner.",
        allow_abbrev=False,
    )
    made.add_argument("--db", default="demo", choices=sorted(READERS), help="default: demo")
    made.add_argument(
        "--input", type=Path, help="the database's folder or file; demo renders one if not given"
    )
    made.add_argument("--output", type=Path, help="default: data/<db>")
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
        "--prealigned",
        action="store_true",
        help="images: the pictures are cropped faces, to be resized and not searched",
    )
    faces.add_argument(
        "--max-rejects",
        type=float,
        default=1.0,
        help="share of the pictures, 0 to 1, beyond which the job fails; default %(default)s",
    )
    demo = made.add_argument_group("the demo database, where it is rendered first")
    demo.add_argument("--demo-subjects", type=int, default=DEMO_SUBJECTS)
    demo.add_argument("--demo-seed", type=int, default=DEMO_SEED)
    demo.add_argument("--demo-frames", type=int, default=DEMO_FRAMES)
    return made


def choices(args: argparse.Namespace) -> Choices:
    """The reader's choices; `BadUse` for one that the chosen database does not know."""
    if args.prealigned and args.db != "images":
        raise BadUse(f"--prealigned is for images, not for --db {args.db}")
    return Choices(prealigned=args.prealigned)
