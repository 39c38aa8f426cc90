"""A CSV that lists the user's images."""

from __future__ import annotations

import pathlib
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pipelines.common.listing import Listing
from pipelines.common.records import Reject
from pipelines.common.roles import TRAIN, VALID
from pipelines.common.text import listed
from pipelines.databases import parts
from pipelines.databases.base import KNOWN, UNKNOWN, Database, Sample
from pipelines.databases.labels import merged, one_person_each
from pipelines.databases.patterns import Told, Unmatched, check_matched, check_people, told
from pipelines.databases.sequences import is_inside, is_there, relative
from pipelines.databases.tables import Row, read_table

_BOTH = -1
_BOX = ("left", "top", "right", "bottom")
# Spreadsheets of many countries write a comma before the fraction.
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}([.,][0-9]{0,20})?")
# A drive or a share.
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
# What tables and tools write where nobody knows who is shown.
_NOBODY = frozenset(("nan", "none", "null", "n/a", "na", "unknown", "?", "-"))
# Beyond any image; code that computes with boxes may use 32 bits for a number.
_FAR = 2**31


class _Refused(Exception):
    """Why a row cannot be taken."""


@dataclass(frozen=True)
class _Entry:
    """The values of a row. role: TRAIN, VALID, TEST or _BOTH; fold: as text; box: in pixels."""

    path: str
    label: str
    subject: str
    role: int
    fold: str
    box: tuple[int, int, int, int] | None
    landmarks: str
    told: Told


def read_list(
    table: Path,
    prealigned: bool,
    landmarks: bool,
    pattern: re.Pattern[str] | None,
    unknown: bool,
    allowed: tuple[Path, ...],
) -> Database:
    """The columns path, label and subject, and if you like role, fold, left, top, right, bottom,
    landmarks.

    Paths are relative to the CSV file, or lead into a folder of `allowed`. A subject that is empty
    or one of `_NOBODY` is unknown, and with `unknown` all are; `pattern` reads subject, label,
    part, frame and yaw from the path instead. role is train, valid, test or both (the default).
    Where roles divide the set, so that nobody has images of train beside others, they are the
    official parts; else people are cross-validated, and those images of theirs train and test that
    have the role. fold, counted from 0, is the fold that tests the subject. left, top, right and
    bottom, all or none, are the face's box in the image's pixels; landmarks is a file of 68 rows "x
    y".
    """
    groups = pattern.groupindex if pattern else {}
    needed = ["path"]
    needed += ["label"] * ("label" not in groups)
    needed += ["subject"] * (pattern is None and not unknown)
    needed += ["landmarks"] * landmarks
    rows, root = read_table(table, tuple(needed)), table.parent
    listing = Listing(root)
    entries: dict[int, _Entry] = {}
    refused: dict[int, str] = {}
    for number, row in enumerate(rows):
        try:
            entry = _entry(row, listing, pattern, landmarks, allowed)
            entries[number] = replace(entry, subject="") if unknown else entry
        except (_Refused, Unmatched) as reason:
            refused[number] = str(reason)
    if pattern:
        unfit = sum("--subject-pattern" in reason for reason in refused.values())
        check_matched(pattern, len(rows) - unfit, [row["path"] for row in rows])
    refused |= _repeated(entries, rows, root)
    taken = {number: entry for number, entry in entries.items() if number not in refused}
    check_people(pattern, [(entry.subject, entry.label) for entry in taken.values()])
    people, people_notes = one_person_each({entry.subject for entry in taken.values()})
    taken = {n: replace(entry, subject=people[entry.subject]) for n, entry in taken.items()}
    names, notes = merged(dict.fromkeys(entry.label for entry in taken.values()))
    classes = tuple(sorted(set(names.values())))
    official, role_notes = _official(list(taken.values()))
    samples = [
        Sample(
            key=_key(entry.path, rows[number].line),
            label=classes.index(names[entry.label]),
            subject=entry.subject,
            path=str(root / entry.path),
            aligned=prealigned,
            train=entry.role in (TRAIN, _BOTH),
            test=entry.role != TRAIN,
            official=role,
            fold=rows[number].integer("fold") if entry.fold else None,
            frame=entry.told.frame,
            yaw=entry.told.yaw,
            box=entry.box,
            landmarks=str(root / entry.landmarks) if landmarks else None,
        )
        for (number, entry), role in zip(taken.items(), official, strict=True)
    ]
    rejects = [
        Reject(
            _key(row["path"], row.line),
            f"{table.name}, line {row.line}",
            row["label"],
            row["subject"],
            reason,
        )
        for row, reason in ((rows[number], reason) for number, reason in sorted(refused.items()))
    ]
    notes += [*people_notes, *role_notes, *_subject_notes(samples)]
    if "subject" not in groups and not unknown:
        notes += _nobody_notes([rows[number]["subject"] for number in taken])
    if not landmarks and any(row["landmarks"] for row in rows):
        notes.append("the column landmarks is not used without --landmarks")
    if prealigned and any(entry.box for entry in entries.values()):
        notes.append("the boxes are not used with --prealigned")
    notes += _missing(table, samples)
    return Database(
        "images",
        classes,
        samples,
        channels=3,
        root=root,
        folds=1 if samples and samples[0].official else 5,
        notes=notes,
        rejects=rejects,
        subjects=KNOWN if all(sample.subject for sample in samples) else UNKNOWN,
    )


