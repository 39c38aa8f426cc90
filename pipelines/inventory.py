"""Reads finished shards back: what is on disk is what the manifest says, counted anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines import examples
from pipelines.errors import FailedWork
from pipelines.folds import count_roles
from pipelines.manifest import Shard

# The header of a PNG tells its colour type at this byte: 0 gray, 2 RGB.
_PNG_COLOUR_TYPE = 25


@dataclass
class Inventory:
    """Counts over all records. tested: the keys that some fold tests, by class, in order."""

    records: int = 0
    channels: int = 1
    by_class: Counter[str] = field(default_factory=Counter)
    by_subject: Counter[str] = field(default_factory=Counter)
    by_fold: list[dict[str, int]] = field(default_factory=list)
    tested: dict[str, list[str]] = field(default_factory=dict)


def records_of(folder: Path, shards: Iterable[Shard]) -> Iterator[examples.Record]:
    """Every record, shard after shard, CRCs checked; memory does not grow with them."""
    for shard in shards:
        count = 0
        for payload in examples.read_records(folder / shard.path):
            count += 1
            yield examples.decode(payload)
        if count != shard.records:
            raise FailedWork(f"{folder / shard.path} holds {count} records, not {shard.records}")


def take(folder: Path, shards: Iterable[Shard], folds: int) -> Inventory:
    """The inventory of a folder's shards, in their order."""
    found = Inventory()

    def splits() -> Iterator[tuple[int, ...]]:
        for record in records_of(folder, shards):
            found.records += 1
            found.by_class[record.class_name] += 1
            found.by_subject[record.subject] += 1
            if record.image[_PNG_COLOUR_TYPE] != 0:
                found.channels = 3
            if examples.TEST in record.splits:
                found.tested.setdefault(record.class_name, []).append(record.key)
            yield record.splits

    found.by_fold = count_roles(splits(), folds)
    return found
