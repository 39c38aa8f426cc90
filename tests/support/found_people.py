"""Class counts and results with chosen values, for tests of the sentences on them."""

from __future__ import annotations

import numpy as np

from fesr_tf.data.counts import ClassCounts
from pipelines.common.roles import TEST, TRAIN


def known(*homes: int, folds: int = 2) -> ClassCounts:
    """A person for each of `homes`, the fold that tests them, with a picture in each class."""
    return ClassCounts(
        classes=("a", "b"),
        labels=np.array([0, 1] * len(homes)),
        subjects=np.repeat([f"p{index}" for index in range(len(homes))], 2),
        splits=np.repeat(
            [[TEST if home == f else TRAIN for f in range(folds)] for home in homes], 2, axis=0
        ),
    )


def summary(variant: str, right: int, interval: tuple[float, float]) -> dict:
    pooled = {"right": right, "pictures": 8, "accuracy": right / 8, "interval": list(interval)}
    return {"variant": variant, "people": 4, "pooled": pooled, "per_class": {"a": pooled}}
