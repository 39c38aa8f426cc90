"""Statistics of a cross-validation: pure functions on numpy arrays.

`right` of an image is 1 or 0, with several seeds the share of seeds that classify it correctly, so
that the number of images stays that of the database. Images of one person, folds that share
training subjects, and seeds on the same images are not independent; each function states how it
handles this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fesr_tf.metrics.classification import wilson_interval
from pipelines.common.subjects import counted

CONFIDENCE = 0.95
RESAMPLES = 10_000
# Up to 2**20 sign patterns are enumerated; of more, so many are sampled.
MOST_PATTERNS = 2**20


@dataclass(frozen=True)
class Answers:
    """The predictions of one variant's recognisers: entry i of every field is one prediction.

    (fold, key) identifies an image: TFD's folds test some images more than once.
    """

    seeds: np.ndarray  # int (N,)
    folds: np.ndarray  # int (N,)
    keys: np.ndarray  # str (N,)
    subjects: np.ndarray  # str (N,), `pipelines.common.subjects.unit`
    labels: np.ndarray  # int (N,)
    predictions: np.ndarray  # int (N,)
    yaws: np.ndarray  # float (N,), degrees

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def right(self) -> np.ndarray:
        """float (N,): 1 where the prediction is right, else 0."""
        return (self.labels == self.predictions).astype(np.float64)

    @property
    def units(self) -> set[tuple[int, int]]:
        """The (seed, fold) of the predictions: one trained network each."""
        return set(zip(self.seeds.tolist(), self.folds.tolist(), strict=True))

    def of(self, chosen: np.ndarray) -> Answers:
        """The predictions that `chosen`, a mask or indices, selects."""
        return Answers(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def within(self, units: set[tuple[int, int]]) -> Answers:
        """The predictions of these (seed, fold)."""
        pairs = zip(self.seeds.tolist(), self.folds.tolist(), strict=True)
        return self.of(np.array([pair in units for pair in pairs], bool))


@dataclass(frozen=True)
class ImageResults:
    """`Answers` with one entry per image, by fold and key; `right` is its mean over seeds."""

    right: np.ndarray  # float (P,) in [0, 1]
    folds: np.ndarray
    keys: np.ndarray
    subjects: np.ndarray
    labels: np.ndarray
    yaws: np.ndarray


def by_image(answers: Answers) -> ImageResults:
    """The mean over the seeds of each image."""
    rows = answers.of(np.lexsort((answers.keys, answers.folds)))
    new = np.ones(len(rows), bool)
    new[1:] = (rows.keys[1:] != rows.keys[:-1]) | (rows.folds[1:] != rows.folds[:-1])
    number = np.cumsum(new) - 1
    right = np.bincount(number, rows.right) / np.bincount(number) if len(rows) else rows.right
    first = rows.of(new)
    return ImageResults(right, first.folds, first.keys, first.subjects, first.labels, first.yaws)


def by_fold(right: np.ndarray, folds: np.ndarray) -> dict[int, float]:
    """The accuracy of each fold that has images, by ascending number."""
    return {int(fold): float(right[folds == fold].mean()) for fold in np.unique(folds)}


def mean_and_sd(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation (n - 1); None for too few values.

    Over folds the deviation measures how much folds differ, not the error of the mean: folds share
    most of their training subjects (Bengio and Grandvalet, JMLR 2004: no unbiased estimate of the
    variance of a cross-validated mean exists).
    """
    array = np.asarray(values, np.float64)
    mean = float(array.mean()) if array.size else None
    return mean, float(array.std(ddof=1)) if array.size > 1 else None


