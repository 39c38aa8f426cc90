"""Counts of a preprocessed folder by class, subject and fold, without decoding an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.common import roles
from pipelines.common.errors import BadUse
from pipelines.common.subjects import counted, of_people, unit
from pipelines.dataset import inventory
from pipelines.dataset.manifest import Manifest


@dataclass(frozen=True)
class ClassCounts:
    """Class, subject and roles of every aligned face: row i of each array is one face."""

    classes: tuple[str, ...]
    labels: np.ndarray  # int (N,)
    subjects: np.ndarray  # str (N,), `pipelines.common.subjects.unit`: unknown ones differ
    splits: np.ndarray  # int (N,K): the role in each fold

    def part(self, fold: int, role: int) -> np.ndarray:
        """bool (N,): the faces that have the role in the fold."""
        return self.splits[:, fold] == role

    def units(self, chosen: np.ndarray) -> int:
        """The number of subjects among the faces `chosen`, bool (N,); each unknown one is one."""
        return len(np.unique(self.subjects[chosen]))

    def of_people(self, chosen: np.ndarray) -> str:
        """ " of 12 people" or ", subjects unknown", for the faces `chosen`, bool (N,)."""
        return of_people(*counted(self.subjects[chosen].tolist()))

    @property
    def known(self) -> bool:
        """Whether the subject of every face is known."""
        return not counted(self.subjects.tolist())[1]

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that have both training and test faces."""
        both = (roles.TRAIN, roles.TEST)
        every = range(self.splits.shape[1])
        return tuple(fold for fold in every if all(self.part(fold, r).any() for r in both))

    @property
    def smallest_training_part(self) -> int:
        return min(int(self.part(fold, roles.TRAIN).sum()) for fold in self.folds)

    @property
    def tests(self) -> np.ndarray:
        """int (N,): the number of those folds that test each face."""
        return (self.splits[:, list(self.folds)] == roles.TEST).sum(1)

    @property
    def majority(self) -> tuple[str, float]:
        """The majority-class baseline: the class with most test faces, and its accuracy, 0 to 1."""
        counts = np.bincount(self.labels, self.tests, len(self.classes))
        return self.classes[counts.argmax()], float(counts.max() / counts.sum())


def count_classes(folder: Path, manifest: Manifest) -> ClassCounts:
    """Reads the records of a preprocessed folder.

    Raises `BadUse` where nothing can be trained and tested: for one subject, for one class, and
    where no fold has both a training and a test part.
    """
    columns, _ = inventory.take(folder, manifest.shards, manifest.folds)
    rows = list(columns.rows())
    counts = ClassCounts(
        classes=manifest.classes,
        labels=np.array([label for _, label, _, _ in rows], np.int64),
        subjects=np.array([unit(subject, key) for key, _, subject, _ in rows], dtype=np.str_),
        splits=np.array([splits for _, _, _, splits in rows], np.int64),
    )
    if len(np.unique(counts.subjects)) < 2:
        raise BadUse(
            f"{folder} shows one person ({counts.subjects[0]}); a test on held-out subjects needs "
            "two or more"
        )
    if len(np.unique(counts.labels)) < 2:
        raise BadUse(
            f"{folder} shows one class ({counts.classes[counts.labels[0]]}); classification needs "
            "two or more"
        )
    if not counts.folds:
        raise BadUse(
            f"no fold of {folder} has both training and test images; preprocess with another "
            "--folds, or repair the rejected images"
        )
    return counts
