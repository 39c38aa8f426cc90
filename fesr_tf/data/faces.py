"""The training, validation and test faces of a fold, read where they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf

from fesr_tf.config import Config
from fesr_tf.data.arrays import arrays
from fesr_tf.data.images import to_float
from fesr_tf.data.mapped import Rows
from fesr_tf.data.origin import Origin
from pipelines.common import roles
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import Location, location
from pipelines.common.subjects import shown, subject_of
from pipelines.dataset.manifest import load as load_manifest
from pipelines.dataset.manifest import verify as verify_manifest

ALL = "all"
"""The fold without held-out subjects."""
_PARTS = roles.TRAIN, roles.VALID, roles.TEST
FoldNumber = Literal["all"] | int


@dataclass(frozen=True)
class Faces:
    """One part of a fold: row i of every field is one image.

    images, subjects, keys and votes of `load_fold` are `fesr_tf.data.mapped.Rows` of a file.
    """

    images: np.ndarray | Rows  # uint8 (N, S, S, c)
    labels: np.ndarray  # int32 (N,)
    subjects: np.ndarray | Rows  # str (N,), `pipelines.common.subjects.unit`: unknown ones differ
    keys: np.ndarray | Rows  # str (N,)
    intensity: np.ndarray  # float32 (N,), 0 neutral to 1 peak
    yaw: np.ndarray | None = None  # float32 (N,), degrees; None where it is not needed
    # float32 (N,K), the shares of people's votes for the K classes, of sum 1, or 0 without a vote
    # for any of them; None where the data have none
    votes: np.ndarray | Rows | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> list[str]:
        """The subject of each image, or its key where the subject is unknown."""
        return [shown(subject) for subject in self.subjects.tolist()]

    def floats(self, rows: slice | np.ndarray = slice(None)) -> tf.Tensor:
        """The images of `rows` as float32 in [-1, 1]."""
        return to_float(self.images[rows])

    def of(self, rows: np.ndarray) -> Faces:
        """The part that `rows` (mask or indices) selects."""

        def part(column: np.ndarray | Rows | None) -> np.ndarray | Rows | None:
            if column is None:
                return None
            return column.of(rows) if isinstance(column, Rows) else column[rows]

        return Faces(*(part(getattr(self, name)) for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence[Faces]) -> Faces:
        """The faces of all `parts`, one after another; without what some part does not have."""
        columns = ([getattr(part, name) for part in parts] for name in cls.__dataclass_fields__)
        return cls(
            *(
                None if any(v is None for v in column) else np.concatenate(column)
                for column in columns
            )
        )


@dataclass(frozen=True)
class Fold:
    """The three parts of one fold. `valid` is empty where the data have none, and in the fold
    `ALL` so is `test`. folder, number, database: the preprocessed folder, its fold and database;
    origin: of the images.
    """

    train: Faces
    valid: Faces
    test: Faces
    classes: tuple[str, ...]
    digest: str
    folder: str = ""
    number: FoldNumber = 0
    database: str = ""
    origin: Origin | None = None


def fold_number(text: str) -> FoldNumber:
    """'all' or a number as a fold. Raises ValueError for anything else."""
    return ALL if text == ALL else int(text)


def load_fold(folder: str | Path | Location, fold: FoldNumber, config: Config) -> Fold:
    """Loads one fold of a preprocessed database, at the config's size and channels.

    Counts and digests of all shards are verified first, because a TFRecord file that was truncated
    at a record boundary is read without an error. The images are decoded once for all runs and
    folds, into a file beside the shards (`fesr_tf.data.arrays`), and read from there batch by
    batch: memory does not grow with their number.

    Args:
        folder: The output of `pipelines.preprocess`, on this machine or in a store.
        fold: Its number, from 0; or "all", which trains on all subjects: on every image that some
            fold trains on, and on every one that each fold tests or validates on. Images that the
            database reserves for tests are left out.
        config: Gives `image_size` and `channels`.

    Returns:
        The `Fold`: `train`, `valid` and `test` as `Faces` (images uint8 (N,S,S,c) in [0,255],
        labels int32 (N,), subjects and keys str (N,)), and the classes by name.

    Raises:
        BadUse: The folder or the fold does not exist.
        FailedWork: A shard is damaged, or a subject is on both sides of a split.

    Example:
        >>> config = fesr_tf.load_config("demo", overrides=["image_size=32"])
        >>> fold = fesr_tf.load_fold("data/demo", 0, config)
        >>> fold.train.images.dtype, fold.train.images.shape[1:]
        (dtype('uint8'), (32, 32, 1))
        >>> set(fold.train.subjects) & set(fold.test.subjects)
        set()
    """
    folder = location(folder)
    manifest = load_manifest(folder)
    if fold != ALL and not 0 <= fold < manifest.folds:
        raise BadUse(f"{folder} has folds 0 to {manifest.folds - 1}, not {fold}")
    verify_manifest(folder, manifest)
    images, records = arrays(folder, manifest, config.image_size, config.channels)
    splits = role(records["splits"], fold)
    parts = Fold(
        *(_faces(images, records, splits == part) for part in _PARTS),
        classes=tuple(manifest.classes),
        digest=manifest.digest,
        folder=str(folder),
        number=fold,
        database=manifest.database,
        origin=Origin.of(manifest),
    )
    if manifest.subject_independent:
        _refuse_shared_subjects(parts, folder, fold)
    for name in ("train",) if fold == ALL else ("train", "test"):
        if not len(getattr(parts, name)):
            raise FailedWork(f"fold {fold} of {folder} has no {name} images")
    return parts


def load_tested(folder: str | Path | Location, config: Config) -> Faces:
    """Every image of a preprocessed folder that some fold tests, at the config's size and channels.

    Raises as `load_fold`.
    """
    folder = location(folder)
    manifest = load_manifest(folder)
    verify_manifest(folder, manifest)
    images, records = arrays(folder, manifest, config.image_size, config.channels)
    return _faces(images, records, (records["splits"] == roles.TEST).any(1))


def role(splits: np.ndarray, fold: FoldNumber) -> np.ndarray:
    """The split codes (N,) in `fold` of records with the roles `splits`, int (N,K), a fold each."""
    if fold != ALL:
        return np.asarray(splits[:, fold])
    trains = (splits == roles.TRAIN).any(1) | (splits != roles.UNUSED).all(1)
    return np.where(trains, roles.TRAIN, roles.UNUSED)


def _faces(images: np.ndarray, records: np.ndarray, chosen: np.ndarray) -> Faces:
    """The images and records `chosen`, bool (N,)."""
    rows = np.flatnonzero(chosen)
    return Faces(
        images=Rows(images, rows),
        labels=np.asarray(records["label"][rows]),
        subjects=Rows(records["subject"], rows),
        keys=Rows(records["key"], rows),
        intensity=np.asarray(records["intensity"][rows]),
        yaw=np.asarray(records["yaw"][rows]),
        votes=Rows(records["votes"], rows) if "votes" in records.dtype.names else None,
    )


def _refuse_shared_subjects(parts: Fold, folder: Location, fold: FoldNumber) -> None:
    names = ("train", "valid", "test")
    people = {name: set(filter(subject_of, getattr(parts, name).subjects)) for name in names}
    for first, second in (names[:2], names[1:], names[::2]):
        if shared := people[first] & people[second]:
            raise FailedWork(
                f"subject {min(shared)} is in both {first} and {second} of fold {fold} of "
                f"{folder}; preprocess the database again"
            )
