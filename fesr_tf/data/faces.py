"""The training, validation and test faces of a fold, read from shards into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf

from fesr_tf.config import Config
from fesr_tf.data.images import decode_image, to_float, to_size
from fesr_tf.data.origin import Origin
from pipelines.common import roles
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.subjects import shown, unit
from pipelines.dataset import examples
from pipelines.dataset.manifest import Manifest
from pipelines.dataset.manifest import load as load_manifest
from pipelines.dataset.manifest import verify as verify_manifest

ALL = "all"
"""The fold without held-out subjects."""
FoldNumber = Literal["all"] | int
_TESTED = "tested"


@dataclass(frozen=True)
class Faces:
    """One part of a fold, in memory: row i of every field is one image."""

    images: np.ndarray  # uint8 (N, S, S, c)
    labels: np.ndarray  # int32 (N,)
    subjects: np.ndarray  # str (N,), `pipelines.common.subjects.unit`: unknown ones differ
    keys: np.ndarray  # str (N,)
    intensity: np.ndarray  # float32 (N,), 0 neutral to 1 peak
    yaw: np.ndarray | None = None  # float32 (N,), degrees; None where it is not needed
    # float32 (N,K), the shares of people's votes for the K classes, of sum 1, or 0 without a vote
    # for any of them; None where the data have none
    votes: np.ndarray | None = None

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
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return Faces(*(None if value is None else value[rows] for value in values))

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


def load_fold(folder: str | Path, fold: FoldNumber, config: Config) -> Fold:
    """Loads one fold of a preprocessed database, at the config's size and channels.

    Counts and digests of all shards are verified first, because a TFRecord file that was truncated
    at a record boundary is read without an error.

    Args:
        folder: The output of `pipelines.preprocess`.
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
    folder = Path(folder)
    manifest = load_manifest(folder)
    if fold != ALL and not 0 <= fold < manifest.folds:
        raise BadUse(f"{folder} has folds 0 to {manifest.folds - 1}, not {fold}")
    verify_manifest(folder, manifest)
    faces, splits = _read(folder, manifest, fold, config)
    parts = Fold(
        train=faces.of(splits == roles.TRAIN),
        valid=faces.of(splits == roles.VALID),
        test=faces.of(splits == roles.TEST),
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


def load_tested(folder: str | Path, config: Config) -> Faces:
    """Every image of a preprocessed folder that some fold tests, at the config's size and channels.

    Raises as `load_fold`.
    """
    folder = Path(folder)
    manifest = load_manifest(folder)
    verify_manifest(folder, manifest)
    return _read(folder, manifest, _TESTED, config)[0]


def role(splits: np.ndarray, fold: FoldNumber | Literal["tested"]) -> int:
    """The split code in `fold` of a record with the roles `splits`, int (K,), one per fold."""
    if fold == _TESTED:
        return roles.TEST if roles.TEST in splits else roles.UNUSED
    if fold != ALL:
        return int(splits[fold])
    trains = roles.TRAIN in splits or roles.UNUSED not in splits
    return roles.TRAIN if trains else roles.UNUSED


def _read(
    folder: Path, manifest: Manifest, fold: FoldNumber | Literal["tested"], config: Config
) -> tuple[Faces, np.ndarray]:
    """All images that fold `fold` uses, in key order, and their split codes."""
    features = examples.features(manifest.folds, manifest.num_votes)

    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        row = tf.io.parse_single_example(record, features)
        image = decode_image(row["image"], config.channels)
        return row | {"image": to_size(image, config.image_size, config.channels)}

    paths = [str(folder / shard.path) for shard in manifest.shards]
    records = tf.data.TFRecordDataset(paths).map(parse, tf.data.AUTOTUNE)
    rows = [row for row in records.as_numpy_iterator() if role(row["splits"], fold) > 0]
    rows.sort(key=lambda row: row["key"])
    shape = (0, config.image_size, config.image_size, config.channels)
    keys = [row["key"].decode() for row in rows]
    units = [unit(row["subject"].decode(), key) for row, key in zip(rows, keys, strict=True)]
    faces = Faces(
        images=np.stack([row["image"] for row in rows]) if rows else np.zeros(shape, np.uint8),
        labels=np.array([row["label"] for row in rows], np.int32),
        subjects=np.array(units, dtype=np.str_),
        keys=np.array(keys, dtype=np.str_),
        intensity=np.array([row["intensity"] for row in rows], np.float32),
        yaw=np.array([row["yaw"] for row in rows], np.float32),
        votes=_shares(rows, manifest.num_votes) if manifest.num_votes else None,
    )
    return faces, np.array([role(row["splits"], fold) for row in rows], np.int64)


def _shares(rows: list[dict[str, np.ndarray]], classes: int) -> np.ndarray:
    """The votes of every row, float32 (N,K), divided by their sum."""
    votes = np.array([row["votes"] for row in rows], np.float32).reshape(-1, classes)
    return votes / np.maximum(votes.sum(1, keepdims=True), 1)


def _refuse_shared_subjects(parts: Fold, folder: Path, fold: FoldNumber) -> None:
    names = ("train", "valid", "test")
    for first, second in (names[:2], names[1:], names[::2]):
        shared = set(getattr(parts, first).subjects) & set(getattr(parts, second).subjects)
        if shared:
            raise FailedWork(
                f"subject {min(shared)} is in both {first} and {second} of fold {fold} of "
                f"{folder}; preprocess the database again"
            )
