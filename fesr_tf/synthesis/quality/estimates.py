"""What every figure is reported with: how many, of how many people, and its interval.

Pictures of one person are not independent, so whole people are drawn again, never pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fesr_tf.metrics.classification import wilson_interval

Statistic = Callable[..., float]

ROUNDS = 1000
LEVELS = (2.5, 97.5)
"""Per cent; the ends of a 95 % interval."""


def figure(
    value: float | None,
    n: int,
    unit: str,
    protocol: str,
    interval: Sequence[float] | None = None,
    **more: object,
) -> dict:
    """One figure ready for JSON: `value` (None where there is nothing to measure), `n` of `unit`,
    `interval` [low, high] of 95 % or None, the key of `protocols.PROTOCOLS`, and `more`."""
    missing = value is None or not np.isfinite(value)
    ends = None if missing or interval is None else [float(end) for end in interval]
    return {
        "value": None if missing else float(value),
        "n": int(n),
        "unit": unit,
        "interval": ends,
        "protocol": protocol,
        **more,
    }


def cluster_interval(
    statistic: Statistic, groups: np.ndarray, seed: int, rounds: int = ROUNDS
) -> list[float] | None:
    """The percentile bootstrap's 95 % interval of `statistic(rows)`.

    `groups` (N,) names the person of each row; people are drawn with replacement, each with all
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
    values = np.array(values)[np.isfinite(values)]
    return np.percentile(values, LEVELS).tolist() if len(values) else None


def share_interval(right: np.ndarray, groups: np.ndarray, seed: int) -> list[float] | None:
    """`cluster_interval` of the share of bool (N,) that is true.

    Where all or none is, the bootstrap has no width; then Wilson's interval for as many answers as
    there are people.
    """
    people = len(np.unique(groups))
    if not len(right):
        return None
    if right.all() or not right.any():
        return list(wilson_interval(people * int(right[0]), people))
    return cluster_interval(lambda rows: right[rows].mean(), groups, seed)


def half_sample_interval(
    statistic: Statistic, samples: Sequence[np.ndarray], seed: int, rounds: int = 200
) -> list[float] | None:
    """A 95 % interval of `statistic(rows of sample 1, rows of sample 2, …)`, from half-samples.

    For statistics over pairs within a sample, where a bootstrap would pair rows with themselves.
    `samples` are arrays of groups. A half drawn without replacement errs about the whole as the
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
    deviations = np.array(deviations)[np.isfinite(deviations)]
    if not np.isfinite(whole) or not len(deviations):
        return None
    return (whole + np.percentile(deviations, LEVELS)).tolist()
