"""What a user takes of a read database: which classes, and which images validate."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from pipelines.common.errors import BadUse
from pipelines.common.files import Location
from pipelines.common.records import Reject
from pipelines.common.roles import TRAIN, VALID
from pipelines.common.text import listed
from pipelines.databases.base import Database, Sample, chosen, shown

_SHOWN = 5


def without(database: Database, names: Sequence[str]) -> Database:
    """The database without these classes: their samples become rejects, and labels and votes are
    those of the classes left.

    Raises `BadUse` for a name that is not a class, and where fewer than two classes are left.
    """
    if not names:
        return database
    chosen("--leave-out", names, database.classes)
    kept = [label for label, name in enumerate(database.classes) if name not in names]
    if len(kept) < 2:
        left = listed(database.classes[label] for label in kept) or "no class"
        raise BadUse(
            f"--leave-out {','.join(names)} leaves {left} of {', '.join(database.classes)}; "
            "recognition takes two or more"
        )
    samples, rejects = [], list(database.rejects)
    for sample in database.samples:
        name = database.classes[sample.label]
        if sample.label in kept:
            votes = sample.votes and tuple(sample.votes[label] for label in kept)
            label = kept.index(sample.label)
            samples.append(dataclasses.replace(sample, label=label, votes=votes))
        else:
            texts = sample.key, database.source(sample), name, sample.subject
            reason = f"its class {name} is left out (--leave-out)"
            rejects.append(Reject(*map(shown, texts), reason))
    classes = tuple(database.classes[label] for label in kept)
    return dataclasses.replace(database, classes=classes, samples=samples, rejects=rejects)


def validating(database: Database, keys: Collection[str]) -> Database:
    """The database with these samples validating in each of its official folds that they train.

    Keys without such a sample are counted in a note, with the first few. Raises `BadUse` for a
    database without official parts, and where no key fits.
    """
    if not any(sample.official for sample in database.samples):
        raise BadUse(
            f"--valid-list is for databases with official parts, and {database.root} has none; "
            "--valid-share validates on a part of its training subjects"
        )
    wanted, moved, samples = set(keys), set(), []
    for sample in database.samples:
        if sample.key in wanted and TRAIN in (sample.official or ()):
            moved.add(sample.key)
            sample = _validates(sample)
        samples.append(sample)
    rest = sorted(wanted - moved)
    if not moved:
        first = f"; its first are {listed(rest, _SHOWN)}" if rest else ""
        raise BadUse(
            f"none of the {len(wanted)} keys of --valid-list is of a training image of "
            f"{database.root}{first}; give one key a line, as manifest.json has them "
            f"({database.samples[0].key})"
        )
    notes = [*database.notes, f"{len(moved)} images of --valid-list validate instead of training"]
    if rest:
        notes.append(
            f"{len(rest)} keys of --valid-list are of no training image: {listed(rest, _SHOWN)}"
        )
    return dataclasses.replace(database, samples=samples, notes=notes)


def read_keys(path: Location) -> list[str]:
    """The keys in a text file, one a line. Raises `BadUse` where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUse(f"--valid-list {path} cannot be read: {reason}") from None
    return [line.strip() for line in lines if line.strip()]


def _validates(sample: Sample) -> Sample:
    roles = tuple(VALID if role == TRAIN else role for role in sample.official)
    return dataclasses.replace(sample, official=roles)
