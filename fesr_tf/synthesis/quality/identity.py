"""Verification: does a face network recognize the person in the generated image (Table IV)?

Scores are cosine similarities; a pair is accepted as one person where the score is at least the
threshold.
"""

from __future__ import annotations

import numpy as np

from fesr_tf.metrics.face_verification import auc, best_threshold, eer
from fesr_tf.synthesis.quality import pairs
from fesr_tf.synthesis.quality.embeddings import People, cosine
from fesr_tf.synthesis.quality.estimates import cluster_interval, estimate, share


def verify(
    scores: np.ndarray, same: np.ndarray, people: np.ndarray, threshold: float, seed: int
) -> dict:
    """The estimates `rate` (accuracy at the threshold), `auc`, `eer`, and the shares of pairs of
    one person accepted and of two people refused. `people` (P,) names the person of each pair's
    real image."""
    correct = (scores >= threshold) == same
    kinds = {
        "rate": np.ones_like(same),
        "same_accepted": same,
        "different_refused": ~same,
    }
    estimates = {
        name: share(correct[kind], people[kind], "pairs", "verification_rate", seed)
        for name, kind in kinds.items()
    }
    for name, statistic in (("auc", auc), ("eer", eer)):
        estimates[name] = estimate(
            statistic(scores, same),
            len(scores),
            "pairs",
            f"verification_{name}",
            cluster_interval(lambda rows, of=statistic: of(scores[rows], same[rows]), people, seed),
            people=len(np.unique(people)),
        )
    return estimates


def measure_verification(
    train: People, test: People, translated: np.ndarray, seed: int
) -> dict | None:
    """Table IV by one network: `drawn` (the paper's pairs), `real` (the same with real images
    only), and the `threshold` with the pairs that chose it, of the real people of `train`.

    `translated` (N,K,E) are the N test images with every expression. None where no person of
    `train` shows two expressions.
    """
    chosen, chosen_same = pairs.real_pairs(train.labels, train.subjects, seed)
    if not len(chosen_same):
        return None
    scores = cosine(train.embeddings[chosen.first], train.embeddings[chosen.second])
    threshold = best_threshold(scores, chosen_same)
    generated = pairs.verification_pairs(test.subjects, translated.shape[1], seed)
    real, real_same = pairs.real_pairs(test.labels, test.subjects, seed)

    def verified(first: np.ndarray, beside: np.ndarray, same: np.ndarray) -> dict:
        scores = cosine(test.embeddings[first], beside)
        return verify(scores, same, test.subjects[first], threshold, seed)

    beside = translated[generated.source, generated.label]
    return {
        "threshold": {
            "value": threshold,
            "pairs": len(chosen_same),
            "people": len(np.unique(train.subjects)),
            "rate_on_them": float(np.mean((scores >= threshold) == chosen_same)),
        },
        "drawn": verified(generated.real, beside, generated.same),
        "real": verified(real.first, test.embeddings[real.second], real_same),
    }
