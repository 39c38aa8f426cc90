"""`python -m fesr_tf.own_data.step_time --db NAME --variants V…`: seconds per training step.

Prints {variant: {stage: seconds per step}} as JSON. The measurement is that of
`fesr_tf.train --dry-run`: a few steps of each stage on the data, without writing anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fesr_tf import config, data
from fesr_tf.config import Config
from fesr_tf.crossvalidation.plan import split_overrides
from fesr_tf.data import checks
from fesr_tf.model import fesr
from fesr_tf.own_data.plan import applicable
from fesr_tf.processes.jobs import Job
from fesr_tf.training import dry_run
from fesr_tf.training.loop import stages
from fesr_tf.training.memory import keep_freed_memory
from pipelines.common.errors import command

PROCESS = 12.0
"""Seconds of a process beside its steps: starting TensorFlow, building the model, saving."""

StepTimes = Mapping[str, Mapping[str, float]]
"""{variant: {stage: seconds per step}}."""


def measure(
    database: str, variant: str, overrides: Sequence[str], source: Path, fold: data.FoldNumber
) -> dict[str, float]:
    """{stage: measured seconds per step}. Raises `BadUse` for a variant that cannot be trained."""
    settings = config.resolve(database, variant, applicable(variant, overrides))
    parts = data.load_fold(source, fold, settings)
    checks.refuse(parts, settings, source)
    model = fesr.build(settings, len(parts.classes))
    timings = dry_run.measure(model, parts.train, stages(settings))
    return {timing.stage: timing.seconds_per_step for timing in timings}


def seconds(times: StepTimes, variant: str, settings: Config, begin: int, end: int) -> float:
    """Seconds of the steps from `begin` to `end` of a variant's run.

    A variant without a measured first stage (FG) takes that of another.
    """
    first = max(0, min(end, settings.pretrain_iterations) - begin)
    own = times.get(variant, {})
    shared = max((stages.get("FESGAN", 0.0) for stages in times.values()), default=0.0)
    return first * own.get("FESGAN", shared) + (end - begin - first) * own.get("FESR", 0.0)


def seconds_of_jobs(times: StepTimes, jobs: Sequence[Job], settings: Mapping[str, Config]) -> float:
    """Seconds of a cross-validation's jobs, one after the other. settings: of each variant.

    Simultaneous jobs share the same cores, so they are hardly faster.
    """
    total = 0.0
    for job in jobs:
        variant = job.name.partition(" ")[0]
        total += seconds(times, variant, settings[variant], job.begins, job.ends)
        total += PROCESS * len(job.commands)
    return total


@command
def main(argv: list[str] | None = None) -> int:
    """Prints the step times; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.own_data.step_time",
        description="Measures the seconds per training step of each variant and stage, as JSON.",
    )
    parser.add_argument("--db", required=True, help="database: a file in configs/")
    parser.add_argument("--data", type=Path, help="preprocessed folder (default: data/<db>)")
    parser.add_argument("--fold", type=data.fold_number, default=0, metavar="K|all")
    parser.add_argument("--variants", nargs="+", default=["FESR_JL"], metavar="V")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args(argv)
    variants, overrides = split_overrides(options)
    keep_freed_memory()
    source = options.data or Path("data") / options.db
    times = {
        variant: measure(options.db, variant, overrides, source, options.fold)
        for variant in variants
    }
    print(json.dumps(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
