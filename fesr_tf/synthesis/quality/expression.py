"""Is the expression that was asked for what a recogniser sees in the drawn face?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fesr_tf.metrics import classification
from fesr_tf.synthesis.quality.estimates import figure, share_interval


def accuracy(
    labels: np.ndarray,
    predictions: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    unit: str,
    seed: int,
) -> dict:
    """The share of predictions int (N,) that are what was asked for, int (N,).

    A figure with `confusion` (rows: asked for) and `per_class` of `metrics.summary`. `groups`
    (N,) names the person of each; where each is alone the interval is Wilson's, else the
    bootstrap's over people.
    """
    counted = classification.summary(labels, predictions, tuple(classes))
    right = np.asarray(labels) == np.asarray(predictions)
    people = len(np.unique(groups))
    alone = people == len(labels)
    interval = counted["interval"] if alone else share_interval(right, groups, seed)
    return figure(
        counted["accuracy"],
        len(labels),
        unit,
        "expression_accuracy",
        interval,
        people=people,
        confusion=counted["confusion"],
        per_class=counted["per_class"],
    )
