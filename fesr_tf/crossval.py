"""`python -m fesr_tf.crossval --db NAME`: trains and tests every variant on every fold.

Trainings and evaluations are processes of `fesr_tf.train` and `fesr_tf.evaluate`. Finished runs are
kept, stopped ones resume, and variants with an equal stage 1 train it once per fold. The same
command on several hosts that share the folders divides the trainings among them. Results:
`<runs>/<db>/crossval.json` and `.csv`, and a table.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config.variants import FIG_8
from fesr_tf.crossvalidation.execution import cross_validate, merge
from fesr_tf.crossvalidation.plan import Plan, numbers, split_overrides, with_present
from fesr_tf.processes import locks
from pipelines.common.errors import BadUse, command
from pipelines.common.text import listed
from pipelines.dataset import manifest as manifests


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(
        prog="python -m fesr_tf.crossval",
        description="Trains and tests every variant on every fold and compares the variants.",
    )
    options.add_argument(
        "--db", required=True, help="database: a file in configs/ names its settings"
    )
    options.add_argument("--data", type=Path, help="preprocessed folder (default: data/<db>)")
    options.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder of all runs [runs]"
    )
    options.add_argument(
        "--variants",
        nargs="+",
        metavar="V",
        help="the others are compared with the first [those of Fig. 8; with --merge all that "
        "were run]",
    )
    options.add_argument("--folds", default="all", help="all, or a list such as 0,1 [all]")
    options.add_argument("--seeds", default="0", help="a list such as 0,1,2 [0]")
    options.add_argument("--jobs", type=int, default=1, help="processes at once [1]")
    options.add_argument(
        "--merge",
        action="store_true",
        help="train nothing: write the results of all runs that stand in --runs",
    )
    options.add_argument(
        "--dead-after",
        type=float,
        default=locks.DEAD_AFTER,
        metavar="SECONDS",
        help="take over the job of another host without a sign of life for so long [%(default)g]",
    )
    runs.add_checkpoint_option(options)
    options.add_argument("overrides", nargs="*", metavar="key=value", help="settings of every run")
    return options


@command
def main(argv: list[str] | None = None) -> int:
    """Cross-validates; exit code 0, 1 (a job failed), 2 (bad use) or 130 (stopped)."""
    options = parser().parse_args(argv)
    present_only = options.merge and options.variants is None
    options.variants = options.variants or FIG_8
    if options.jobs < 1:
        raise BadUse(f"--jobs must be at least 1, not {options.jobs}")
    if options.dead_after < 3 * locks.HEARTBEAT:
        raise BadUse(
            f"--dead-after must be at least {3 * locks.HEARTBEAT:g}, not {options.dead_after:g}: a "
            f"host gives a sign of life every {locks.HEARTBEAT:g} seconds"
        )
    variants, overrides = split_overrides(options)
    configs.resolve(options.db)  # refuses an unknown database before its folder is read
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
    if present_only:
        plan, left_out = with_present(dataclasses.replace(plan, variants=()))
        if not plan.variants:
            reason = f": {listed(left_out, 5)}" if left_out else ""
            raise BadUse(f"{plan.output} holds no run with these settings and data{reason}")
    for variant in plan.variants:
        if withheld := plan.withheld(variant):
            print(f"note: {variant} ignores {', '.join(withheld)}, which would redefine it")
    if options.merge:
        return merge(plan)
    return cross_validate(plan, options.jobs, options.dead_after)


if __name__ == "__main__":
    sys.exit(main())
