"""FER+: FER2013 under ten people's votes for each image."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding, Reject
from pipelines.databases import fer2013, parts
from pipelines.databases.base import UNKNOWN, Database

CLASSES = fer2013.VOTED[:8]
OPTIONS = ()
VOTES = "fer2013new.csv"
_KINDS = ("ties", "unknown", "NF", "removed")
_LAYOUT = "a folder with fer2013.csv (or icml_face_data.csv) and FER+'s fer2013new.csv beside it"


def read(path: Path) -> Database:
    """`fer2013.csv` and, beside it, `fer2013new.csv`, row by row the same images.

    The class with most votes is the label. Rejected are images where two have most, where most
    are for `unknown` or `NF` (no face), and those that FER+ removed. Parts as in FER2013. Raises
    `BadUse` where one table is missing or their rows differ.
    """
    beside = path.parent if path.is_file() else path
    table = fer2013.find_table(beside if path.name == VOTES else path, _LAYOUT)
    place = table.parent / VOTES if table else None
    if place is None or not place.is_file():
        missing = " or ".join(fer2013.TABLES) if table is None else VOTES
        raise BadUse(f"{beside} has no {missing}; --input takes {_LAYOUT}")
    faces, votes = fer2013.read_table(table), fer2013.read_votes(place)
    _check_rows(table, place, faces, votes)
    official, notes = parts.one_fold([fer2013.ROLES[usage] for usage in faces.usages])
    samples, rejects, left_out = [], list(faces.rejects), Counter()
    for index, row in enumerate(faces.rows):
        key = fer2013.row_key(row)  # also where FER+ gives it no name, or numbers a whole table
        kind, reason = _refusal(votes.votes[row], str(votes.names[row]))
        if kind:
            left_out[kind] += 1
            rejects.append(Reject(key, f"{VOTES}, line {row + 2}", "", "", reason))
        else:
            kept = tuple(votes.votes[row, : len(CLASSES)].tolist())
            label = kept.index(max(kept))
            samples.append(fer2013.face_sample(faces, index, key, label, official[index], kept))
    by_class = Counter(sample.label for sample in samples)
    return Database(
        "ferplus",
        CLASSES,
        samples,
        channels=1,
        root=table.parent,
        folds=1,
        findings=[
            *fer2013.part_findings(faces.usages),
            *(Finding(name, by_class[label]) for label, name in enumerate(CLASSES)),
            *(Finding(f"left out, {kind}", left_out[kind]) for kind in _KINDS),
        ],
        notes=notes,
        rejects=rejects,
        subjects=UNKNOWN,
    )


def _check_rows(table: Path, place: Path, faces: fer2013.Table, votes: fer2013.Votes) -> None:
    """`BadUse` unless row k of one table is row k of the other."""
    if len(votes.votes) != faces.count:
        raise BadUse(
            f"{place} has {len(votes.votes):,} rows and {table} {faces.count:,}: they are of "
            "different editions; take both as published"
        )
    differ = faces.rows[votes.usages[faces.rows] != faces.usages]
    if len(differ):
        raise BadUse(
            f"{place} and {table} differ in Usage in {len(differ):,} rows, first in line "
            f"{differ[0] + 2}: they are of different editions; take both as published"
        )


def _refusal(votes: np.ndarray, name: str) -> tuple[str, str]:
    """The kind of refusal, of `_KINDS`, and its sentence; both empty where the votes decide.

    votes: (10,), in the order of `fer2013.VOTED`.
    """
    first = [fer2013.VOTED[k] for k in np.flatnonzero(votes == votes.max())]
    if not name:
        return "removed", "FER+ removed it: it has no image name"
    if len(first) > 1:
        return "ties", f"its votes tie: {votes.max()} each for {' and '.join(first)}"
    if first[0] not in CLASSES:
        return first[0], f"most of its votes, {votes.max()}, are for {first[0]!r}"
    return "", ""
