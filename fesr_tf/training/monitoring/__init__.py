"""Monitors a run while it trains: the console's progress line and TensorBoard.

Every part is an ordinary Keras callback; `watch` assembles those that a run's configuration and
data call for. `docs/guide/monitoring.md` explains each tag.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
import tf_keras as keras

from fesr_tf import runs
from fesr_tf.data import Faces, Fold
from fesr_tf.model.fesr import FESR
from fesr_tf.runs import files
from fesr_tf.synthesis.sheets import choose_people
from fesr_tf.training.monitoring.console import Progress
from fesr_tf.training.monitoring.events import mark_complete, open_writer, write_description
from fesr_tf.training.monitoring.held_out import Panel, Validation
from fesr_tf.training.monitoring.projector import Projector
from fesr_tf.training.monitoring.scalars import Histograms, Scalars

__all__ = ["Watch", "watch"]


@dataclass(frozen=True)
class Watch:
    """The callbacks that monitor a run, in order."""

    callbacks: list[keras.callbacks.Callback]

    @property
    def validation(self) -> Validation | None:
        """The callback that validates R; None without a validation part or a second stage."""
        return next((part for part in self.callbacks if isinstance(part, Validation)), None)


@contextlib.contextmanager
def watch(
    model: FESR,
    fold: Fold,
    folder: Path,
    stages: Sequence[tuple[str, int]],
    resumed: int | None,
) -> Iterator[Watch]:
    """Monitors the run in `folder` over both stages, until the block ends.

    `stages` are the stages with the iterations at which they end, `resumed` the iteration at
    which the run resumes, None for a new run. The description of the run comes from its run.json;
    a folder without one gets no text page and no row in the table of runs. Raises `FailedWork`
    where the event folder cannot be written.
    """
    writer = open_writer(folder / files.EVENTS, resumed)
    progress = Progress(model, stages)
    try:
        if resumed is None and files.is_run(folder):
            with writer.as_default(step=0):
                write_description(model.config, runs.read_info(folder), fold)
        yield Watch([*_recorders(model, fold, folder, writer, stages[-1][1]), progress])
    finally:
        progress.close()
        writer.close()


def _recorders(
    model: FESR, fold: Fold, folder: Path, writer: tf.summary.SummaryWriter, last: int
) -> list[keras.callbacks.Callback]:
    """The callbacks that write to TensorBoard."""
    config, classes = model.config, fold.classes
    recorders: list[keras.callbacks.Callback] = [Scalars(model, writer, last)]
    if config.histogram_every:
        recorders.append(Histograms(model, writer, last))
    if config.trains_recognizer and len(fold.valid):
        recorders.append(Validation(model, fold.valid, classes, writer, last))
    if config.trains_fesgan:
        people = _panel_faces(fold)
        people = people.of(choose_people(people, count=6, seed=0))
        recorders.append(Panel(model, people, classes, folder / files.IMAGES, writer, last))
    if config.trains_recognizer and config.projector_faces:
        recorders.append(Projector(model, fold, folder / files.EVENTS, last))

    def complete(logs: dict[str, float] | None = None) -> None:
        if int(model.fesgan.step.numpy()) >= last:
            mark_complete(writer)

    return [*recorders, keras.callbacks.LambdaCallback(on_train_end=complete)]


def _panel_faces(fold: Fold) -> Faces:
    """The validation part, else the test part; where nobody is held out, the training part."""
    return next(part for part in (fold.valid, fold.test, fold.train) if len(part))
