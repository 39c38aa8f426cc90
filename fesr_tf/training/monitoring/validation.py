"""R judged on the validation people: accuracy, confusion matrix, precision and recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins.pr_curve import summary as pr_curve

from fesr_tf.data import Faces
from fesr_tf.metrics import classification
from fesr_tf.model.fesr import FESR
from fesr_tf.model.predict import predict_logits
from fesr_tf.plots import charts
from fesr_tf.training.callbacks import EverySteps

THRESHOLDS = 101


class Validation(EverySteps):
    """Each `validate_every` iterations of the second stage. It selects nothing by itself.

    `latest` is the last iteration at which it judged, with the accuracy; None before the first.
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
        logits = predict_logits(self.fesr, self.faces)
        accuracy = float(np.mean(logits.argmax(-1) == self.faces.labels))
        self.latest = (step, accuracy)
        with self.writer.as_default(step=step):
            write_validation(logits, self.faces.labels, self.classes, step)
        self.writer.flush()


def write_validation(
    logits: np.ndarray, labels: np.ndarray, classes: Sequence[str], step: int
) -> None:
    """Writes what R's `logits` (N, K) say of `labels` (N,) to the default summary writer."""
    found = classification.summary(labels, logits.argmax(-1), classes)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    low, high = found["interval"]
    note = (
        f"{found['accuracy']:.1%}: {found['correct']} of {found['total']} validation pictures; "
        f"95 % interval {low:.1%} to {high:.1%}"
    )
    figure = charts.confusion(
        np.array(found["confusion"]), classes, f"Validation, step {step}", note
    )
    tf.summary.scalar("validation/accuracy", found["accuracy"])
    tf.summary.scalar(
        "validation/L_cls_R_r", tf.reduce_mean(loss), description="eq. 20 on people not trained on"
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


def precision_recall(truth: np.ndarray, scores: np.ndarray, thresholds: int) -> np.ndarray:
    """bool (N,), scores (N,) in [0, 1] -> float64 (6, thresholds), the rows of TensorBoard's
    plugin: true positives, false positives, true negatives, false negatives, precision, recall.

    Threshold i is i / (thresholds - 1); what scores at least that much counts as found.
    Precision is 0 where nothing is found, and recall where there is nothing to find.
    """
    levels = np.arange(thresholds) / (thresholds - 1)
    found = np.asarray(scores, np.float64)[:, np.newaxis] >= levels
    true_positives = found[truth].sum(0)
    false_positives = found[~truth].sum(0)
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
