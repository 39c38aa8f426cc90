"""`python -m fesr_tf.crossval --db NAME`: every variant trained and tested on every fold.

Each training and each evaluation is a process of the usual command. What is finished is not done
again, training goes on where it stopped, and stage 1 is trained once a fold for all variants that
have it in common. Results: `<runs>/<db>/crossval.json` and `.csv`, and the table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config.variants import FIG_8
from fesr_tf.crossvalidation.execution import cross_validate
from fesr_tf.crossvalidation.plan import Plan, numbers, split_overrides
from pipelines.common.errors import BadUse, command
from pipelines.dataset import manifest as manifests


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.crossval",
        description="Trains and tests every variant on every fold, and compares them.",
    )
    made.add_argument("--db", required=True, help="database: a file in configs/ names its settings")
    made.add_argument("--data", type=Path, help="preprocessed folder (default: data/<db>)")
    made.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs [runs]")
    made.add_argument(
        "--variants",
        nargs="+",
        default=FIG_8,
        metavar="V",
        help="the first is what the others are compared with [those of Fig. 8]",
    )
    made.add_argument("--folds", default="all", help="all, or as in 0,1 [all]")
    made.add_argument("--seeds", default="0", help="as in 0,1,2 [0]")
    made.add_argument("--jobs", type=int, default=1, help="processes at once [1]")
    runs.add_checkpoint_option(made)
    made.add_argument("overrides", nargs="*", metavar="key=value", help="settings of every run")
    return made


@command
def main(argv: list[str] | None = None) -> int:
    """Cross-validates; exit code 0, 1 (a job failed), 2 (bad use) or 130 (stopped)."""
    options = parser().parse_args(argv)
    if options.jobs < 1:
        raise BadUse(f"--jobs must be at least 1, not {options.jobs}")
    variants, overrides = split_overrides(options)
    configs.resolve(options.db)  # a database that does not exist, before its folder is looked for
    data = options.data or Path("data") / options.db
    manifest = manifests.load(data)
    all_folds = tuple(range(manifest.folds))
    plan = Plan(
        database=options.db,
        data=data,
        runs=options.runs,
        manifest=manifest,
        variants=variants,
        folds=all_folds if options.folds == "all" else numbers(options.folds, "--folds"),
        seeds=numbers(options.seeds, "--seeds"),
        checkpoint=options.checkpoint,
        overrides=overrides,
    )
    for variant in variants:
        if withheld := plan.withheld(variant):
            print(f"note: not for {variant}, which it would make another: {', '.join(withheld)}")
    return cross_validate(plan, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