def _key(path: str, line: int) -> str:
    file = PurePosixPath(path.replace("\\", "/").lstrip("/"))
    return file.with_suffix("").as_posix() if file.name else f"line {line}"


def _entry(
    row: Row,
    listing: Listing,
    pattern: re.Pattern[str] | None,
    landmarks: bool,
    allowed: tuple[Path, ...],
) -> _Entry:
    """The values of a row, or `_Refused` or `Unmatched`. listing: of the list's folder."""
    root = listing.root
    if not row["path"]:
        raise _Refused("its path is empty")
    path = _written(row["path"], root)
    by_pattern = told(pattern, path) if pattern else Told()
    label = by_pattern.label or row["label"]
    if not label:
        raise _Refused("its label is empty")
    role = _role(row["role"]) if by_pattern.part is None else by_pattern.part
    _check_path(path, "path", root, allowed)
    points = _written(row["landmarks"], root)
    if landmarks:
        if not points:
            raise _Refused("its landmarks are empty, though --landmarks was given")
        _check_path(points, "landmarks file", root, allowed)
        if not is_there(root / points, listing):
            raise _Refused("its landmarks file does not exist")
    subject = "" if _is_nobody(row["subject"]) else row["subject"]
    if pattern and "subject" in pattern.groupindex:
        subject = by_pattern.subject
    return _Entry(path, label, subject, role, row["fold"], _box(row), points, by_pattern)


def _written(path: str, root: Path) -> str:
    """A path with slashes, unless there is a file with backslashes in its name."""
    if "\\" not in path or "\0" in path or is_there(root / path):
        return path
    return path if _WINDOWS.match(path) else path.replace("\\", "/")


def _role(text: str) -> int:
    role = _BOTH if text.lower() in ("", "both") else parts.role_of(text)
    if role is None:
        raise _Refused(f"its role {text!r} is not one of train, test, both, valid")
    return role


def _check_path(path: str, what: str, root: Path, allowed: tuple[Path, ...]) -> None:
    """A list from a stranger must not be able to pull in files from outside its folder."""
    if "\0" in path:
        raise _Refused(f"its {what} holds a zero byte")
    if _WINDOWS.match(path):
        raise _Refused(f"its {what} is one of Windows; write it relative to the CSV file")
    if path.startswith("file:/"):
        plain = path.removeprefix("file://").removeprefix("file:")
        raise _Refused(f"its {what} {path!r} is an address; write the path {unquote(plain)!r}")
    if PurePosixPath(path).name in ("", ".."):
        raise _Refused(f"its {what} {path!r} names no file")
    # In an object store a path is joined as text: "gs://other/x.png" would be another place.
    outside = not isinstance(root, pathlib.Path) and "://" in path
    if outside or not any(is_inside(root / path, place) for place in (root, *allowed)):
        raise _Refused(
            f"its {what} leads out of the folder of the CSV file; --allow DIR allows another folder"
        )


