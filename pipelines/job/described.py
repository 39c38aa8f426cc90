"""What a finished shard holds, without its images, as the worker that wrote it read it back.

A worker writes one file a shard, and the last part of the job merges them: it opens no shard.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.common.errors import FailedWork
from pipelines.common.files import Location, local_copy, sha256_of, write_whole
from pipelines.common.records import Reject, typed
from pipelines.dataset import examples, fingerprints
from pipelines.dataset.inventory import PRINTS, Columns
from pipelines.dataset.manifest import Shard

FOLDER = "described"


@dataclass(frozen=True)
class Described:
    """What the images of one shard gave. shard: None if all were rejected; places: int64 (N+1,),
    where its records begin and end in bytes; found: the number of faces by scale; seconds: of the
    workers."""

    shard: Shard | None
    columns: Columns
    places: np.ndarray
    rejects: tuple[Reject, ...] = ()
    found: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def describe(
    folder: Location, shard: Shard | None, folds: int, prints: bytes = b"", **more: Any
) -> Described:
    """Reads a shard back. folds: of the division. prints: its records' fingerprints; without them
    they are computed. more: the other fields.

    Raises `FailedWork` where its digest, a CRC or the number of records is not as it was written.
    """
    columns, places = Columns(folds), [0]
    if shard is not None:
        path, step = folder / shard.path, fingerprints.BYTES
        with local_copy(path) as file:
            for index, payload in enumerate(examples.read_records(file)):
                known = prints[index * step : (index + 1) * step] or None
                columns.add(examples.decode(payload), known)
                places.append(places[-1] + len(payload) + examples.FRAME_BYTES)
            same = sha256_of(file) == shard.sha256
        if len(columns) != shard.records or not same:
            raise FailedWork(f"{path} holds {len(columns)} records, not {shard.records} as written")
    return Described(shard, columns, np.array(places, np.int64), **more)


def write(folder: Location, name: str, described: Described) -> None:
    """Writes it to the file `name` of `FOLDER`."""
    data = {
        "shard": dataclasses.asdict(described.shard) if described.shard else None,
        "rejects": [dataclasses.asdict(reject) for reject in described.rejects],
        "found": described.found,
        "seconds": described.seconds,
        "texts": described.columns.texts(),
    }
    buffer = io.BytesIO()
    arrays = described.columns.arrays() | {"places": described.places}
    np.savez(buffer, json=np.frombuffer(json.dumps(data).encode(), np.uint8), **arrays)
    write_whole(folder / FOLDER / name, buffer.getvalue())


def read(folder: Location, name: str, prints: bool = True) -> Described:
    """The inverse of `write`, without the fingerprints unless `prints`; nothing is unpickled."""
    content = io.BytesIO((folder / FOLDER / name).read_bytes())
    with np.load(content, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files if prints or key != PRINTS}
    data = json.loads(arrays.pop("json").tobytes())
    return Described(
        shard=typed(Shard, data["shard"]) if data["shard"] else None,
        places=arrays.pop("places"),
        columns=Columns.of(data["texts"], arrays),
        rejects=tuple(typed(Reject, each) for each in data["rejects"]),
        found=data["found"],
        seconds=data["seconds"],
    )


@dataclass
class Merged:
    """All shards of a folder, in their order. names: the files that describe them."""

    columns: Columns
    names: list[str] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, name: str, part: Described) -> None:
        """Adds a shard, or the rejects of one that holds nothing, after the others."""
        self.rejects += part.rejects
        self.found.update(part.found)
        self.seconds += part.seconds
        if part.shard is not None:
            self.columns.extend(part.columns)
            self.names.append(name)
            self.shards.append(part.shard)


def merge(folder: Location, names: Iterable[str], folds: int, prints: bool = False) -> Merged:
    """Reads the files `names` one by one. prints: with the fingerprints."""
    merged = Merged(Columns(folds))
    for name in names:
        merged.add(name, read(folder, name, prints))
    return merged


def records(folder: Location, merged: Merged, keys: Collection[str]) -> dict[str, examples.Record]:
    """The whole records of some keys, each read from its place."""
    kept, first = {}, 0
    for name, shard in zip(merged.names, merged.shards, strict=True):
        here = merged.columns.keys[first : first + shard.records]
        rows = [row for row, key in enumerate(here) if key in keys]
        first += shard.records
        if not rows:
            continue
        path, places = folder / shard.path, read(folder, name, prints=False).places
        with path.open("rb") as file:
            for row in rows:
                start, end = places[row : row + 2].tolist()
                file.seek(start)
                payload = examples.read_record(file, end - start, f"{path}: record {row}")
                kept[here[row]] = examples.decode(payload)
    return kept
