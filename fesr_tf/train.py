"""`python -m fesr_tf.train --db NAME [--fold K|all] [--variant V] [key=value ...]`

Trains one variant on one fold in both stages of Algorithm 1, or resumes a stopped run.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path

import tensorflow as tf

from fesr_tf import config, data, runs
from fesr_tf.data import checks
from fesr_tf.model import fesr
from fesr_tf.networks.face_networks import doubts
from fesr_tf.processes import INTERRUPTED
from fesr_tf.runs import files
from fesr_tf.training import distribution, dry_run, first_stage, initial_weights
from fesr_tf.training.loop import stages, train
from fesr_tf.training.memory import keep_freed_memory
from pipelines.common.errors import BadUse, command
from pipelines.common.files import location


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="python -m fesr_tf.train", description=__doc__)
    options.add_argument(
        "--db", required=True, help="database: a file in configs/ names its settings"
    )
    options.add_argument("--data", help="preprocessed folder (default: data/<db>)")
    options.add_argument(
        "--fold",
        type=data.fold_number,
        default=0,
        metavar="K|all",
        help="fold to test on, from 0; all: no held-out subjects (default: 0)",
    )
    options.add_argument("--variant", default="FESR_JL", help="a file in configs/variants/")
    options.add_argument("--runs", default="runs", help="folder of all runs (default: runs)")
    start = options.add_mutually_exclusive_group()
    start.add_argument(
        "--first-stage",
        type=Path,
        metavar="RUN",
        help="start a new run at the end of stage 1 of this run of another variant, if it is equal",
    )
    start.add_argument(
        "--initial-weights",
        type=Path,
        metavar="RUN",
        help="start a new run with the weights of this one, whose networks have the same sizes; "
        "its data and settings may differ",
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="print settings, data, parameters, memory and time, and start no run",
    )
    options.add_argument("overrides", nargs="*", metavar="key=value", help="settings to override")
    return options


@command
def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    settings = config.resolve(arguments.db, arguments.variant, arguments.overrides)
    keep_freed_memory()
    if arguments.dry_run and settings.strategy == "multi_worker":
        raise BadUse("--dry-run measures one process: omit strategy=multi_worker")
    strategy = distribution.start(settings)
    chief = distribution.is_chief(strategy)
    source = location(arguments.data or Path("data") / arguments.db)
    fold = data.load_fold(source, arguments.fold, settings)
    folder = runs.run_folder(arguments.runs, arguments.db, arguments.variant, arguments.fold)
    info = runs.RunInfo(
        database=arguments.db,
        variant=arguments.variant,
        fold=arguments.fold,
        data=str(source),
        data_digest=fold.digest,
        classes=fold.classes,
        origin=fold.origin,
    )
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Checked before the run's folder is created.
    checks.refuse(fold, settings, source)
    if arguments.first_stage and not files.steps(folder / files.CHECKPOINTS):
        first_stage.refuse(arguments.first_stage, settings, info)
    with distribution.lost_workers(strategy), strategy.scope():
        model = fesr.build(settings, len(fold.classes))
    data.batches(fold.train, settings)
    notes = [*checks.notes(fold, settings, source), *doubts(settings, fold.origin)]
    if arguments.dry_run:
        names = arguments.db, arguments.variant
        print(dry_run.report(model, fold, stages(settings), *names, notes))
        return 0
    initial = None
    if arguments.initial_weights and not files.steps(folder / files.CHECKPOINTS):
        initial = initial_weights.take(model, arguments.initial_weights)
    with runs.alone(folder) if chief else contextlib.nullcontext():
        if chief:
            runs.start(folder, settings, info)
            if initial:
                initial_weights.record(folder, initial)
        print(
            f"{arguments.variant} on fold {arguments.fold} of {source}: {len(fold.train)} "
            f"training, {len(fold.valid)} validation, {len(fold.test)} test images, "
            f"{len(fold.classes)} classes; run in {folder}"
            + ("" if chief else ", which worker 0 alone writes"),
            flush=True,
        )
        for note in notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
        started = time.monotonic()
        finished = train(model, fold, folder, arguments.first_stage)
    if not finished:
        step = int(model.fesgan.step.numpy())
        print(f"stopped and saved at step {step} in {folder}: run the same command again to resume")
        return INTERRUPTED
    print(f"finished in {time.monotonic() - started:.0f} s: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
