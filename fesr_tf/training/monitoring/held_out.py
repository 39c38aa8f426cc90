"""A run on held-out images: a panel of G's images, and R's accuracy, confusion and curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.plugins.pr_curve import summary as pr_curve

from fesr_tf.data import Faces
from fesr_tf.metrics import classification
from fesr_tf.model.fesr import FESR
from fesr_tf.model.predict import predict
from fesr_tf.plots import charts, image_grids
from fesr_tf.synthesis.generation import LEVELS, intensity_rows
from fesr_tf.synthesis.sheets import training_sheet
from fesr_tf.training.callbacks import EverySteps
from pipelines.common.files import write_whole

FACES = (
    "Held-out images. `input` is x, `reconstruction` x_rec (eq. 11), a class's column x_hat "
    "(eq. 3) at intensity 1; the rows `new` are x^{p,f} (eq. 13) of fixed codes z."
)
INTENSITY = (
    "Fig. 6: the class's entry of the expression code takes the level above the column, every "
    "other entry is -1."
)
SPREAD = (
    "Distance of R_ext's features of two images of one class over that of two of different ones, "
    "root mean squares over all pairs of the validation part: the smaller, the more compact."
)
THRESHOLDS = 101


class Panel(EverySteps):
    """A fixed panel of people and an intensity sweep of the first, each `picture_every` iterations.

    To TensorBoard as `faces` and `intensity`; the panel also as `<folder>/step-<t>.png`.
    """

    def __init__(
        self,
        fesr: FESR,
        people: Faces,
        classes: Sequence[str],
        folder: Path,
        writer: tf.summary.SummaryWriter,
        last: int | None = None,
    ):
        super().__init__(fesr, fesr.config.picture_every, last)
        self.people, self.classes, self.folder, self.writer = people, classes, folder, writer

    def act(self, step: int, logs: dict[str, float]) -> None:
        gan = self.fesr.fesgan
        with self.fesr.averaged():
            sheet = training_sheet(gan, self.people, self.classes, seed=0)
            rows = intensity_rows(gan, self.people.floats()[0], LEVELS)
        sweep = image_grids.grid(
            rows,
            [f"{level:+.2f}" for level in LEVELS],
            self.classes,
            cell=min(128, 2 * self.people.images.shape[1]),
        )
        write_whole(self.folder / f"step-{step:06d}.png", image_grids.png(sheet))
        with self.writer.as_default(step=step):
            tf.summary.image("faces", sheet[np.newaxis], description=FACES)
            tf.summary.image("intensity", sweep[np.newaxis], description=INTENSITY)
        self.writer.flush()


class Validation(EverySteps):
    """Validates R each `validate_every` iterations of the second stage, and selects nothing.

    `latest` is the iteration and accuracy of the last validation; None before the first.
    """

    def __init__(
        self,
        fesr: FESR,
        faces: Faces,
        classes: Sequence[str],
        writer: tf.summary.SummaryWriter,
        last: int | None = None,
    ):
        super().__init__(fesr, fesr.config.validate_every, last)
        self.faces, self.classes, self.writer = faces, classes, writer
        self.latest: tuple[int, float] | None = None

    def act(self, step: int, logs: dict[str, float]) -> None:
        if not self.in_second_stage:
            return
        with self.fesr.averaged():
            features, logits = predict(self.fesr, self.faces)
        accuracy = float(np.mean(logits.argmax(-1) == self.faces.labels))
        self.latest = (step, accuracy)
        with self.writer.as_default(step=step):
            write_validation(logits, self.faces.labels, self.classes, step)
            write_distances(features, self.faces.labels)
        self.writer.flush()


def write_validation(
    logits: np.ndarray, labels: np.ndarray, classes: Sequence[str], step: int
) -> None:
    """Writes the results of R's `logits` (N,K) on `labels` (N,) to the default summary writer."""
    result = classification.summary(labels, logits.argmax(-1), classes)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    low, high = result["interval"]
    note = (
        f"{result['accuracy']:.1%}: {result['correct']} of {result['total']} validation images; "
        f"95 % interval {low:.1%} to {high:.1%}"
    )
    figure = charts.confusion(
        np.array(result["confusion"]), classes, f"Validation, step {step}", note
    )
    tf.summary.scalar("validation/accuracy", result["accuracy"])
    tf.summary.scalar(
        "validation/L_cls_R_r", tf.reduce_mean(loss), description="eq. 20 on the validation part"
    )
    tf.summary.image("validation/confusion", charts.pixels(figure)[np.newaxis])
    probabilities = tf.nn.softmax(logits).numpy()
    for k, name in enumerate(classes):
        if np.any(labels == k):
            counts = precision_recall(labels == k, probabilities[:, k], THRESHOLDS)
            curve = pr_curve.raw_data_pb(
                f"validation/{name}", *counts, num_thresholds=THRESHOLDS, display_name=name
            )
            tf.summary.experimental.write_raw_pb(curve.SerializeToString())


def write_distances(features: np.ndarray, labels: np.ndarray) -> None:
    """Writes how compact the classes' features (N,F) are to the default summary writer; nothing
    without two images of a class, or with one class."""
    within, between = classification.class_distances(features, labels)
    if within >= 0 and between > 0:  # neither is NaN
        tf.summary.scalar("validation/within_between", within / between, description=SPREAD)


def precision_recall(truth: np.ndarray, scores: np.ndarray, thresholds: int) -> np.ndarray:
    """bool (N,), scores (N,) in [0,1] -> float64 (6,thresholds), the rows of TensorBoard's plugin:
    true positives, false positives, true negatives, false negatives, precision, recall.

    Threshold i is i / (thresholds - 1); a score of at least that much is a positive. Precision is
    0 without positives, and recall without any true ones.
    """
    levels = np.arange(thresholds) / (thresholds - 1)
    positive = np.asarray(scores, np.float64)[:, np.newaxis] >= levels
    true_positives = positive[truth].sum(0)
    false_positives = positive[~truth].sum(0)
    false_negatives = truth.sum() - true_positives
    return np.stack(
        [
            true_positives,
            false_positives,
            (~truth).sum() - false_positives,
            false_negatives,
            true_positives / np.maximum(true_positives + false_positives, 1),
            true_positives / np.maximum(true_positives + false_negatives, 1),
        ]
    )
