"""Estimates ready for JSON: a value, its sample size, its 95 % interval and its protocol.

Images of one person are not independent, so the intervals resample people, never images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fesr_tf.metrics.classification import wilson_interval

Statistic = Callable[..., float]

ROUNDS = 1000
LEVELS = (2.5, 97.5)
"""Per cent; the ends of a 95 % interval."""

PROTOCOLS = {
    "psnr": "uint8 images as stored in PNG, the whole aligned face at the run's size, gray or RGB "
    "as the run has them; 10 log10(255² / mean squared error over pixels and channels) of each "
    "pair, then the mean over pairs (scikit-image)",
    "ssim": "the same pairs; Gaussian window 11 x 11, sigma 1.5, data range 255, mean over pixels "
    "and channels (Wang et al. 2004, scikit-image)",
    "verification_rate": "accuracy at the cosine threshold of highest accuracy on real pairs of "
    "the fold's training people; 2K pairs of a real and a generated image for each test image",
    "verification_auc": "area under the ROC curve of cosine similarity, the same pairs",
    "verification_eer": "error rate where false acceptance equals false rejection, the same pairs",
    "expression_accuracy": "share of images in which a BASELINE recognizer predicts the requested "
    "expression, intensity 1",
    "memorisation": "share of images nearer to a training image than 95 % of training images "
    "(real, or reconstructed by the generator) are to the nearest image of another person, cosine "
    "distance",
    "diversity": "mean cosine distance of two images of different people",
    "intra_class_variance": "variance of embeddings of length 1 within a class, mean over classes",
    "kid": "unbiased MMD², within a sample over pairs of different people, with the kernel "
    "(x.y/d + 1)³ on the face network's embeddings over the root mean square of the training "
    "people's; a small sample, not comparable with published KIDs",
    "kid_floor": "the same between two halves of the training people: mean and 95 % of divisions",
}
"""Protocol key -> sentence; written into every synthesis.json."""


def estimate(
    value: float | None,
    n: int,
    unit: str,
    protocol: str,
    interval: Sequence[float] | None = None,
    **more: object,
) -> dict:
    """One estimate ready for JSON: `value` (None where there is nothing to measure), `n` of `unit`,
    `interval` [low, high] of 95 % or None, the key of `PROTOCOLS`, and `more`."""
    missing = value is None or not np.isfinite(value)
    return {
        "value": None if missing else float(value),
        "n": int(n),
        "unit": unit,
        "interval": None if missing or interval is None else [float(end) for end in interval],
        "protocol": protocol,
        **more,
    }


def share(
    hits: np.ndarray, groups: np.ndarray, unit: str, protocol: str, seed: int, **more: object
) -> dict:
    """The share of bool (N,) that is true, as an estimate with `people` and `more`.

    `groups` (N,) names the person of each. Where every person has one, or all or none is true (the
    bootstrap then has no width), the interval is Wilson's for as many trials as there are people;
    otherwise `cluster_interval`.
    """
    people = len(np.unique(groups))
    interval = None
    if len(hits):
        if people == len(hits) or hits.all() or not hits.any():
            interval = wilson_interval(round(people * hits.mean()), people)
        else:
            interval = cluster_interval(lambda rows: hits[rows].mean(), groups, seed)
    value = hits.mean() if len(hits) else None
    return estimate(value, len(hits), unit, protocol, interval, people=people, **more)


def cluster_interval(
    statistic: Statistic, groups: np.ndarray, seed: int, rounds: int = ROUNDS
) -> list[float] | None:
    """The percentile bootstrap's 95 % interval of `statistic(rows)`.

    `groups` (N,) names the person of each row; people are resampled with replacement, each with all
    rows. Rounds whose statistic is not finite do not count. None for fewer than two people.
    """
    names, inverse = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None
    members = [np.flatnonzero(inverse == k) for k in range(len(names))]
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        chosen = random.integers(0, len(names), len(names))
        values.append(statistic(np.concatenate([members[k] for k in chosen])))
    return percentiles(values)


def half_sample_interval(
    statistic: Statistic, samples: Sequence[np.ndarray], seed: int, rounds: int = 200
) -> list[float] | None:
    """A 95 % interval of `statistic(rows of sample 1, rows of sample 2, …)`, from half-samples.

    For statistics over pairs within a sample, where a bootstrap would pair rows with themselves.
    `samples` are arrays of groups. A half sampled without replacement errs about the whole as the
    whole errs about the truth (the delete-half jackknife), so that those deviations, about the
    whole's value, are the interval. Of an odd number of groups the half is rounded by a coin.
    None where a sample has fewer than four groups.
    """
    parts = [np.unique(groups, return_inverse=True)[1] for groups in samples]
    counts = [int(part.max(initial=-1)) + 1 for part in parts]
    if min(counts) < 4:
        return None
    whole = statistic(*(np.arange(len(part)) for part in parts))
    random = np.random.default_rng(seed)
    deviations = []
    for _ in range(rounds):
        rows = []
        for part, count in zip(parts, counts, strict=True):
            half = (count + int(random.integers(2))) // 2
            rows.append(np.flatnonzero(np.isin(part, random.permutation(count)[:half])))
        deviations.append(statistic(*rows) - whole)
    ends = percentiles(deviations) if np.isfinite(whole) else None
    return None if ends is None else [float(whole + end) for end in ends]


def percentiles(values: Sequence[float]) -> list[float] | None:
    """The ends `LEVELS` of the finite values; None where there is none."""
    finite = np.array(values)[np.isfinite(values)]
    return np.percentile(finite, LEVELS).tolist() if len(finite) else None
