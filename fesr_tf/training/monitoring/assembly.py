"""Which callbacks watch a run: those that its configuration and its data call for."""

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
from fesr_tf.training.monitoring.description import write_about, write_end
from fesr_tf.training.monitoring.events import open_writer
from fesr_tf.training.monitoring.projector import Projector
from fesr_tf.training.monitoring.sample_panel import Panel
from fesr_tf.training.monitoring.scalars import Histograms, Scalars
from fesr_tf.training.monitoring.validation import Validation


@dataclass(frozen=True)
class Watch:
    """What watches a run: its callbacks, in order, and the writer of its events."""

    callbacks: list[keras.callbacks.Callback]
    writer: tf.summary.SummaryWriter

    @property
    def validation(self) -> Validation | None:
        """What judges R; None where there are no validation people or no second stage."""
        return next((each for each in self.callbacks if isinstance(each, Validation)), None)


@contextlib.contextmanager
def watch(
    model: FESR,
    fold: Fold,
    folder: Path,
    stages: Sequence[tuple[str, int]],
    begun: int | None,
) -> Iterator[Watch]:
    """Watches the run in `folder` over both stages, until the block ends.

    `stages` are the stages with the iterations at which they end, `begun` the iteration that
    the run goes on from, None at its beginning. What the run is comes from its run.json; a
    folder without one has no page of text and no line in the table of runs. Raises
    `FailedWork` where the folder of events cannot be written.
    """
    writer = open_writer(folder / files.EVENTS, begun)
    progress = Progress(model, stages)
    try:
        if begun is None and files.is_run(folder):
            with writer.as_default(step=0):
                write_about(model.config, runs.read_info(folder), fold)
        yield Watch([*_recorders(model, fold, folder, writer, stages[-1][1]), progress], writer)
    finally:
        progress.close()
        writer.close()


def _recorders(
    model: FESR, fold: Fold, folder: Path, writer: tf.summary.SummaryWriter, last: int
) -> list[keras.callbacks.Callback]:
    """What writes to TensorBoard, as far as the configuration and the data call for it."""
    config, classes = model.config, fold.classes
    made: list[keras.callbacks.Callback] = [Scalars(model, writer, last)]
    if config.histogram_every:
        made.append(Histograms(model, writer, last))
    if config.trains_recognizer and len(fold.valid):
        made.append(Validation(model, fold.valid, classes, writer, last))
    if config.trains_fesgan:
        people = unseen(fold)
        people = people.of(choose_people(people, count=6, seed=0))
        made.append(Panel(model, people, classes, folder / files.IMAGES, writer, last))
    if config.trains_recognizer and config.projector_faces:
        made.append(Projector(model, fold, folder / files.EVENTS, last))
    return [*made, EndOfRun(model, writer, last)]


def unseen(fold: Fold) -> Faces:
    """People to draw: the validation part, or where there is none the test part; where nobody is
    held out, those of training."""
    return next(part for part in (fold.valid, fold.test, fold.train) if len(part))


class EndOfRun(keras.callbacks.Callback):
    """Notes in TensorBoard that the run has come to iteration `last`."""

    def __init__(self, fesr: FESR, writer: tf.summary.SummaryWriter, last: int):
        super().__init__()
        self.fesr, self.writer, self.last = fesr, writer, last

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if int(self.fesr.fesgan.step.numpy()) >= self.last:
            with self.writer.as_default():
                write_end()
