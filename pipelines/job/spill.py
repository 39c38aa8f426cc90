"""Spills finished records to part files beside the shards, and gathers each shard from them.

A shuffle would carry every image through the runner's memory. Here it carries places in part
files, one part a bundle.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import BinaryIO, NamedTuple

from pipelines.common.files import Location, make_folder, writing
from pipelines.dataset import examples
from pipelines.dataset.manifest import Shard

FOLDER = "parts"
# What the workers wrote and rejected.
RESULT = "job.json"
# Enough for the parts of one shard on most runners, far below a system's limit.
_OPEN_PARTS = 64


class Ref(NamedTuple):
    """Where a record lies: its key, the part's name, first byte, number of bytes; the scale at
    which its face was found; its fingerprint. A plain tuple, which Beam's coders know."""

    key: str
    part: str
    start: int
    size: int
    scale: str
    fingerprint: bytes


class Part:
    """A part file being written. Its name is unique: a retried bundle leaves the part of the
    first attempt unused."""

    def __init__(self, folder: Location) -> None:
        self.name = uuid.uuid4().hex
        self._end = 0
        make_folder(folder / FOLDER)
        self._file = (folder / FOLDER / self.name).open("wb")

    def append(self, key: str, record: bytes, scale: str, fingerprint: bytes) -> Ref:
        """Adds one framed record."""
        self._file.write(record)
        start, self._end = self._end, self._end + len(record)
        return Ref(key, self.name, start, len(record), scale, fingerprint)

    def close(self) -> None:
        """Has to be called before the part is read: a store shows a file only then."""
        self._file.close()


def gather(folder: Location, path: str, refs: Iterable[Ref]) -> Shard:
    """Writes the shard `path` atomically, sorted by key. Holds one record at a time."""
    digest = hashlib.sha256()
    count = size = 0
    with writing(folder / path) as shard, contextlib.ExitStack() as stack:
        parts: dict[str, BinaryIO] = {}
        for ref in sorted(refs):
            if ref.part not in parts:
                if len(parts) == _OPEN_PARTS:
                    stack.close()
                    parts.clear()
                parts[ref.part] = stack.enter_context((folder / FOLDER / ref.part).open("rb"))
            parts[ref.part].seek(ref.start)
            record = parts[ref.part].read(ref.size)
            shard.write(record)
            digest.update(record)
            count, size = count + 1, size + len(record)
    return Shard(path, count, size, digest.hexdigest())


def rewrite(folder: Location, shard: Shard, splits: Mapping[str, tuple[int, ...]]) -> Shard:
    """The shard with the roles of `splits`, written again if a record of it has others."""
    digest, changed = hashlib.sha256(), False
    path = folder / shard.path
    with contextlib.suppress(_Unchanged), writing(path) as file:
        for payload in examples.read_records(path):
            record = examples.decode(payload)
            changed |= record.splits != splits[record.key]
            again = dataclasses.replace(record, splits=splits[record.key])
            framed = examples.framed(examples.encode(again))
            file.write(framed)
            digest.update(framed)
        if not changed:
            raise _Unchanged
    return dataclasses.replace(shard, sha256=digest.hexdigest())


class _Unchanged(Exception):
    """Ends the writing of a shard that stays as it is."""
