"""KID: the squared maximum mean discrepancy of two sets of features (Binkowski et al., 2018).

Their kernel and their unbiased estimator, on a face network's embeddings: Inception's weights
are in no package registry, so these figures cannot stand beside published KIDs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesr_tf.synthesis.figures import LEVELS, figure, half_sample_interval


def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """k(x, y) = (x.y / d + 1)^3: float (M,d), (N,d) -> (M,N)."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def mmd2_of_kernels(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> float:
    """The unbiased estimate from kernel matrices (M,M), (N,N), (M,N): no row with itself, so that
    it is 0 on average for equal distributions, and below 0 as often. nan for a sample of one."""
    m, n = xy.shape
    if m < 2 or n < 2:
        return float("nan")
    within = (xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2 * xy.mean())


def mmd2(first: np.ndarray, second: np.ndarray) -> float:
    """The unbiased estimate of MMD² between float (M,d) and (N,d)."""
    return mmd2_of_kernels(kernel(first, first), kernel(second, second), kernel(first, second))


@dataclass(frozen=True)
class Sample:
    """Features float (N,d) and the group (person, or drawn identity) of each, (N,)."""

    features: np.ndarray
    groups: np.ndarray

    def scaled(self, scale: float) -> Sample:
        return Sample(np.asarray(self.features, np.float64) / scale, self.groups)


def kid(first: Sample, second: Sample, seed: int) -> dict:
    """The figure of two samples, with an interval by half-samples of groups."""
    xx, yy, xy = (
        kernel(first.features, first.features),
        kernel(second.features, second.features),
        kernel(first.features, second.features),
    )

    def on(rows: np.ndarray, columns: np.ndarray) -> float:
        return mmd2_of_kernels(
            xx[np.ix_(rows, rows)], yy[np.ix_(columns, columns)], xy[np.ix_(rows, columns)]
        )

    return figure(
        mmd2_of_kernels(xx, yy, xy),
        len(first.features) + len(second.features),
        "pictures",
        "kid",
        half_sample_interval(on, (first.groups, second.groups), seed),
        pictures=[len(first.features), len(second.features)],
        groups=[len(np.unique(first.groups)), len(np.unique(second.groups))],
    )


def floor(sample: Sample, seed: int, rounds: int = 200) -> dict:
    """KID of one half of the people against the other: its mean over `rounds` divisions, and as
    the interval where 95 % of the divisions lie. None for fewer than four people."""
    names = np.unique(sample.groups)
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds if len(names) >= 4 else 0):
        half = np.isin(sample.groups, random.permutation(names)[: len(names) // 2])
        values.append(mmd2(sample.features[half], sample.features[~half]))
    values = np.array(values)[np.isfinite(values)]
    return figure(
        values.mean() if len(values) else None,
        len(sample.features),
        "pictures",
        "kid_floor",
        np.percentile(values, LEVELS) if len(values) else None,
        people=len(names),
        divisions=len(values),
    )


def kids(new: Sample, train: Sample, test: Sample, seed: int) -> dict:
    """New identities against real people, real people against real people, and the floor.

    Features are first divided by the root mean square of the real training people's, so that a
    network's own scale does not choose the kernel's width.
    """
    scale = float(np.sqrt(np.mean(np.square(train.features, dtype=np.float64))))
    new, train, test = (each.scaled(scale) for each in (new, train, test))
    return {
        "scale": scale,
        "new_train": kid(new, train, seed),
        "new_test": kid(new, test, seed),
        "train_test": kid(train, test, seed),
        "halves_of_train": floor(train, seed),
    }
