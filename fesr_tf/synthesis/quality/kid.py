"""KID: the squared maximum mean discrepancy of two sets of features (Binkowski et al., 2018).

Their kernel and their unbiased estimator, within a sample over pairs of different people, on a face
network's embeddings. Inception's weights are in no package registry: these values cannot be
compared with published KIDs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesr_tf.synthesis.quality.estimates import estimate, half_sample_interval, percentiles


def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """k(x, y) = (x.y / d + 1)^3: float (M,d), (N,d) -> (M,N)."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def mmd2_of_kernels(
    xx: np.ndarray, yy: np.ndarray, xy: np.ndarray, apart: tuple[np.ndarray, np.ndarray]
) -> float:
    """The unbiased estimate from kernel matrices (M,M), (N,N), (M,N): 0 on average for equal
    distributions, and so often below 0.

    `apart`, bool (M,M) and (N,N), marks the pairs within a sample that are independent: no image
    with itself, and no two of one person, whose likeness would pass for a difference between the
    samples. nan where a sample has no such pair.
    """
    if not apart[0].any() or not apart[1].any():
        return float("nan")
    return float(xx[apart[0]].mean() + yy[apart[1]].mean() - 2 * xy.mean())


def mmd2(first: Sample, second: Sample) -> float:
    """The unbiased estimate of MMD² between two samples."""
    return mmd2_of_kernels(*_matrices(first, second))


@dataclass(frozen=True)
class Sample:
    """Features float (N,d) and the group (person, or new identity) of each, (N,)."""

    features: np.ndarray
    groups: np.ndarray

    def scaled(self, scale: float) -> Sample:
        return Sample(np.asarray(self.features, np.float64) / scale, self.groups)

    def of(self, rows: np.ndarray) -> Sample:
        return Sample(self.features[rows], self.groups[rows])


def kid(first: Sample, second: Sample, seed: int) -> dict:
    """The estimate of two samples, with an interval by half-samples of groups."""
    xx, yy, xy, (one, two) = _matrices(first, second)

    def on(rows: np.ndarray, columns: np.ndarray) -> float:
        within, beside = np.ix_(rows, rows), np.ix_(columns, columns)
        apart = one[within], two[beside]
        return mmd2_of_kernels(xx[within], yy[beside], xy[np.ix_(rows, columns)], apart)

    return estimate(
        mmd2_of_kernels(xx, yy, xy, (one, two)),
        len(first.features) + len(second.features),
        "images",
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
        values.append(mmd2(sample.of(half), sample.of(~half)))
    values = [value for value in values if np.isfinite(value)]
    return estimate(
        np.mean(values) if values else None,
        len(sample.features),
        "images",
        "kid_floor",
        percentiles(values),
        people=len(names),
        divisions=len(values),
    )


def kids(new: Sample, train: Sample, test: Sample, seed: int) -> dict:
    """New identities against real people, real people against real people, and the floor.

    Features are first divided by the root mean square of the real training people's, so that a
    network's own scale does not choose the kernel's width.
    """
    scale = float(np.sqrt(np.mean(np.square(train.features, dtype=np.float64))))
    new, train, test = (sample.scaled(scale) for sample in (new, train, test))
    return {
        "scale": scale,
        "new_train": kid(new, train, seed),
        "new_test": kid(new, test, seed),
        "train_test": kid(train, test, seed),
        "halves_of_train": floor(train, seed),
    }


def _matrices(first: Sample, second: Sample) -> tuple:
    """The arguments of `mmd2_of_kernels`."""
    return (
        kernel(first.features, first.features),
        kernel(second.features, second.features),
        kernel(first.features, second.features),
        tuple(sample.groups[:, None] != sample.groups for sample in (first, second)),
    )