def proportion(right: np.ndarray) -> dict:
    """Pooled accuracy: `right` (a sum), `pictures` (number of images), `accuracy` (None without
    any) and `interval` (Wilson 1927, 95 %), which assumes independent images and so is too narrow
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
    """`proportion` for each value in `groups`, (P,), ascending."""
    return {value.item(): proportion(right[groups == value]) for value in np.unique(groups)}


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


def sign_flip(differences: Sequence[float], seed: int = 0) -> tuple[float | None, float | None]:
    """Fisher's exact paired permutation test (The Design of Experiments, 1935) over folds.

    differences: of the two variants' accuracies, one per fold. Returns the two-sided p of their
    mean under all sign patterns, and the smallest attainable p, 2/2^n (5 folds: 0.0625); None for
    fewer than two folds. Preferred to the paired t test, whose normality five or ten values cannot
    confirm, and to Wilcoxon's, which discards equal folds and keeps only ranks. Beyond 20 folds
    patterns are sampled, seeded. It does not account for folds that share training subjects, which
    no test of one cross-validation can.
    """
    values = np.asarray(differences, np.float64)
    if values.size < 2:
        return None, None
    if not values.any():
        return 1.0, 2.0 / 2**values.size
    test = stats.permutation_test(
        (values,),
        lambda sample, axis: sample.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=MOST_PATTERNS,
        batch=4096,
        random_state=np.random.default_rng(seed),
    )
    return float(test.pvalue), 2.0 / 2**values.size


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


def paired(first: Answers, second: Answers, seed: int = 0) -> dict:
    """Compares two variants on the images of the (seed, fold) that both have.

    Positive differences are in favour of `second`. Returns, ready for JSON:

    folds, seeds, runs: the fold numbers, the seeds and the number of (seed, fold)
    pictures, people, unknown_subjects: the numbers of images, of people, and of images without one
    difference, interval: of pooled accuracies; `bootstrap_difference` over people, where each
        image of an unknown subject counts as a person (or None)
    fold_differences, mean_difference, p_folds, p_folds_lowest: `sign_flip`
    mcnemar: for each seed only_first, only_second and p; p_pictures: the largest p, which tests
        that every seed shows the difference (Berger, Technometrics 1982: no correction needed)

    Without a common (seed, fold) everything but the counts is None. Raises ValueError where the
    two have different images for a (seed, fold).
    """
    common = first.units & second.units
    sides = [_sorted(answers.within(common)) for answers in (first, second)]
    for name in ("seeds", "folds", "keys", "labels"):
        if not np.array_equal(getattr(sides[0], name), getattr(sides[1], name)):
            raise ValueError(f"the two have predictions for different images: their {name} differ")
    left, right = map(by_image, sides)
    difference = right.right - left.right
    folds = by_fold(difference, left.folds)
    p_folds, lowest = sign_flip(list(folds.values()), seed)
    tests = []
    for number in sorted({unit[0] for unit in common}):
        rows = sides[0].seeds == number
        only_first, only_second, p = mcnemar(*(side.right[rows] == 1 for side in sides))
        tests.append({"only_first": only_first, "only_second": only_second, "p": p, "seed": number})
    some = len(difference) > 0
    people, unknown = counted(left.subjects.tolist())
    interval = bootstrap_difference(difference, left.subjects, seed=seed) if some else None
    return {
        "folds": sorted(folds),
        "seeds": [test["seed"] for test in tests],
        "runs": len(common),
        "pictures": len(difference),
        "people": people,
        "unknown_subjects": unknown,
        "difference": float(difference.mean()) if some else None,
        "interval": list(interval) if interval else None,
        "fold_differences": list(folds.values()),
        "mean_difference": mean_and_sd(list(folds.values()))[0],
        "p_folds": p_folds,
        "p_folds_lowest": lowest,
        "mcnemar": tests,
        "p_pictures": max((test["p"] for test in tests), default=None),
    }


def over(pair: Mapping) -> str:
    """What the interval of a comparison, an entry of `paired`, resamples: "people", or "images,
    as subjects are unknown"."""
    unknown = pair.get("unknown_subjects", 0)
    if unknown and pair["people"]:
        return f"people and {unknown:,} images of unknown subjects"
    return "images, as subjects are unknown" if unknown else "people"


def _sorted(answers: Answers) -> Answers:
    return answers.of(np.lexsort((answers.keys, answers.folds, answers.seeds)))
