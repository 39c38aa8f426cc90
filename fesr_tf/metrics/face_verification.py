"""How well a face network tells people apart, whatever their expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import mannwhitneyu

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
    wins = mannwhitneyu(cosine[same], cosine[~same], method="asymptotic").statistic
    return Verification(
        auc=float(wins / (same.sum() * (~same).sum())),
        pairs_same=int(same.sum()),
        pairs_different=int((~same).sum()),
        rms=float(np.sqrt(np.mean(embeddings**2))),
        l1_same=float(distance[same].mean()),
        l1_different=float(distance[~same].mean()),
    )