def _box(row: Row) -> tuple[int, int, int, int] | None:
    """The box in whole pixels; fractions are rounded."""
    given = [row[column] for column in _BOX]
    if not any(given):
        return None
    text = ",".join(given)
    if not all(_NUMBER.fullmatch(value) for value in given):
        raise _Refused(f"its box {text!r} is not left,top,right,bottom in pixels")
    left, top, right, bottom = (round(float(value.replace(",", "."))) for value in given)
    if not (left < right and top < bottom):
        raise _Refused(f"its box {text!r} does not have left < right and top < bottom")
    if max(map(abs, (left, top, right, bottom))) >= _FAR:
        raise _Refused(f"its box {text!r} lies outside any image")
    return left, top, right, bottom


def _repeated(entries: dict[int, _Entry], rows: list[Row], root: Path) -> dict[int, str]:
    """Why rows that name an image again cannot be taken, by their numbers.

    Of equal rows for one image the first is taken. Of rows that contradict each other none is,
    for it is unknown which is wrong.
    """
    same: dict[Path, list[int]] = defaultdict(list)
    for number, entry in entries.items():
        image = root / entry.path
        same[image.resolve() if isinstance(image, pathlib.Path) else image].append(number)
    refused = {}
    for group in same.values():
        if len({replace(entries[number], path="") for number in group}) > 1:
            lines = ", ".join(str(rows[number].line) for number in group)
            reason = f"lines {lines} contradict each other about the same image"
            refused |= dict.fromkeys(group, reason)
        else:
            reason = f"the same image as line {rows[group[0]].line}"
            refused |= dict.fromkeys(group[1:], reason)
    return refused


def _official(entries: list[_Entry]) -> tuple[list[tuple[int] | None], list[str]]:
    """`Sample.official` for each entry, None for all where folds have to be cut, and notes."""
    roles = [entry.role for entry in entries]
    if TRAIN not in roles or {TRAIN} == set(roles) or any(entry.fold for entry in entries):
        return [None] * len(entries), []
    trained = {entry.subject for entry in entries if entry.role == TRAIN} - {""}
    others = {entry.subject for entry in entries if entry.role != TRAIN}
    both = sorted(trained & others)
    if both or _BOTH in roles:
        why = (
            f"people with images of train beside others: {len(both)} ({listed(both, 3)})"
            if both
            else "some images have the role both"
        )
        valid = "; images of the role valid are tested" if VALID in roles else ""
        return [None] * len(entries), [
            f"{why}, so people are cross-validated, and an image trains or is tested only where "
            f"its role allows it{valid}"
        ]
    return parts.divided(roles)


def _subject_notes(samples: list[Sample]) -> list[str]:
    count = sum(not sample.subject for sample in samples)
    return [f"{count} of {len(samples)} images have no subject"] if count else []


def _is_nobody(subject: str) -> bool:
    return subject.casefold() in _NOBODY


def _nobody_notes(subjects: list[str]) -> list[str]:
    found = [subject for subject in subjects if _is_nobody(subject)]
    names = listed(map(repr, sorted(set(found))))
    return [f"{len(found)} rows have the subject {names}, read as unknown"] if found else []


def _missing(table: Path, samples: list[Sample]) -> list[str]:
    """How many images of a list on this machine do not exist."""
    if not isinstance(table, pathlib.Path):
        return []
    missing = [sample.path for sample in samples if not is_there(Path(sample.path))]
    if not missing:
        return []
    shown = listed((relative(Path(path), table.parent) for path in missing), 3)
    return [f"{len(missing)} of {len(samples)} images of {table.name} do not exist: {shown}"]
