"""Who shows what in a preprocessed folder, and in which fold: counted, without the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.common import roles
from pipelines.common.errors import BadUse
from pipelines.dataset import inventory
from pipelines.dataset.manifest import Manifest


@dataclass(frozen=True)
class Census:
    """Who shows what: row i of every array is one aligned picture."""

    classes: tuple[str, ...]
    labels: np.ndarray  # int (N,)
    subjects: np.ndarray  # str (N,)
    splits: np.ndarray  # int (N,K): the role in each fold

    def part(self, fold: int, role: int) -> np.ndarray:
        """bool (N,): which pictures have the role in the fold."""
        return self.splits[:, fold] == role

    def people(self, chosen: np.ndarray) -> int:
        """How many people `chosen`, bool (N,), shows."""
        return len(np.unique(self.subjects[chosen]))

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that have somebody to train on and somebody to test."""
        both = (roles.TRAIN, roles.TEST)
        every = range(self.splits.shape[1])
        return tuple(fold for fold in every if all(self.part(fold, r).any() for r in both))

    @property
    def smallest_training_part(self) -> int:
        return min(int(self.part(fold, roles.TRAIN).sum()) for fold in self.folds)

    @property
    def tests(self) -> np.ndarray:
        """int (N,): how many of those folds test each picture."""
        return (self.splits[:, list(self.folds)] == roles.TEST).sum(1)

    @property
    def guess(self) -> tuple[str, float]:
        """The class with most test pictures, and the share right of who always answers it."""
        counts = np.bincount(self.labels, self.tests, len(self.classes))
        return self.classes[counts.argmax()], float(counts.max() / counts.sum())


def take(folder: Path, manifest: Manifest) -> Census:
    """Reads a preprocessed folder's records. Raises `BadUse` for one that nobody can be trained
    and tested on: of one person or one class, or without a fold that has both parts."""
    columns, _ = inventory.take(folder, manifest.shards, manifest.folds)
    rows = list(columns.rows())
    found = Census(
        classes=manifest.classes,
        labels=np.array([label for _, label, _, _ in rows], np.int64),
        subjects=np.array([subject for _, _, subject, _ in rows], dtype=np.str_),
        splits=np.array([splits for _, _, _, splits in rows], np.int64),
    )
    everybody = np.ones(len(rows), bool)
    if found.people(everybody) < 2:
        raise BadUse(
            f"{folder} shows one person ({found.subjects[0]}): to test on somebody who was not "
            "trained on takes two or more"
        )
    if len(np.unique(found.labels)) < 2:
        raise BadUse(
            f"{folder} shows one class ({found.classes[found.labels[0]]}): to tell expressions "
            "apart takes two or more"
        )
    if not found.folds:
        raise BadUse(
            f"no fold of {folder} has both pictures to train on and pictures to test: preprocess "
            "with another --folds, or mend the rejected pictures"
        )
    return found
