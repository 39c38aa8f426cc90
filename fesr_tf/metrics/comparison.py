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

from fesr_tf.metrics import classification
from fesr_tf.metrics.classification import wilson_interval
from pipelines.common.subjects import counted

CONFIDENCE = 0.95
RESAMPLES = 10_000
_BATCH = 500
# Up to 2**20 sign patterns are enumerated; of more, so many are sampled.
MOST_PATTERNS = 2**20
SCORES = ("brier", "log_loss")


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
    probabilities: np.ndarray | None = None  # float (N,K) of the classes, where they are known

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def right(self) -> np.ndarray:
        """float (N,): 1 where the prediction is right, else 0."""
        return (self.labels == self.predictions).astype(np.float64)

    def score(self, name: str) -> np.ndarray | None:
        """float (N,): "right", or the "brier" score or "log_loss" of `classification`, None where
        the probabilities are unknown."""
        if name == "right":
            return self.right
        if self.probabilities is None:
            return None
        return getattr(classification, name)(self.probabilities, self.labels)

    @property
    def units(self) -> set[tuple[int, int]]:
        """The (seed, fold) of the predictions: one trained network each."""
        return set(zip(self.seeds.tolist(), self.folds.tolist(), strict=True))

    def of(self, chosen: np.ndarray) -> Answers:
        """The predictions that `chosen`, a mask or indices, selects."""
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return Answers(*(None if value is None else value[chosen] for value in values))

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


def paired(first: Answers, second: Answers, seed: int = 0) -> dict:
    """Compares two variants on the images of the (seed, fold) that both have.

    Positive differences are in favour of `second`. Returns, ready for JSON:

    folds, seeds, runs: the fold numbers, the seeds and the number of (seed, fold)
    pictures, people, unknown_subjects: the numbers of images, of people, and of images without one
    difference, interval: of pooled accuracies; `bootstrap_difference` over people, with several
        seeds `crossed_bootstrap` over runs (a seed with all of its folds) and people, where each
        image of an unknown subject counts as a person (or None)
    brier, log_loss: {difference, interval} of these scores, lower ones being better; None where
        the probabilities are unknown
    fold_differences, mean_difference: the spread of the folds
    by_seed: `over_blocks` of the seeds' differences. The seed is a block where each has a training
        set of its own; on one training set it covers the randomness of training alone
    mcnemar: for each seed only_first, only_second and p; p_pictures: `combined_p` over the seeds

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
    tests = []
    for number in sorted({unit[0] for unit in common}):
        rows = sides[0].seeds == number
        only_first, only_second, p = mcnemar(*(side.right[rows] == 1 for side in sides))
        tests.append({"only_first": only_first, "only_second": only_second, "p": p, "seed": number})
    some = len(difference) > 0
    people, unknown = counted(left.subjects.tolist())
    change = sides[1].right - sides[0].right
    by_seed = [float(change[sides[0].seeds == test["seed"]].mean()) for test in tests]
    return {
        "folds": sorted(folds),
        "seeds": [test["seed"] for test in tests],
        "runs": len(common),
        "pictures": len(difference),
        "people": people,
        "unknown_subjects": unknown,
        "difference": float(difference.mean()) if some else None,
        "interval": _interval(sides, "right", seed) if some else None,
        **{name: _score_difference(sides, name, seed) for name in SCORES},
        "fold_differences": list(folds.values()),
        "mean_difference": mean_and_sd(list(folds.values()))[0],
        "by_seed": over_blocks(by_seed),
        "mcnemar": tests,
        "p_pictures": combined_p([(t["only_first"], t["only_second"]) for t in tests]),
    }


def _score_difference(sides: Sequence[Answers], name: str, seed: int) -> dict | None:
    values = [side.score(name) for side in sides]
    if any(value is None or not len(value) for value in values):
        return None
    change = float((values[1] - values[0]).mean())
    return {"difference": change, "interval": _interval(sides, name, seed)}


def _interval(sides: Sequence[Answers], name: str, seed: int) -> list[float] | None:
    """Of the difference of a score, over people and, where there are several, runs."""
    change = sides[1].score(name) - sides[0].score(name)
    rows = sides[0]
    if len(np.unique(rows.seeds)) > 1:
        interval = crossed_bootstrap(change, rows.seeds, rows.subjects, seed=seed)
    else:
        interval = bootstrap_difference(change, rows.subjects, seed=seed)
    return list(interval) if interval else None


def over(pair: Mapping) -> str:
    """What the interval of a comparison, an entry of `paired`, resamples: "people", "runs and
    people", or "images, as subjects are unknown"."""
    unknown = pair.get("unknown_subjects", 0)
    runs = "runs and " if len(pair.get("seeds", ())) > 1 else ""
    if unknown and pair["people"]:
        return f"{runs}people and {unknown:,} images of unknown subjects"
    return f"{runs}images, as subjects are unknown" if unknown else f"{runs}people"


def _sorted(answers: Answers) -> Answers:
    return answers.of(np.lexsort((answers.keys, answers.folds, answers.seeds)))
