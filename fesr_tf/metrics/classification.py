"""Accuracy, confusion, precision and recall of a classifier: pure functions on numpy arrays."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """int (N,), int (N,) in [0,K) -> int64 (K,K): row = true class, column = predicted class.

    Raises ValueError for arrays of different lengths or classes out of range; scikit-learn's
    matrix drops such classes and refuses N = 0.
    """
    labels, predictions = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise ValueError(f"predictions {predictions.shape} must match labels {labels.shape}")
    both = np.concatenate([labels, predictions])
    if both.size and not 0 <= both.min() <= both.max() < num_classes:
        raise ValueError(f"classes must be from 0 to {num_classes - 1}")
    counts = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def wilson_interval(correct: float, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, both ends in [0,1]; (0, 1) where total is 0.

    `correct` may be fractional: the mean of several predictions for an image. The interval
    assumes `total` independent images; images of one person are correlated, so the true interval
    is somewhat wider.
    """
    if not 0 <= correct <= total:
        raise ValueError(f"{correct} of {total} is not a proportion")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p, zz = correct / total, z * z
    centre = (p + zz / (2 * total)) / (1 + zz / total)
    half = z / (1 + zz / total) * math.sqrt(p * (1 - p) / total + zz / (4 * total**2))
    return max(0.0, centre - half), min(1.0, centre + half)


LEAST = 5e-7
"""The smallest probability in a log-loss: half of the last digit of evaluation.json."""


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Brier's score of each prediction (Monthly Weather Review 1950), float (N,) in [0,2].

    probabilities float (N,K), labels int (N,): the sum over the classes of (p_k - y_k)^2, where y
    is 1 for the true class and else 0. 0 is best; 1/K each gives 1 - 1/K.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return ((probabilities - truth) ** 2).sum(1)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-ln p of the true class of each prediction, float (N,), in nats, at most 14.5 (`LEAST`).

    probabilities float (N,K), labels int (N,). 0 is best; 1/K each gives ln K.
    """
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], LEAST))


def class_distances(features: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The root-mean-square distance of two images of one class, and of two of different classes.

    features float (N,F), labels int (N,). The first over the second is small where the features of
    a class lie together. NaN where there is no such pair. It takes N·F operations: of n vectors
    the pairs' squares sum to n sum |a|^2 - |sum a|^2.
    """

    def of_pairs(rows: np.ndarray) -> tuple[float, float]:
        centred = rows - rows.mean(0)  # exact for nearly equal vectors, whose sum would be 0
        return len(rows) * (centred**2).sum(), len(rows) * (len(rows) - 1) / 2

    features = np.asarray(features, np.float64)
    every = np.array(of_pairs(features))
    same = np.sum([of_pairs(features[labels == k]) for k in np.unique(labels)], 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        within, between = (np.sqrt(sums / pairs) for sums, pairs in (same, every - same))
    return float(within), float(between)


def per_class(confusion: np.ndarray, classes: list[str] | tuple[str, ...]) -> list[dict]:
    """For each class its name, `count` (true images), `predicted`, `correct`, `recall` and
    `precision`, each None where its denominator is 0."""
    counts, predicted, correct = confusion.sum(1), confusion.sum(0), np.diag(confusion)
    return [
        {
            "class": name,
            "count": int(counts[k]),
            "predicted": int(predicted[k]),
            "correct": int(correct[k]),
            "recall": float(correct[k] / counts[k]) if counts[k] else None,
            "precision": float(correct[k] / predicted[k]) if predicted[k] else None,
        }
        for k, name in enumerate(classes)
    ]


def summary(
    labels: np.ndarray, predictions: np.ndarray, classes: list[str] | tuple[str, ...]
) -> dict:
    """The accuracy and its details, ready for JSON: `correct`, `total`, `accuracy` (None where
    total is 0), `interval` (Wilson, 95 %), `confusion` (rows are true classes), `per_class`."""
    confusion = confusion_matrix(labels, predictions, len(classes))
    correct, total = int(np.trace(confusion)), int(confusion.sum())
    return {
        "correct": correct,
        "total": total,
        "accuracy": correct / total if total else None,
        "interval": list(wilson_interval(correct, total)),
        "confusion": confusion.tolist(),
        "per_class": per_class(confusion, classes),
    }
