"""`python -m fesr_tf.train --db NAME [--fold K] [--variant V] [key=value ...]`

Trains one fold of one variant, both stages of Algorithm 1, and goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf import callbacks, config, data, fesr, runs
from fesr_tf.checkpoints import Checkpoints
from fesr_tf.config import Config
from fesr_tf.data import Fold
from fesr_tf.fesr import FESR
from fesr_tf.frozen import frozen_features
from fesr_tf.memory import keep_freed_memory
from fesr_tf.pictures import png
from fesr_tf.synthesize import choose_people, training_sheet
from pipelines.errors import FailedWork, command
from pipelines.files import write_whole

INTERRUPTED = 130


def stages(settings: Config) -> list[tuple[str, int]]:
    """The stages of a run with the iteration at which each ends: P_pre, then P_max."""
    ends = []
    if settings.trains_fesgan and settings.pretrain_iterations:
        ends.append(("FESGAN", settings.pretrain_iterations))
    if settings.trains_recognizer and settings.max_iterations > settings.pretrain_iterations:
        ends.append(("FESR", settings.max_iterations))
    return ends


def train(model: FESR, fold: Fold, folder: Path) -> bool:
    """Trains the run in `folder` to its end, from its last checkpoint if it has one.

    True when the run is complete, False when a signal stopped it (it is saved then).
    BASELINE has no first stage: it starts at t = P_pre and takes as many steps as R does in
    the joint variants.
    """
    settings = model.config
    checkpoints = Checkpoints(model, folder / "checkpoints", settings.keep_checkpoints)
    begun = checkpoints.restore()
    if begun is not None:
        print(f"going on at step {begun}", flush=True)
    elif not settings.trains_fesgan:
        model.fesgan.step.assign(settings.pretrain_iterations)
    step = int(model.fesgan.step.numpy())
    total = stages(settings)[-1][1]
    frozen = frozen_features(model.face_network, fold.train, settings) if step < total else None
    try:
        writer = tf.summary.create_file_writer(str(folder / "events"))
    except tf.errors.OpError:
        raise FailedWork(
            f"cannot write into {folder / 'events'}: make it writable, or give another --runs"
        ) from None
    progress = callbacks.Progress(model, total, step)
    stop = callbacks.StopOnSignal()
    watching = [
        callbacks.StopOnNonFinite(model),
        callbacks.Scalars(model, writer),
        *([callbacks.Validation(model, fold.valid, writer)] if len(fold.valid) else []),
        *([_pictures(model, fold, folder, writer)] if settings.trains_fesgan else []),
        callbacks.Saves(model, checkpoints),
        progress,
        stop,
    ]
    try:
        for name, end in stages(settings):
            step = int(model.fesgan.step.numpy())
            if step < end and not stop.stopped:
                stage = model.fesgan if name == "FESGAN" else model
                batches = data.batches(fold.train, settings, step, frozen)
                stage.fit(batches, steps_per_epoch=end - step, callbacks=watching, verbose=0)
    finally:
        stop.restore()
        progress.close()
        writer.close()
    return int(model.fesgan.step.numpy()) >= total


def _pictures(
    model: FESR, fold: Fold, folder: Path, writer: tf.summary.SummaryWriter
) -> callbacks.Pictures:
    """A fixed panel: unseen people and fixed prior codes, the same at every step."""
    unseen = fold.valid if len(fold.valid) else fold.test
    panel = unseen.of(choose_people(unseen, count=6, seed=0))

    def draw(step: int) -> None:
        sheet = training_sheet(model.fesgan, panel, fold.classes, seed=0)
        write_whole(folder / "pictures" / f"step-{step:06d}.png", png(sheet))
        with writer.as_default(step=step):
            tf.summary.image("faces", sheet[np.newaxis])

    return callbacks.Pictures(model, draw)


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(prog="python -m fesr_tf.train", description=__doc__)
    made.add_argument("--db", required=True, help="database: a file in configs/ names its settings")
    made.add_argument("--data", help="preprocessed folder (default: data/<db>)")
    made.add_argument("--fold", type=int, default=0, help="fold to test on, from 0 (default: 0)")
    made.add_argument("--variant", default="FESR_JL", help="a file in configs/variants/")
    made.add_argument("--runs", default="runs", help="folder of all runs (default: runs)")
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
    # What cannot be trained is refused before a run of it is begun.
    model = fesr.build(settings, len(fold.classes))
    data.batches(fold.train, settings)
    runs.start(folder, settings, info)
    print(
        f"{arguments.variant} on fold {arguments.fold} of {source}: {len(fold.train)} training, "
        f"{len(fold.valid)} validation, {len(fold.test)} test images, "
        f"{len(fold.classes)} classes; run in {folder}",
        flush=True,
    )
    began = time.monotonic()
    if not train(model, fold, folder):
        print(f"stopped and saved in {folder}: run the same command again to go on")
        return INTERRUPTED
    print(f"finished in {time.monotonic() - began:.0f} s: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
