"""`python -m fesr_tf.train --db NAME [--fold K|all] [--variant V] [key=value ...]`

Trains one fold of one variant, both stages of Algorithm 1, and goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import tensorflow as tf

from fesr_tf import (
    collapse,
    config,
    data,
    dry_run,
    fesr,
    first_stage,
    guards,
    machine,
    runs,
    trainable,
    watching,
)
from fesr_tf.checkpoints import Checkpoints
from fesr_tf.config import Config
from fesr_tf.data import Fold
from fesr_tf.fesr import FESR
from fesr_tf.frozen import frozen_features
from fesr_tf.memory import keep_freed_memory
from pipelines.errors import command

INTERRUPTED = 130


def stages(settings: Config) -> list[tuple[str, int]]:
    """The stages of a run with the iteration at which each ends: P_pre, then P_max."""
    ends = []
    if settings.trains_fesgan and settings.pretrain_iterations:
        ends.append(("FESGAN", settings.pretrain_iterations))
    if settings.trains_recognizer and settings.max_iterations > settings.pretrain_iterations:
        ends.append(("FESR", settings.max_iterations))
    return ends


def train(model: FESR, fold: Fold, folder: Path, first: Path | None = None) -> bool:
    """Trains the run in `folder` to its end, from its last checkpoint if it has one, else from
    the end of the stage 1 of the run in `first`, if one is given (`first_stage.refuse` agreed).

    True when the run is complete, False when a signal stopped it (it is saved then). No other
    process may train in `folder` meanwhile: see `runs.alone`.
    BASELINE has no first stage: it starts at t = P_pre and takes as many steps as R does in
    the joint variants.
    """
    settings = model.config
    about = {"images": len(fold.train), "data_digest": fold.digest}
    checkpoints = Checkpoints(model, folder / "checkpoints", settings.keep_checkpoints, **about)
    best = Checkpoints(model, folder / runs.BEST, 1, **about)
    for each in (checkpoints, best):
        each.sweep()
    begun = checkpoints.restore(fall_back=True)
    if begun is not None:
        print(f"going on at step {begun}", flush=True)
        if elsewhere := checkpoints.elsewhere():
            print(f"note: {elsewhere}", file=sys.stderr, flush=True)
    elif not settings.trains_fesgan:
        model.fesgan.step.assign(settings.pretrain_iterations)
    elif first:
        step = first_stage.begin(model, first, checkpoints, folder)
        print(f"stage 1 taken from {first}: beginning at step {step}", flush=True)
    ends = stages(settings)
    unfinished = int(model.fesgan.step.numpy()) < ends[-1][1]
    if unfinished:
        machine.note_start(folder, int(model.fesgan.step.numpy()))
    frozen = frozen_features(model.face_network, fold.train, settings) if unfinished else None
    stop = guards.StopOnSignal()
    with watching.watch(model, fold, folder, ends, begun) as watch:
        judge = watch.validation
        called = [
            guards.StopOnNonFinite(model),  # before whatever saves
            collapse.WarnOfCollapse(model),
            *watch.callbacks,
            *([guards.KeepBest(model, best, lambda: judge.latest)] if judge else []),
            guards.Saves(model, checkpoints),
            stop,
        ]
        try:
            for name, end in ends:
                step = int(model.fesgan.step.numpy())
                if step < end and not stop.stopped:
                    stage = model.fesgan if name == "FESGAN" else model
                    batches = data.batches(fold.train, settings, step, frozen)
                    stage.fit(batches, steps_per_epoch=end - step, callbacks=called, verbose=0)
        finally:
            stop.restore()
    return int(model.fesgan.step.numpy()) >= ends[-1][1]


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(prog="python -m fesr_tf.train", description=__doc__)
    made.add_argument("--db", required=True, help="database: a file in configs/ names its settings")
    made.add_argument("--data", help="preprocessed folder (default: data/<db>)")
    made.add_argument(
        "--fold",
        type=data.fold_number,
        default=0,
        metavar="K|all",
        help="fold to test on, from 0; all: hold nobody out (default: 0)",
    )
    made.add_argument("--variant", default="FESR_JL", help="a file in configs/variants/")
    made.add_argument("--runs", default="runs", help="folder of all runs (default: runs)")
    made.add_argument(
        "--first-stage",
        type=Path,
        metavar="RUN",
        help="begin a new run where stage 1 of this run of another variant ended, if it is equal",
    )
    made.add_argument(
        "--dry-run",
        action="store_true",
        help="print settings, data, parameters, memory and time, and leave nothing behind",
    )
    made.add_argument("overrides", nargs="*", metavar="key=value", help="settings to override")
    return made


@command
def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    settings = config.resolve(arguments.db, arguments.variant, arguments.overrides)
    keep_freed_memory()
    source = Path(arguments.data or Path("data") / arguments.db)
    fold = data.load_fold(source, arguments.fold, settings)
    folder = runs.run_folder(arguments.runs, arguments.db, arguments.variant, arguments.fold)
    info = runs.RunInfo(
        database=arguments.db,
        variant=arguments.variant,
        fold=arguments.fold,
        data=str(source),
        data_digest=fold.digest,
        classes=fold.classes,
    )
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    # What cannot be trained is refused before a run of it is begun.
    trainable.refuse(fold, settings, source)
    begun = any(folder.glob("checkpoints/step-*"))
    if arguments.first_stage and not begun:
        first_stage.refuse(arguments.first_stage, settings, info)
    model = fesr.build(settings, len(fold.classes))
    data.batches(fold.train, settings)
    notes = trainable.notes(fold, settings, source)
    if arguments.dry_run:
        names = arguments.db, arguments.variant
        print(dry_run.report(model, fold, stages(settings), *names, notes))
        return 0
    with runs.alone(folder):
        runs.start(folder, settings, info)
        print(
            f"{arguments.variant} on fold {arguments.fold} of {source}: {len(fold.train)} "
            f"training, {len(fold.valid)} validation, {len(fold.test)} test images, "
            f"{len(fold.classes)} classes; run in {folder}",
            flush=True,
        )
        for note in notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
        began = time.monotonic()
        finished = train(model, fold, folder, arguments.first_stage)
    if not finished:
        step = int(model.fesgan.step.numpy())
        print(f"stopped and saved at step {step} in {folder}: run the same command again to go on")
        return INTERRUPTED
    print(f"finished in {time.monotonic() - began:.0f} s: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
