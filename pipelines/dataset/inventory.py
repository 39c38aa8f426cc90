"""Reads finished shards back as columns without the images, for every later check."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from pipelines.common.errors import FailedWork
from pipelines.common.files import Location
from pipelines.common.roles import PARTS
from pipelines.dataset import examples, fingerprints
from pipelines.dataset.manifest import Shard
from pipelines.media import images

# The byte of a PNG's header that holds its colour type: 0 gray, 2 RGB.
_PNG_COLOUR_TYPE = 25
_DIGEST_BYTES = 16
PRINTS = "fingerprints"
# An aligned face of one colour takes about a hundred bytes as a PNG, a real one some ten
# thousand: only smaller ones are decoded to find out.
_PERHAPS_CONSTANT = 1024
_INTS = ("label", "frame", "image_bytes", "channels", "subject", "class_name", "splits")
_FLOATS = ("intensity", "yaw", "eyes", "votes")


class Columns:
    """Every record but its image, column by column: about 300 bytes a record, half of them its
    fingerprint.

    keys: list of str. Numbers come as numpy arrays with one row a record: label, frame,
    image_bytes, channels int64 (N,); intensity, yaw float32 (N,); eyes float32 (N,4); votes
    float32 (N,C), (N,0) without votes; splits int64 (N,K). subject and class_name are int64 (N,),
    indices into `subjects` and `class_names`. constant: keys of images of a single colour.
    fingerprints: those of `pipelines.dataset.fingerprints`, one after the other.
    """

    def __init__(self, folds: int) -> None:
        self.folds = folds
        self.keys: list[str] = []
        self.constant: list[str] = []
        self._names: dict[str, dict] = {name: {} for name in ("subject", "class_name", "splits")}
        kinds = {name: "q" if name == "frame" else "i" for name in _INTS}
        kinds |= dict.fromkeys(_FLOATS, "f")
        self._values = {name: array(kind) for name, kind in kinds.items()}
        self._digests = bytearray()
        self.fingerprints = bytearray()

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, record: examples.Record, fingerprint: bytes | None = None) -> None:
        """Adds a record of `folds` roles, four eye coordinates and as many votes as the others;
        keeps no reference to it.

        fingerprint: that of its image; by default the image is decoded to compute it.
        """
        self.keys.append(record.key)
        for name, known in self._names.items():
            self._values[name].append(known.setdefault(getattr(record, name), len(known)))
        for name in ("label", "frame", "intensity", "yaw"):
            self._values[name].append(getattr(record, name))
        self._values["image_bytes"].append(len(record.image))
        self._values["channels"].append(channels_of(record.image))
        self._values["eyes"].extend(record.eyes)
        self._values["votes"].extend(record.votes)
        self._digests += hashlib.sha256(record.image).digest()[:_DIGEST_BYTES]
        if len(record.image) < _PERHAPS_CONSTANT and _is_constant(record.image):
            self.constant.append(record.key)
        self.fingerprints += _fingerprint(record.image) if fingerprint is None else fingerprint

    def extend(self, other: Columns) -> None:
        """Adds the records of others, which has as many folds, after its own."""
        self.keys += other.keys
        self.constant += other.constant
        self._digests += other._digests
        self.fingerprints += other.fingerprints
        for name, values in other._values.items():
            if name in self._names:
                known = self._names[name]
                codes = [known.setdefault(value, len(known)) for value in other._names[name]]
                values = array("i", np.array(codes, np.intc)[np.array(values)].tobytes())
            self._values[name].extend(values)

    def texts(self) -> dict[str, Any]:
        """Its texts and combinations of roles, for JSON; with `arrays`, all that `of` needs."""
        names = {name: list(known) for name, known in self._names.items()}
        return {"keys": self.keys, "constant": self.constant, "names": names, "folds": self.folds}

    def arrays(self) -> dict[str, np.ndarray]:
        """Its numbers as arrays of one dimension."""
        blobs = {"digests": self._digests, PRINTS: self.fingerprints}
        return {
            **{name: np.array(values) for name, values in self._values.items()},
            **{name: np.frombuffer(bytes(blob), np.uint8) for name, blob in blobs.items()},
        }

    @classmethod
    def of(cls, texts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Columns:
        """The columns that gave `texts` and `arrays`, which may lack the fingerprints."""
        columns = cls(texts["folds"])
        columns.keys, columns.constant = list(texts["keys"]), list(texts["constant"])
        for name, values in texts["names"].items():
            values = map(tuple, values) if name == "splits" else values
            columns._names[name] = {value: index for index, value in enumerate(values)}
        for name, values in columns._values.items():
            values.frombytes(arrays[name].tobytes())
        columns._digests += arrays["digests"].tobytes()
        columns.fingerprints += arrays[PRINTS].tobytes() if PRINTS in arrays else b""
        return columns

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(name)
        values = np.array(self._values[name], np.int64 if name in _INTS else np.float32)
        if name == "splits":
            return self.patterns[values]
        if name == "votes":
            return values.reshape(len(self), len(values) // max(len(self), 1))
        return values.reshape(-1, 4) if name == "eyes" else values

    @property
    def subjects(self) -> list[str]:
        """The subjects, in the order in which they came; one of them empty if some are unknown."""
        return list(self._names["subject"])

    @property
    def people(self) -> int:
        """The number of known subjects."""
        return len(self._names["subject"].keys() - {""})

    @property
    def class_names(self) -> list[str]:
        """The classes by name, in the order in which they came."""
        return list(self._names["class_name"])

    @property
    def patterns(self) -> np.ndarray:
        """int64 (U,K): the different rows of `splits`."""
        rows = list(self._names["splits"])
        return np.array(rows, np.int64).reshape(len(rows), self.folds)

    @property
    def pattern_of_row(self) -> np.ndarray:
        """int64 (N,): the row of `patterns` that holds a record's roles."""
        return np.array(self._values["splits"], np.int64)

    def digest(self, row: int) -> bytes:
        """Sixteen bytes of the SHA-256 of a record's image."""
        return bytes(self._digests[row * _DIGEST_BYTES : (row + 1) * _DIGEST_BYTES])

    def part(self, fold: int, role: int) -> np.ndarray:
        """bool (N,): which records have the role in the fold."""
        return (self.patterns[:, fold] == role)[self.pattern_of_row]

    def rows(self) -> Iterator[tuple[str, int, str, tuple[int, ...]]]:
        """(key, label, subject, splits) of every record, in their order."""
        subjects, patterns = self.subjects, list(self._names["splits"])
        columns = (self._values[name] for name in ("label", "subject", "splits"))
        for key, label, subject, pattern in zip(self.keys, *columns, strict=True):
            yield key, label, subjects[subject], patterns[pattern]

    def roles(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The different (subject, splits) pairs."""
        subjects, patterns = self.subjects, list(self._names["splits"])
        pairs = set(zip(self._values["subject"], self._values["splits"], strict=True))
        for subject, pattern in sorted(pairs):
            yield subjects[subject], patterns[pattern]

    @property
    def image_numbers(self) -> np.ndarray:
        """int64 (N,): equal for images that are equal to the byte."""
        halves = np.frombuffer(bytes(self._digests), np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        new = np.zeros(len(order), np.int64)
        new[1:] = (np.diff(halves[order], axis=0) != 0).any(axis=1)
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.cumsum(new)
        return numbers

    def same_images(self) -> list[list[int]]:
        """Rows whose images are equal to the byte, group by group, in the rows' order."""
        groups: dict[bytes, list[int]] = {}
        halves = np.frombuffer(bytes(self._digests), dtype=np.uint64).reshape(-1, 2)
        _, inverse, counts = np.unique(halves[:, 0], return_inverse=True, return_counts=True)
        for row in np.flatnonzero(counts[inverse.reshape(-1)] > 1).tolist():
            groups.setdefault(self.digest(row), []).append(row)
        return [rows for rows in groups.values() if len(rows) > 1]

    def counts(self, classes: Iterable[str]) -> dict[str, object]:
        """by_class, by_subject, by_channels and by_fold, as the manifest counts them."""
        by_class, by_subject = self._counted("class_name"), self._counted("subject")
        by_subject.pop("", None)
        channels = Counter(self._values["channels"])
        return {
            "by_class": {name: by_class.pop(name, 0) for name in classes} | by_class,
            "by_subject": dict(sorted(by_subject.items())),
            "by_channels": {str(count): channels[count] for count in (1, 3)},
            "by_fold": [
                {part: int(self.part(fold, role).sum()) for part, role in PARTS.items()}
                for fold in range(self.folds)
            ],
        }

    def _counted(self, column: str) -> dict[str, int]:
        counted = Counter(self._values[column])
        return {name: counted[index] for index, name in enumerate(self._names[column])}


def channels_of(png: bytes) -> int:
    """1 or 3, from the header of an aligned face's PNG."""
    return 1 if png[_PNG_COLOUR_TYPE : _PNG_COLOUR_TYPE + 1] == b"\0" else 3


def take(
    folder: Location,
    shards: Iterable[Shard],
    folds: int,
    keep: Collection[str] = (),
    known: Mapping[str, bytes] | None = None,
) -> tuple[Columns, dict[str, examples.Record]]:
    """The columns of a folder's shards, in their order, and the whole records of the keys `keep`.

    known: the fingerprints of each shard's records by its path; those of other shards are
    computed. Reads the shards once and checks every CRC; memory does not grow with the images.
    Raises `FailedWork` where a shard holds another number of records than `shards` lists.
    """
    columns, kept = Columns(folds), {}
    for shard in shards:
        before = len(columns)
        computed = (known or {}).get(shard.path, b"")
        prints = (
            computed[start : start + fingerprints.BYTES] or None
            for start in itertools.count(0, fingerprints.BYTES)
        )
        for payload in examples.read_records(folder / shard.path):
            record = examples.decode(payload)
            columns.add(record, next(prints))
            if record.key in keep:
                kept[record.key] = record
        if (count := len(columns) - before) != shard.records:
            raise FailedWork(f"{folder / shard.path} holds {count} records, not {shard.records}")
    return columns, kept


def _fingerprint(png: bytes) -> bytes:
    try:
        return fingerprints.fingerprint(images.decode(png))
    except images.UnreadableImage:
        return bytes(fingerprints.BYTES)


def _is_constant(png: bytes) -> bool:
    try:
        pixels = images.decode(png)
    except images.UnreadableImage:
        return False
    return bool((pixels == pixels[:1, :1]).all())
