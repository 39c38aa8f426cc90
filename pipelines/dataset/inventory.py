"""Reads finished shards back: what is on disk, without the pictures, for every later check."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from pipelines.common.errors import FailedWork
from pipelines.common.files import Location
from pipelines.dataset import examples
from pipelines.dataset.folds import count_roles
from pipelines.dataset.manifest import Shard
from pipelines.media import images

# The header of a PNG tells its colour type at this byte: 0 gray, 2 RGB.
_PNG_COLOUR_TYPE = 25
_DIGEST_BYTES = 16
# A chip of one colour takes about a hundred bytes as a PNG, one of a face some ten thousand:
# only what is smaller than this is decoded to find out.
_PERHAPS_CONSTANT = 1024


class Columns:
    """Every record but its picture, column by column: about 150 bytes a record.

    keys: list of str. Numbers come as numpy arrays with one row a record: label, frame,
    image_bytes, channels int64 (N,); intensity, yaw float32 (N,); eyes float32 (N,4); splits
    int64 (N,K). subject and class_name are int64 (N,), indices into `subjects` and
    `class_names`. constant: keys of chips of a single colour.
    """

    def __init__(self, folds: int) -> None:
        self.folds = folds
        self.keys: list[str] = []
        self.constant: list[str] = []
        self._names: dict[str, dict] = {name: {} for name in ("subject", "class_name", "splits")}
        self._ints = {
            name: array("q") for name in ("label", "frame", "image_bytes", "channels", *self._names)
        }
        self._floats = {name: array("f") for name in ("intensity", "yaw", "eyes")}
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, record: examples.Record) -> None:
        """Adds a record of `folds` roles and four eye coordinates; keeps no reference to it."""
        self.keys.append(record.key)
        for name, known in self._names.items():
            self._ints[name].append(known.setdefault(getattr(record, name), len(known)))
        self._ints["label"].append(record.label)
        self._ints["frame"].append(record.frame)
        self._ints["image_bytes"].append(len(record.image))
        self._ints["channels"].append(channels_of(record.image))
        self._floats["intensity"].append(record.intensity)
        self._floats["yaw"].append(record.yaw)
        self._floats["eyes"].extend(record.eyes)
        self._digests += hashlib.sha256(record.image).digest()[:_DIGEST_BYTES]
        if len(record.image) < _PERHAPS_CONSTANT and _is_constant(record.image):
            self.constant.append(record.key)

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "splits":
            return self.patterns[self._array("splits", np.int64)]
        if name == "eyes":
            return self._array("eyes", np.float32).reshape(-1, 4)
        if name in self._floats:
            return self._array(name, np.float32)
        if name in self._ints:
            return self._array(name, np.int64)
        raise AttributeError(name)

    @property
    def subjects(self) -> list[str]:
        """The people, in the order in which they were met."""
        return list(self._names["subject"])

    @property
    def class_names(self) -> list[str]:
        """The classes by name, in the order in which they were met."""
        return list(self._names["class_name"])

    @property
    def patterns(self) -> np.ndarray:
        """int64 (U,K): the different rows of `splits`."""
        rows = list(self._names["splits"])
        return np.array(rows, np.int64).reshape(len(rows), self.folds)

    def digest(self, row: int) -> bytes:
        """Sixteen bytes that tell a record's picture from others."""
        return bytes(self._digests[row * _DIGEST_BYTES : (row + 1) * _DIGEST_BYTES])

    def part(self, fold: int, role: int) -> np.ndarray:
        """bool (N,): which records have the role in the fold."""
        return (self.patterns[:, fold] == role)[self._array("splits", np.int64)]

    def rows(self) -> Iterator[tuple[str, int, str, tuple[int, ...]]]:
        """(key, label, subject, splits) of every record, in their order."""
        subjects, patterns = self.subjects, list(self._names["splits"])
        columns = (self._ints[name] for name in ("label", "subject", "splits"))
        for key, label, subject, pattern in zip(self.keys, *columns, strict=True):
            yield key, label, subjects[subject], patterns[pattern]

    def roles(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The different (subject, splits) pairs."""
        subjects, patterns = self.subjects, list(self._names["splits"])
        pairs = set(zip(self._ints["subject"], self._ints["splits"], strict=True))
        for subject, pattern in sorted(pairs):
            yield subjects[subject], patterns[pattern]

    def same_pictures(self) -> list[list[int]]:
        """Rows whose pictures are equal to the byte, group by group, in the rows' order."""
        halves = np.frombuffer(bytes(self._digests), dtype=np.uint64).reshape(-1, 2)
        _, inverse, counts = np.unique(halves[:, 0], return_inverse=True, return_counts=True)
        groups: dict[bytes, list[int]] = {}
        for row in np.flatnonzero(counts[inverse.reshape(-1)] > 1).tolist():
            groups.setdefault(self.digest(row), []).append(row)
        return [rows for rows in groups.values() if len(rows) > 1]

    def counts(self, classes: Iterable[str]) -> dict[str, object]:
        """by_class, by_subject, by_channels and by_fold, as the manifest counts them."""
        by_class = self._counted("class_name", self.class_names)
        by_subject = self._counted("subject", self.subjects)
        colours = Counter(self._ints["channels"])
        patterns = Counter(self._ints["splits"])
        by_fold = count_roles(
            ((roles, patterns[i]) for i, roles in enumerate(self._names["splits"])), self.folds
        )
        return {
            "by_class": {name: by_class.pop(name, 0) for name in classes} | by_class,
            "by_subject": dict(sorted(by_subject.items())),
            "by_channels": {str(count): colours[count] for count in (1, 3)},
            "by_fold": by_fold,
        }

    def _counted(self, column: str, names: list[str]) -> dict[str, int]:
        counted = Counter(self._ints[column])
        return {name: counted[index] for index, name in enumerate(names)}

    def _array(self, name: str, kind: type) -> np.ndarray:
        return np.array(self._ints[name] if name in self._ints else self._floats[name], dtype=kind)


def channels_of(png: bytes) -> int:
    """1 or 3, from a chip's header."""
    return 1 if png[_PNG_COLOUR_TYPE : _PNG_COLOUR_TYPE + 1] == b"\0" else 3


def records_of(folder: Location, shards: Iterable[Shard]) -> Iterator[examples.Record]:
    """Every record, shard after shard, CRCs checked; memory does not grow with them."""
    for shard in shards:
        count = 0
        for payload in examples.read_records(folder / shard.path):
            count += 1
            yield examples.decode(payload)
        if count != shard.records:
            raise FailedWork(f"{folder / shard.path} holds {count} records, not {shard.records}")


def take(
    folder: Location, shards: Iterable[Shard], folds: int, keep: Collection[str] = ()
) -> tuple[Columns, dict[str, examples.Record]]:
    """The columns of a folder's shards, in their order, and the whole records of the keys
    `keep`. Reads the shards once."""
    columns, kept = Columns(folds), {}
    for record in records_of(folder, shards):
        columns.add(record)
        if record.key in keep:
            kept[record.key] = record
    return columns, kept


def _is_constant(png: bytes) -> bool:
    try:
        pixels = images.decode(png)
    except images.UnreadableImage:
        return False
    return bool((pixels == pixels[:1, :1]).all())
