"""Counts against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from fesr_tf.metrics import classification
from tests.support.naming import naming

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTIONS = np.array([0, 1, 0, 1, 1, 0])


def test_rows_of_the_confusion_matrix_are_the_true_classes():
    assert classification.confusion_matrix(LABELS, PREDICTIONS, 3).tolist() == [
        [2, 1, 0],
        [0, 2, 0],
        [1, 0, 0],
    ]


def test_recall_and_precision_by_hand_and_none_where_nothing_is():
    rows = classification.summary(LABELS, PREDICTIONS, ("a", "b", "c", "d"))["per_class"]
    assert [row["recall"] for row in rows] == [2 / 3, 1.0, 0.0, None]
    assert [row["precision"] for row in rows] == [2 / 3, 2 / 3, None, None]
    assert [row["count"] for row in rows] == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # 81 of 263: the worked example of Newcombe (1998), method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_as_newcombe_prints_them(correct, total, low, high):
    assert classification.wilson_interval(correct, total) == pytest.approx((low, high), abs=5e-5)


def test_the_ends_of_the_interval_stay_proportions():
    assert classification.wilson_interval(0, 0) == (0.0, 1.0)
    assert classification.wilson_interval(5, 5)[1] == 1.0
    with pytest.raises(ValueError, match=naming(3, 2)):
        classification.wilson_interval(3, 2)


def test_the_summary_counts_every_image_once():
    result = classification.summary(LABELS, PREDICTIONS, ("a", "b", "c"))
    assert (result["correct"], result["total"]) == (4, 6)
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert np.sum(result["confusion"]) == 6
    nothing = classification.summary(np.array([], int), np.array([], int), ("a", "b"))
    assert nothing["accuracy"] is None and nothing["total"] == 0


def test_unknown_classes_and_missing_predictions_are_refused():
    with pytest.raises(ValueError, match=naming(0, 1)):
        classification.confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match=naming(6, 5)):
        classification.confusion_matrix(LABELS, PREDICTIONS[:-1], 3)


def test_distances_within_and_between_classes_by_hand():
    """0, 2 of one class, 6 of another: 2 within; 6 and 4, of mean square 26, between."""
    found = classification.class_distances(np.array([[0.0], [2], [6]]), np.array([0, 0, 1]))
    assert found == pytest.approx((2.0, np.sqrt(26)))
    assert np.isnan(classification.class_distances(np.zeros((2, 3)), np.array([0, 1]))[0])


def test_brier_score_and_log_loss_by_hand_and_against_scikit_learn():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]])
    # (0.3^2 + 0.2^2 + 0.1^2), (0.25^2 + 0.5^2 + 0.75^2)
    assert classification.brier(probabilities, np.array([0, 2])) == pytest.approx([0.14, 0.875])
    assert classification.log_loss(probabilities, np.array([0, 2])) == pytest.approx(
        [-np.log(0.7), np.log(4)]
    )
    draw = np.random.default_rng(0)
    many, labels = draw.dirichlet(np.ones(7), 200), draw.integers(0, 7, 200)
    assert classification.log_loss(many, labels).mean() == pytest.approx(
        sklearn.metrics.log_loss(labels, many, labels=range(7))
    )
    # Seven binary scores, each the mean over the images.
    binary = [sklearn.metrics.brier_score_loss(labels == k, many[:, k]) for k in range(7)]
    assert classification.brier(many, labels).mean() == pytest.approx(sum(binary))
    # Stored as 0: the loss is limited.
    assert classification.log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(14.50866)
