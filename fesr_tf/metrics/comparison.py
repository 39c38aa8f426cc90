"""Statistics of a cross-validation: pure functions on numpy arrays.

A picture's `right` is 1 or 0, or with several seeds the share of them that got it right, so that
the number of pictures stays that of the database however often it was trained. Three things are
no independent answers, and each function says what it does about it: pictures of one person, folds
that share training people, and seeds on the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fesr_tf.metrics.classification import wilson_interval

CONFIDENCE = 0.95
RESAMPLES = 10_000
# 2**20 sign patterns are gone through one by one; of more folds so many are drawn.
MOST_PATTERNS = 2**20


@dataclass(frozen=True)
class Answers:
    """What one variant's recognisers said of test pictures: entry i of every field is one answer.

    A picture is told by (fold, key): TFD's folds test some pictures more than once.
    """

    seeds: np.ndarray  # int (N,)
    folds: np.ndarray  # int (N,)
    keys: np.ndarray  # str (N,)
    subjects: np.ndarray  # str (N,)
    labels: np.ndarray  # int (N,)
    predictions: np.ndarray  # int (N,)
    yaws: np.ndarray  # float (N,), degrees

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def right(self) -> np.ndarray:
        """float (N,): 1 where the answer is right, else 0."""
        return (self.labels == self.predictions).astype(np.float64)

    @property
    def units(self) -> set[tuple[int, int]]:
        """The (seed, fold) that there are answers of: one trained network each."""
        return set(zip(self.seeds.tolist(), self.folds.tolist(), strict=True))

    def of(self, chosen: np.ndarray) -> Answers:
        """The answers that `chosen`, a mask or indices, selects."""
        return Answers(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def within(self, units: set[tuple[int, int]]) -> Answers:
        """The answers of these (seed, fold)."""
        pairs = zip(self.seeds.tolist(), self.folds.tolist(), strict=True)
        return self.of(np.array([pair in units for pair in pairs], bool))


@dataclass(frozen=True)
class Pictures:
    """`Answers` with one entry a picture, by fold and key; `right` is its mean over seeds."""

    right: np.ndarray  # float (P,) in [0, 1]
    folds: np.ndarray
    keys: np.ndarray
    subjects: np.ndarray
    labels: np.ndarray
    yaws: np.ndarray


def pictures(answers: Answers) -> Pictures:
    """The mean over the seeds that there are of each picture."""
    order = np.lexsort((answers.keys, answers.folds))
    each = answers.of(order)
    new = np.ones(len(each), bool)
    new[1:] = (each.keys[1:] != each.keys[:-1]) | (each.folds[1:] != each.folds[:-1])
    number = np.cumsum(new) - 1
    right = np.bincount(number, each.right) / np.bincount(number) if len(each) else each.right
    first = each.of(new)
    return Pictures(right, first.folds, first.keys, first.subjects, first.labels, first.yaws)


def by_fold(right: np.ndarray, folds: np.ndarray) -> dict[int, float]:
    """The accuracy of each fold that has pictures, in order of their numbers."""
    return {int(fold): float(right[folds == fold].mean()) for fold in np.unique(folds)}


def mean_and_sd(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation (n - 1); None where there are too few values.

    Over folds the deviation tells how much folds differ, not how sure the mean is: folds share
    most of their training people (Bengio and Grandvalet, JMLR 2004: no unbiased estimate of the
    variance of a cross-validated mean exists).
    """
    array = np.asarray(values, np.float64)
    mean = float(array.mean()) if array.size else None
    return mean, float(array.std(ddof=1)) if array.size > 1 else None


def proportion(right: np.ndarray) -> dict:
    """Pooled accuracy of pictures: `right` (a sum), `pictures`, `accuracy` (None without any) and
    `interval` (Wilson 1927, 95 %), which takes pictures for independent and so is too narrow
    where people have several."""
    total, summed = int(right.size), float(right.sum())
    summed = min(summed, float(total))  # a sum of thirds may round upwards
    return {
        "right": round(summed, 6),
        "pictures": total,
        "accuracy": summed / total if total else None,
        "interval": list(wilson_interval(summed, total, CONFIDENCE)),
    }


def by_group(right: np.ndarray, groups: np.ndarray) -> dict:
    """`proportion` of each value that `groups`, (P,), takes, in their order."""
    return {value.item(): proportion(right[groups == value]) for value in np.unique(groups)}


