"""Spills finished records to part files beside the shards, and gathers each shard from them.

A shuffle would carry every image through the runner's memory. Here it carries places in part files.
A part is written with an index of what is in it, the index last: parts that have one are whole, and
a job that was killed takes them up when it is started again.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.common.files import Location, write_whole, writing
from pipelines.common.listing import Listing
from pipelines.dataset import examples
from pipelines.dataset.manifest import Shard

FOLDER = "parts"
# What the workers wrote and rejected.
RESULT = "job.json"
# A kill loses what a worker has not closed yet: at most this many images.
IMAGES_A_PART = 64
_INDEX = ".json"
# A part has about a megabyte.
_PARTS_IN_MEMORY = 64
_READERS = 8

Outcome = tuple[str, tuple[float, Any]]
"""What became of an image: its shard, and the worker's seconds with a `Ref` as a tuple or a reject
as a dict."""


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
    """A part file and its index. Its name is unique: a retried bundle leaves the part of the first
    attempt unused."""

    def __init__(self, folder: Location) -> None:
        self.name = uuid.uuid4().hex
        self._folder = folder / FOLDER
        self._records = bytearray()
        self._outcomes: list[Outcome] = []

    @property
    def full(self) -> bool:
        """Whether it holds as many images as a part may."""
        return len(self._outcomes) >= IMAGES_A_PART

    def append(self, key: str, record: bytes, scale: str, fingerprint: bytes) -> Ref:
        """Adds one framed record."""
        start = len(self._records)
        self._records += record
        return Ref(key, self.name, start, len(record), scale, fingerprint)

    def add(self, outcome: Outcome) -> None:
        """Adds what became of an image to the index."""
        self._outcomes.append(outcome)

    def close(self) -> None:
        """Writes both files. Has to be called before the part is read."""
        if isinstance(self._folder, Path):
            # Not its parents: a worker of a cancelled job must not restore the folder.
            self._folder.mkdir(exist_ok=True)
        write_whole(self._folder / self.name, bytes(self._records))
        data = {"sha256": hashlib.sha256(self._records).hexdigest(), "outcomes": self._outcomes}
        write_whole(self._folder / f"{self.name}{_INDEX}", json.dumps(data, default=_text))


def whole_parts(folder: Location) -> dict[str, list[str]]:
    """The keys of each part in `folder` that is whole, which its digest shows. Of parts that hold
    the same image, as those of retried bundles do, it returns the first."""
    try:
        entries = Listing(folder / FOLDER).entries(folder / FOLDER)
    except FileNotFoundError:
        return {}
    names = [path.name.removesuffix(_INDEX) for path in entries if path.name.endswith(_INDEX)]
    parts, seen = {}, set()
    with ThreadPoolExecutor(_READERS) as threads:
        keys = threads.map(functools.partial(_keys, folder), names)
        for name, found in zip(names, keys, strict=True):
            if found is not None and seen.isdisjoint(found):
                seen.update(found)
                parts[name] = found
    return parts


def outcomes(folder: Location, part: str) -> Iterator[Outcome]:
    """What became of the images of a part, as the worker that wrote it returned it."""
    data = json.loads((folder / FOLDER / f"{part}{_INDEX}").read_bytes())
    for shard, (seconds, outcome) in data["outcomes"]:
        if isinstance(outcome, list):
            outcome = (*outcome[:-1], base64.b85decode(outcome[-1]))
        yield shard, (seconds, outcome)


def _keys(folder: Location, part: str) -> list[str] | None:
    """The keys of a part; None if it is not whole."""
    try:
        digest = hashlib.sha256((folder / FOLDER / part).read_bytes()).hexdigest()
        data = json.loads((folder / FOLDER / f"{part}{_INDEX}").read_bytes())
        if data["sha256"] != digest:
            return None
        found = (outcome for _, (_, outcome) in data["outcomes"])
        return [each["key"] if isinstance(each, dict) else each[0] for each in found]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b85encode(value).decode()
    raise TypeError(f"{type(value)} does not belong into an index")


def gather(folder: Location, path: str, refs: Iterable[Ref]) -> Shard:
    """Writes the shard `path` atomically, sorted by key."""

    @functools.lru_cache(_PARTS_IN_MEMORY)
    def part(name: str) -> bytes:
        return (folder / FOLDER / name).read_bytes()

    digest = hashlib.sha256()
    count = size = 0
    with writing(folder / path) as shard:
        for ref in sorted(refs):
            record = part(ref.part)[ref.start : ref.start + ref.size]
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
