"""The labelled faces that a face network's trunk learns from: FER2013 with the votes of FER+."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.databases.fer2013 import CLASSES, VOTED, read_table, read_votes, row_key

TRAINING = "Training"
COLUMNS = (*CLASSES, *(name for name in VOTED if name not in CLASSES))
"""What `LabelledFaces.votes` counts: the seven classes first."""


@dataclass(frozen=True)
class LabelledFaces:
    """Faces in memory; row i of every field is one image.

    images: uint8 (N,48,48,1); labels: float (N,7), the share of each class in the challenge's
    labels of this image; votes: float (N,10), the share of each of `COLUMNS` in the FER+ votes;
    keys: str (N,), of the image's rows in the table, with blanks between them.
    """

    images: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    keys: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, rows: np.ndarray) -> LabelledFaces:
        """The images of these rows."""
        return LabelledFaces(
            self.images[rows], self.labels[rows], self.votes[rows], self.keys[rows]
        )

    @property
    def majority(self) -> np.ndarray:
        """The class with most votes, int64 (N,); -1 where it is none of the seven, or a tie."""
        most = self.votes == self.votes.max(1, keepdims=True)
        first = most.argmax(1)
        return np.where((most.sum(1) == 1) & (first < len(CLASSES)), first, -1)

    @property
    def digest(self) -> str:
        """SHA-256 of pixels, labels and votes."""
        parts = (np.ascontiguousarray(each) for each in (self.images, self.labels, self.votes))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    def merged(self) -> LabelledFaces:
        """Each image once, in the order of its pixels: copies share the mean of their targets, in
        float32."""
        pixels = self.images.reshape(len(self), -1)
        unique, group = np.unique(pixels, axis=0, return_inverse=True)
        group = group.reshape(-1)  # NumPy 2.0 gives it another shape
        targets = np.concatenate([self.labels, self.votes], 1)
        sums = np.zeros((len(unique), targets.shape[1]))
        np.add.at(sums, group, targets)
        means = (sums / np.bincount(group)[:, None]).astype(np.float32)
        images = unique.reshape(-1, *self.images.shape[1:])
        keys: list[list[str]] = [[] for _ in unique]
        for key, index in zip(self.keys.tolist(), group.tolist(), strict=True):
            keys[index].append(key)
        joined = np.array([" ".join(each) for each in keys], dtype=np.str_)
        return LabelledFaces(images, means[:, : len(CLASSES)], means[:, len(CLASSES) :], joined)

    def divided(self, held_out: int, seed: int) -> tuple[LabelledFaces, LabelledFaces]:
        """The training images, and `held_out` others, chosen by `seed`."""
        if held_out >= len(self):
            raise BadUse(
                f"--held-out {held_out} leaves none of the {len(self)} images to train on; lower it"
            )
        order = np.random.default_rng(seed).permutation(len(self))
        return self.rows(order[held_out:]), self.rows(order[:held_out])


def read_faces(table: Path, ballots: Path) -> dict[str, LabelledFaces]:
    """Every image of FER2013's table by its part, in the table's order, with the votes of FER+'s.

    Raises `BadUse` where the tables do not belong together or the part Training is empty.
    """
    faces, counted = read_table(table), read_votes(ballots)
    rows = len(counted.votes)
    if rows != faces.count or (counted.usages[faces.rows] != faces.usages).any():
        raise BadUse(
            f"{ballots} ({rows} rows) and {table} ({faces.count} rows) are not of one edition; "
            "take both as published"
        )
    votes = counted.votes[faces.rows][:, [counted.columns.index(name) for name in COLUMNS]]
    every = LabelledFaces(
        faces.images[..., np.newaxis],
        np.eye(len(CLASSES))[faces.emotions],
        votes / np.maximum(votes.sum(1, keepdims=True), 1),
        np.array([row_key(row) for row in faces.rows], dtype=np.str_),
    )
    parts = {str(part): every.rows(faces.usages == part) for part in np.unique(faces.usages)}
    if TRAINING not in parts:
        raise BadUse(f"{table} has no image of the part {TRAINING}")
    return parts


def training_faces(parts: dict[str, LabelledFaces]) -> tuple[LabelledFaces, dict[str, int]]:
    """The images of Training, each once and none that occurs in another part, and counts of them.

    counts: `training` images in the table; `elsewhere`, those of them that are also in another
    part; `copies`, those merged with an equal image.
    """
    others = {
        image.tobytes()
        for name, faces in parts.items()
        if name != TRAINING
        for image in faces.images
    }
    every = parts[TRAINING]
    alone = every.rows(np.array([image.tobytes() not in others for image in every.images]))
    merged = alone.merged()
    counts = {
        "training": len(every),
        "elsewhere": len(every) - len(alone),
        "copies": len(alone) - len(merged),
    }
    return merged, counts
