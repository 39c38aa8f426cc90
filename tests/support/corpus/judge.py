"""Holds what a job left against what must have become of each case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.dataset import examples, manifest, rejects

from . import EITHER, KEEP, REJECT, STRAY, Case


@dataclass(frozen=True)
class Left:
    """What a job left: keys of the records, reasons by source, and everything it noted."""

    folder: Path
    kept: frozenset[str]
    rejected: dict[str, str]
    notes: tuple[str, ...]
    counts: dict[str, int]


@dataclass(frozen=True)
class Row:
    """One kind of case: how many there are, what must become of them, what became of them."""

    kind: str
    must: str
    made: int
    kept: int
    rejected: int
    noted: int


def left(folder: Path) -> Left:
    """Reads a finished data folder back, records and all; `FesrError` if it is not sound."""
    found = manifest.load(folder)
    manifest.verify(folder, found)
    records = (
        examples.decode(payload)
        for shard in found.shards
        for payload in examples.read_records(folder / shard.path)
    )
    kept = [record.key for record in records]
    if len(kept) != len(set(kept)):
        raise ValueError(f"{folder} holds a record twice")
    lost = list(rejects.read(folder, found))
    rejected = {reject.source: reject.reason for reject in lost}
    counts = {name: found.counts[name] for name in ("read", "aligned", "rejected")}
    if counts["rejected"] != len(lost) or counts["aligned"] != len(kept):
        raise ValueError(f"{folder}: {counts} beside {len(kept)} kept and {len(lost)}")
    return Left(folder, frozenset(kept), rejected, found.notes, counts)


def wrong(cases: Iterable[Case], found: Left, also: Mapping[Case, str]) -> list[str]:
    """A sentence for each case of which something else became than must have become.

    also: names, beside its own, under which a case may be listed as rejected.
    """
    problems = []
    for case in cases:
        kept, reason = case.key in found.kept, _reason(case, found, also)
        became = KEEP if kept else REJECT if reason else None
        if kept and reason:
            problems.append(f"{case.name!r} is both kept and rejected ({reason})")
        elif case.verdict == STRAY and became:
            problems.append(f"{case.name!r} is not an image and was taken for one")
        elif case.verdict == EITHER and not became:
            problems.append(f"{case.name!r} was lost")
        elif case.verdict in (KEEP, REJECT) and became != case.verdict:
            problems.append(f"{case.name!r} must be: {case.verdict}; became: {became} ({reason})")
    return problems


def table(cases: Iterable[Case], found: Left, also: Mapping[Case, str]) -> list[Row]:
    """One row a kind, in the order of the cases."""
    kinds: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        kinds.setdefault((case.kind, case.verdict), []).append(case)
    rows = []
    for (kind, verdict), group in kinds.items():
        kept = sum(case.key in found.kept for case in group)
        rejected = sum(_reason(case, found, also) is not None for case in group)
        noted = len(group) - kept - rejected
        rows.append(Row(kind, verdict, len(group), kept, rejected, noted))
    return rows


def _reason(case: Case, found: Left, also: Mapping[Case, str]) -> str | None:
    names = (case.shown, PurePosixPath(case.shown).as_posix(), also.get(case, case.shown))
    return next((found.rejected[name] for name in names if name in found.rejected), None)
