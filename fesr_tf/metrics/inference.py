"""Tests and intervals: pure functions on numpy arrays.

Images of one person, folds that share training subjects, and seeds on the same images are not
independent; each function states how it handles this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

CONFIDENCE = 0.95
RESAMPLES = 10_000
_BATCH = 500
# Up to 2**20 sign patterns are enumerated; of more, so many are sampled.
MOST_PATTERNS = 2**20


def mean_and_sd(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation (n - 1); None for too few values.

    Over folds the deviation measures how much folds differ, not the error of the mean: folds share
    most of their training subjects (Bengio and Grandvalet, JMLR 2004: no unbiased estimate of the
    variance of a cross-validated mean exists).
    """
    array = np.asarray(values, np.float64)
    mean = float(array.mean()) if array.size else None
    return mean, float(array.std(ddof=1)) if array.size > 1 else None


def mcnemar(first: np.ndarray, second: np.ndarray) -> tuple[int, int, float]:
    """McNemar's exact test (Psychometrika 1947) of two recognisers on the same images.

    bool (P,) twice: which images each classified correctly. Returns how many only the first did,
    how many only the second, and the two-sided binomial p of an even split; 1 without any. It
    assumes independent images; for several images of one person p is too small.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise ValueError(f"predictions for different images: {first.shape} and {second.shape}")
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    odd = only_first + only_second
    p = float(stats.binomtest(only_first, odd, 0.5).pvalue) if odd else 1.0
    return only_first, only_second, p


def combined_p(counts: Sequence[tuple[int, int]]) -> float | None:
    """One p over the seeds' McNemar tests. counts: (only_first, only_second) for each seed.

    Fisher's combination of the one-sided exact p-values, once for each direction, and twice the
    smaller (the concordant test of Owen, Annals of Statistics 2009): seeds that agree support each
    other, seeds that contradict each other do not. For one seed it is `mcnemar`'s p. It takes the
    seeds for independent trainings; None for no seed.
    """
    if not counts:
        return None
    combined = []
    for side in (0, 1):
        ps = [
            stats.binomtest(pair[side], sum(pair), 0.5, alternative="greater").pvalue
            if sum(pair)
            else 1.0
            for pair in counts
        ]
        combined.append(stats.combine_pvalues(ps, "fisher").pvalue)
    return float(min(1.0, 2 * min(combined)))


def sign_flip(differences: Sequence[float], seed: int = 0) -> float | None:
    """Fisher's exact paired permutation test (The Design of Experiments, 1935): the two-sided p of
    the differences' mean under all sign patterns, None for fewer than two.

    n differences give at least 2/2^n. It assumes no normal distribution, which so few values
    cannot confirm, but independent differences. Beyond 20 patterns are sampled, seeded.
    """
    values = np.asarray(differences, np.float64)
    if values.size < 2:
        return None
    if not values.any():
        return 1.0
    test = stats.permutation_test(
        (values,),
        lambda sample, axis: sample.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=MOST_PATTERNS,
        batch=4096,
        random_state=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def over_blocks(differences: Sequence[float], confidence: float = CONFIDENCE) -> dict:
    """Inference with the block as its unit: a training set with its own seed, whose networks of
    both variants give one difference.

    Blocks that share neither training people nor seed are independent, so this needs no assumption
    about images, people or seeds within them. Returns `differences`, `mean`, `sd` (n - 1),
    `interval` (Student's t, n - 1 degrees of freedom; None for one block or for equal differences,
    whose spread says nothing) and `p` (`sign_flip`).
    """
    mean, sd = mean_and_sd(differences)
    interval = None
    if sd:
        interval = [*map(float, stats.ttest_1samp(differences, 0).confidence_interval(confidence))]
    p = sign_flip(differences)
    return {"differences": list(differences), "mean": mean, "sd": sd, "interval": interval, "p": p}


def bootstrap_difference(
    difference: np.ndarray, subjects: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile interval, 95 %, of a difference of pooled accuracies, over people.

    difference (P,): per image, the second's `right` less the first's; subjects (P,). People are
    sampled with replacement, with all of their images (the cluster bootstrap: Field and Welsh,
    JRSS B 2007; percentiles: Efron and Tibshirani 1993, chapter 13), so images of one person need
    not be independent. The trained networks are held fixed. None for one person.
    """
    _, person = np.unique(subjects, return_inverse=True)
    sums, counts = np.bincount(person, difference), np.bincount(person).astype(np.float64)
    if counts.size < 2:
        return None
    if np.ptp(sums) == 0 and np.ptp(counts) == 0:  # all resamples are equal: scipy gives NaN
        mean = float(sums.sum() / counts.sum())
        return mean, mean
    interval = stats.bootstrap(
        (sums, counts),
        lambda summed, counted, axis: summed.sum(axis) / counted.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=1000,
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def crossed_bootstrap(
    difference: np.ndarray,
    runs: np.ndarray,
    subjects: np.ndarray,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile interval, 95 %, of a mean difference, over runs and people at once.

    difference (N,): of each prediction; runs (N,): the pair of trainings that it is of; subjects
    (N,): its person. Runs and people are sampled with replacement independently of each other, and
    a prediction counts as often as its run times its person (the pigeonhole bootstrap: Owen,
    Annals of Applied Statistics 2007). It covers other trainings on other people, and is slightly
    too wide for many runs; two or three runs are too few to show how much runs differ, and give an
    interval that is too narrow. None for one run or one person.
    """
    _, run = np.unique(runs, return_inverse=True)
    _, person = np.unique(subjects, return_inverse=True)
    shape = run.max() + 1, person.max() + 1
    if min(shape) < 2:
        return None
    cell = np.ravel_multi_index((run, person), shape)
    size = shape[0] * shape[1]
    sums = np.bincount(cell, difference, size).reshape(shape)
    counts = np.bincount(cell, minlength=size).astype(np.float64).reshape(shape)
    draw = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, _BATCH):
        many = min(_BATCH, resamples - start)
        of_runs, of_people = (draw.multinomial(n, np.full(n, 1 / n), many) for n in shape)
        summed, counted_ = (((of_runs @ cells) * of_people).sum(1) for cells in (sums, counts))
        # Runs that have no person in common, as where one of them lacks a fold.
        means.append(summed[counted_ > 0] / counted_[counted_ > 0])
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return float(low), float(high)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (Scandinavian Journal of Statistics 1979) of one family.

    The i-th smallest of m becomes the largest so far of (m - i + 1) p, at most 1. None stays None
    and does not count in the family.
    """
    known = [index for index, value in enumerate(values) if value is not None]
    known.sort(key=lambda index: values[index])
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, index in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted


def obrien_fleming(looks: Sequence[int], alpha: float = 0.05) -> list[float]:
    """The two-sided levels of tests at `looks`, whose chance of any false alarm is `alpha`.

    looks: ascending numbers of units, of equal information each; the last is the planned end.
    Each side has spent 2 - 2 Phi(z / sqrt(t / end)) by look t, z the quantile 1 - alpha / 4 (Lan
    and DeMets, Biometrika 1983: O'Brien and Fleming's kind).
    """
    share = np.asarray(looks, np.float64) / looks[-1]
    spent = 4 * stats.norm.sf(stats.norm.isf(alpha / 4) / np.sqrt(share))
    covariance = np.sqrt(np.minimum.outer(share, share) / np.maximum.outer(share, share))

    def crossed(bounds: list[float]) -> float:
        """The chance that a statistic leaves its bounds, from the first look on."""
        upper, part = np.array(bounds), covariance[: len(bounds), : len(bounds)]
        known = stats.multivariate_normal(cov=part, seed=0, abseps=1e-7, maxpts=20_000)
        return 1 - float(known.cdf(upper, lower_limit=-upper))

    bounds: list[float] = []
    for level in spent:
        earlier = bounds.copy()

        def excess(bound: float, earlier: list[float] = earlier, level: float = level) -> float:
            return crossed([*earlier, bound]) - level

        bounds.append(optimize.brentq(excess, 1.0, 9.0, xtol=1e-5))
    return [float(2 * stats.norm.sf(bound)) for bound in bounds]
