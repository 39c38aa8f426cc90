"""`python -m fesr_tf.own_data.step_time --db NAME --variants V…`: seconds per training step.

{variant: {stage: seconds a step}}, measured as `fesr_tf.train --dry-run` measures it: a few steps
of each stage, on the data, in this process, which leaves nothing behind.
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
from fesr_tf.processes.jobs import Job
from fesr_tf.training import dry_run
from fesr_tf.training.loop import stages
from fesr_tf.training.memory import keep_freed_memory
from pipelines.common.errors import command

PROCESS = 12.0
"""Seconds that a process takes beside its steps: starting TensorFlow, building, saving."""


def seconds_per_step(
    database: str, variant: str, overrides: Sequence[str], source: Path, fold: int
) -> dict[str, float]:
    """Stage -> measured seconds of a step. Raises `BadUse` for what cannot be trained."""
    without = config.withheld(variant, overrides)
    settings = config.resolve(database, variant, [t for t in overrides if t not in without])
    parts = data.load_fold(source, fold, settings)
    checks.refuse(parts, settings, source)
    model = fesr.build(settings, len(parts.classes))
    timings = dry_run.measure(model, parts.train, stages(settings))
    return {timing.stage: timing.seconds_per_step for timing in timings}


def seconds(
    paces: Mapping[str, Mapping[str, float]], variant: str, settings: Config, begins: int, ends: int
) -> float:
    """Seconds of the steps from `begins` to `ends` of a variant's run. The first stage of one
    that was not measured (FG) is that of another."""
    first = max(0, min(ends, settings.pretrain_iterations) - begins)
    second = ends - begins - first
    own = paces.get(variant, {})
    shared = max((each.get("FESGAN", 0.0) for each in paces.values()), default=0.0)
    return first * own.get("FESGAN", shared) + second * own.get("FESR", 0.0)


def seconds_of_jobs(
    paces: Mapping[str, Mapping[str, float]], jobs: Sequence[Job], settings: Mapping[str, Config]
) -> float:
    """Seconds of a cross-validation's jobs, one after the other. Several at once share the same
    cores, so that they are not much faster. settings: of each variant."""
    total = 0.0
    for job in jobs:
        variant = job.name.partition(" ")[0]
        total += seconds(paces, variant, settings[variant], job.begins, job.ends)
        total += PROCESS * len(job.commands)
    return total


@command
def main(argv: list[str] | None = None) -> int:
    """Measures; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.own_data.step_time",
        description="Seconds of a training step of each variant and stage, measured, as JSON.",
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
    found = {
        variant: seconds_per_step(options.db, variant, overrides, source, options.fold)
        for variant in variants
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
