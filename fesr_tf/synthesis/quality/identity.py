"""Verification: does a drawn face still show its person to a face network (Table IV)?

Scores are cosine similarities; a pair is said to be of one person where the score is at least
the threshold.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from fesr_tf.synthesis.quality.estimates import cluster_interval, figure, share_interval


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Rows of float (N,E) at length 1, float64; a row of zeros stays one."""
    rows = np.asarray(embeddings, np.float64)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine similarity row by row: float (P,E) twice -> (P,)."""
    return (unit(first) * unit(second)).sum(-1)


def roc(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False and true acceptance rates at each distinct score, highest first; before them a point
    at which nothing is accepted, of threshold inf. Raises ValueError without pairs of both kinds.
    """
    if same.all() or not same.any():
        raise ValueError("a ROC curve needs pairs of one person and pairs of two")
    order = np.argsort(-scores, kind="stable")
    values, hits = scores[order], same[order]
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    true, false = np.cumsum(hits)[last], np.cumsum(~hits)[last]
    return (
        np.append(0.0, false / (~same).sum()),
        np.append(0.0, true / same.sum()),
        np.append(np.inf, values[last]),
    )


def auc(scores: np.ndarray, same: np.ndarray) -> float:
    """The share of (one person, two people) pairs of scores in the right order; a tie is half.
    nan where one kind is absent."""
    positive, negative = int(same.sum()), int((~same).sum())
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(scores)[same].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def eer(scores: np.ndarray, same: np.ndarray) -> float:
    """Where false acceptance equals false rejection, on the straight lines between the points of
    `roc`; nan where one kind is absent."""
    if same.all() or not same.any():
        return float("nan")
    false, true, _ = roc(scores, same)
    # The first point at or past the diagonal; the difference only grows along the curve.
    gap = false - (1 - true)
    k = int(np.argmax(gap >= 0))
    share = -gap[k - 1] / (gap[k] - gap[k - 1])
    return float(false[k - 1] + share * (false[k] - false[k - 1]))


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold of highest mean of the rates of right answers on pairs of one person and on
    pairs of two (the accuracy, where there are as many of each).

    Halfway between the lowest score accepted and the highest refused; of equally good ones the
    highest. Raises ValueError without pairs of both kinds.
    """
    false, true, values = roc(scores, same)
    k = int(np.argmax((true - false)[1:])) + 1
    below = values[k + 1] if k + 1 < len(values) else values[k]
    return float((values[k] + below) / 2)


def rate(scores: np.ndarray, same: np.ndarray, threshold: float) -> float:
    """The share of pairs that the threshold answers rightly; nan where there is none."""
    return float(np.mean((scores >= threshold) == same)) if len(scores) else float("nan")


def verify(
    scores: np.ndarray, same: np.ndarray, people: np.ndarray, threshold: float, seed: int
) -> dict:
    """The figures `rate`, `auc` and `eer`, and the shares of pairs of one person accepted and of
    two people refused. `people` (P,) names the person of each pair's real picture."""

    right, persons = (scores >= threshold) == same, len(np.unique(people))

    def interval(statistic) -> list[float] | None:
        return cluster_interval(lambda rows: statistic(scores[rows], same[rows]), people, seed)

    def share(kind: np.ndarray) -> dict:
        return figure(
            rate(scores[kind], same[kind], threshold),
            int(kind.sum()),
            "pairs",
            "verification_rate",
            share_interval(right[kind], people[kind], seed),
            people=persons,
        )

    found = {
        "rate": share(np.ones_like(same)),
        "same_accepted": share(same),
        "different_refused": share(~same),
    }
    for name, statistic in (("auc", auc), ("eer", eer)):
        found[name] = figure(
            statistic(scores, same),
            len(scores),
            "pairs",
            f"verification_{name}",
            interval(statistic),
            people=persons,
        )
    return found
