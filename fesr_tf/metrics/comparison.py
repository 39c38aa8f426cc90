"""Statistics of a cross-validation: pure functions on numpy arrays.

`right` of an image is 1 or 0, with several seeds the share of seeds that classify it correctly, so
that the number of images stays that of the database. The tests and intervals are those of
`fesr_tf.metrics.inference`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fesr_tf.metrics import classification
from fesr_tf.metrics.classification import wilson_interval
from fesr_tf.metrics.inference import (
    CONFIDENCE,
    bootstrap_difference,
    combined_p,
    crossed_bootstrap,
    mcnemar,
    mean_and_sd,
    over_blocks,
)
from pipelines.common.subjects import counted

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
