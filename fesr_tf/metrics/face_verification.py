"""How well a face network tells people apart, whatever their expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.metrics import auc as area
from sklearn.metrics import roc_curve

from pipelines.common.errors import FailedWork


@dataclass(frozen=True)
class Verification:
    """How well embeddings tell people apart, on pairs with different expressions.

    `auc` is that of cosine similarity; `rms` the embeddings' root mean square; `l1_same` and
    `l1_different` the mean over pairs of the mean absolute difference, as L_id (12) has it.
    """

    auc: float
    pairs_same: int
    pairs_different: int
    rms: float
    l1_same: float
    l1_different: float


def verification(
    embeddings: np.ndarray, subjects: np.ndarray, expressions: np.ndarray
) -> Verification:
    """Compares every two images whose expressions differ; see `Verification`.

    `embeddings` is float (N, E), `subjects` and `expressions` (N,) name the person and the
    class of each. Raises `FailedWork` where there is no pair of one person, or of two.
    """
    first, second = np.triu_indices(len(embeddings), 1)
    kept = expressions[first] != expressions[second]
    same = (subjects[first] == subjects[second])[kept]
    cosine = 1 - pdist(embeddings, "cosine")[kept]
    distance = pdist(embeddings, "cityblock")[kept] / embeddings.shape[1]
    if not same.any() or same.all():
        raise FailedWork(
            "verification needs two people at least, and one of them with two expressions"
        )
    return Verification(
        auc=auc(cosine, same),
        pairs_same=int(same.sum()),
        pairs_different=int((~same).sum()),
        rms=float(np.sqrt(np.mean(embeddings**2))),
        l1_same=float(distance[same].mean()),
        l1_different=float(distance[~same].mean()),
    )


def rank_one(embeddings: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """The share of images whose most similar image with another expression shows the same person.

    Arrays as for `verification`; images whose person has no other expression do not count, nan
    where none does.
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    other = expressions[:, None] != expressions[None]
    same = (subjects[:, None] == subjects[None]) & other
    nearest = np.where(other, unit @ unit.T, -np.inf).argmax(1)
    counted = same.any(1)
    hits = same[np.arange(len(unit)), nearest][counted]
    return float(hits.mean()) if counted.any() else float("nan")


def auc(scores: np.ndarray, same: np.ndarray) -> float:
    """Area under the ROC curve of scores float (P,) of pairs, bool (P,) of one person; equal
    scores count half. nan without pairs of both kinds, or where a score is nan."""
    if same.all() or not same.any() or np.isnan(scores).any():
        return float("nan")
    return float(area(*roc_curve(same, scores, drop_intermediate=False)[:2]))


def eer(scores: np.ndarray, same: np.ndarray) -> float:
    """Equal error rate: where false acceptance equals false rejection, on the straight lines
    between the points of the ROC curve. nan without pairs of both kinds."""
    if same.all() or not same.any():
        return float("nan")
    false, true, _ = roc_curve(same, scores, drop_intermediate=False)
    # The first point at or past the diagonal; the difference only grows along the curve.
    gap = false - (1 - true)
    k = int(np.argmax(gap >= 0))
    share = -gap[k - 1] / (gap[k] - gap[k - 1])
    return float(false[k - 1] + share * (false[k] - false[k - 1]))


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold of highest balanced accuracy: the mean of the shares of pairs of one person
    accepted and of pairs of two people refused.

    Halfway between the lowest score accepted and the highest refused; of equally good thresholds
    the highest. Raises ValueError without pairs of both kinds.
    """
    if same.all() or not same.any():
        raise ValueError("a threshold needs pairs of one person and pairs of two")
    false, true, values = roc_curve(same, scores, drop_intermediate=False)
    k = int(np.argmax((true - false)[1:])) + 1
    return float(values[k : k + 2].mean())