def mcnemar(first: np.ndarray, second: np.ndarray) -> tuple[int, int, float]:
    """McNemar's exact test (Psychometrika 1947) of two recognisers on the same pictures.

    bool (P,) twice: who was right. Returns how many only the first got right, how many only the
    second, and the two-sided binomial p that these are halves of a fair split; 1 without any.
    It takes pictures for independent; those of one person are not, and p is then too small.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise ValueError(f"answers to the same pictures: {first.shape} and {second.shape}")
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    odd = only_first + only_second
    p = float(stats.binomtest(only_first, odd, 0.5).pvalue) if odd else 1.0
    return only_first, only_second, p


def sign_flip(differences: Sequence[float], seed: int = 0) -> tuple[float | None, float | None]:
    """Fisher's exact paired permutation test (The Design of Experiments, 1935) over folds.

    differences: of the two variants' accuracies, one a fold. Returns the two-sided p of their
    mean under every pattern of signs, and the smallest p that so many folds can give, 2/2^n (5
    folds: 0.0625); None for fewer than two folds. Chosen over the paired t test, whose normal
    distribution five or ten values cannot show, and over Wilcoxon's, which throws equal folds
    away and keeps ranks alone. Beyond 20 folds patterns are drawn, seeded. It says nothing about
    folds sharing training people, which no test of one cross-validation can repair.
    """
    values = np.asarray(differences, np.float64)
    if values.size < 2:
        return None, None
    if not values.any():
        return 1.0, 2.0 / 2**values.size
    found = stats.permutation_test(
        (values,),
        lambda sample, axis: sample.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=MOST_PATTERNS,
        batch=4096,
        random_state=np.random.default_rng(seed),
    )
    return float(found.pvalue), 2.0 / 2**values.size


def bootstrap_difference(
    difference: np.ndarray, subjects: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile interval, 95 %, of a difference of pooled accuracies, over people.

    difference (P,): per picture, the second's `right` less the first's; subjects (P,). People are
    drawn with replacement and each brings all of their pictures (the cluster bootstrap: Field and
    Welsh, JRSS B 2007; percentiles: Efron and Tibshirani 1993, chapter 13), so pictures of one
    person need not be independent. It holds the trained networks fixed. None for one person.
    """
    _, person = np.unique(subjects, return_inverse=True)
    sums, counts = np.bincount(person, difference), np.bincount(person).astype(np.float64)
    if counts.size < 2:
        return None
    if np.ptp(sums) == 0 and np.ptp(counts) == 0:  # every draw is the same: scipy gives NaN
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


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (Scandinavian Journal of Statistics 1979) of one family.

    The i-th smallest of m becomes the largest so far of (m - i + 1) p, at most 1. None stays None
    and is no member of the family.
    """
    known = [index for index, value in enumerate(values) if value is not None]
    known.sort(key=lambda index: values[index])
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, index in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted


def paired(first: Answers, second: Answers, seed: int = 0) -> dict:
    """Two variants on the pictures that both were asked, of the (seed, fold) that both have.

    Positive differences are in favour of `second`. Returns, ready for JSON:

    folds, seeds, runs: the fold numbers, the seeds and how many (seed, fold) took part
    pictures, people: how many of each
    difference, interval: of pooled accuracies; `bootstrap_difference` over people (or None)
    fold_differences, mean_difference, p_folds, p_folds_lowest: `sign_flip`
    mcnemar: for each seed only_first, only_second and p; p_pictures: the largest of these, which
        tests that every seed shows it (Berger, Technometrics 1982: no correction needed)

    Everything but the counts is None where the two have nothing in common. Raises ValueError
    where the same (seed, fold) was asked other pictures.
    """
    common = first.units & second.units
    sides = [_sorted(each.within(common)) for each in (first, second)]
    for name in ("seeds", "folds", "keys", "labels"):
        if not np.array_equal(getattr(sides[0], name), getattr(sides[1], name)):
            raise ValueError(f"the two were not asked the same pictures: their {name} differ")
    left, right = map(pictures, sides)
    difference = right.right - left.right
    folds = by_fold(difference, left.folds)
    p_folds, lowest = sign_flip(list(folds.values()), seed)
    tests = []
    for number in sorted({unit[0] for unit in common}):
        here = sides[0].seeds == number
        only = mcnemar(*(each.right[here] == 1 for each in sides))
        tests.append(dict(zip(("only_first", "only_second", "p"), only, strict=True)))
        tests[-1]["seed"] = number
    some = len(difference) > 0
    interval = bootstrap_difference(difference, left.subjects, seed=seed) if some else None
    return {
        "folds": sorted(folds),
        "seeds": [test["seed"] for test in tests],
        "runs": len(common),
        "pictures": len(difference),
        "people": len(np.unique(left.subjects)),
        "difference": float(difference.mean()) if some else None,
        "interval": list(interval) if interval else None,
        "fold_differences": list(folds.values()),
        "mean_difference": mean_and_sd(list(folds.values()))[0],
        "p_folds": p_folds,
        "p_folds_lowest": lowest,
        "mcnemar": tests,
        "p_pictures": max((test["p"] for test in tests), default=None),
    }


def _sorted(answers: Answers) -> Answers:
    return answers.of(np.lexsort((answers.keys, answers.folds, answers.seeds)))
