"""FER2013: one table of 48×48 gray faces with the challenge's parts, or its edition in folders."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.common.records import Reject

# Labels 0 to 6 of the column `emotion`, in the paper's names.
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest")
SIDE = 48
VOTED = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""What FER+ counts votes for."""


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a FER2013 table that are sound.

    images: uint8 (N,48,48); emotions: int64 (N,), 0 to 6; usages: str (N,), of `USAGES`; rows:
    int64 (N,), counted from 0 below the header, damaged ones included; count: how many rows there
    are with the damaged ones; rejects: the damaged ones.
    """

    images: np.ndarray
    emotions: np.ndarray
    usages: np.ndarray
    rows: np.ndarray
    count: int
    rejects: list[Reject]


@dataclass(frozen=True, eq=False)
class Votes:
    """A FER+ table: votes, int64 (N,10), in the order of `columns`; names: of the images, str
    (N,), empty for a removed image; usages: str (N,)."""

    votes: np.ndarray
    columns: tuple[str, ...]
    usages: np.ndarray
    names: np.ndarray


class _Damaged(Exception):
    """Why a row cannot be taken."""


def read_table(path: Path) -> Table:
    """`fer2013.csv` or `icml_face_data.csv`: emotion, pixels (2,304 numbers), Usage, in any order.

    Damaged rows become `rejects`. Raises `BadUse` where a column is missing or no row is sound.
    """
    # One growing block of bytes: 36,000 arrays and their copy would take twice the memory.
    pixels, emotions, usages, rows, rejects = bytearray(), [], [], [], []
    row = -1
    with warnings.catch_warnings():
        # NumPy warns where a text is not numbers to its end, and may raise one day.
        warnings.simplefilter("error", DeprecationWarning)
        for row, line, (emotion, face, usage) in _lines(path, ("emotion", "pixels", "Usage")):
            try:
                checked = _emotion(emotion), _usage(usage), _face(face)
            except _Damaged as reason:
                source = f"{path.name}, line {line}"
                rejects.append(Reject(row_key(row), source, "", "", str(reason)))
                continue
            emotions.append(checked[0])
            usages.append(checked[1])
            pixels += checked[2]
            rows.append(row)
    if not rows:
        why = f": {rejects[0].source}: {rejects[0].reason}" if rejects else ""
        raise BadUse(f"{path} has no usable row{why}")
    return Table(
        np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE),
        np.array(emotions),
        np.array(usages),
        np.array(rows),
        row + 1,
        rejects,
    )


def read_votes(path: Path) -> Votes:
    """`fer2013new.csv`: Usage, Image name, and the votes for each of `VOTED`.

    Raises `BadUse` where a column is missing or a row is damaged: rows are matched by number.
    """
    votes, usages, names = [], [], []
    for _, line, (usage, name, *counts) in _lines(path, ("Usage", "Image name", *VOTED)):
        try:
            votes.append([int(count) for count in counts])
            usages.append(_usage(usage))
        except (_Damaged, ValueError) as error:
            raise BadUse(f"{path}, line {line}: {error}; download the file again") from None
        names.append(name)
    if not votes:
        raise BadUse(f"{path} has no rows")
    return Votes(np.array(votes), VOTED, np.array(usages), np.array(names))


def row_key(row: int) -> str:
    """The key of a row, counted from 0, as FER+ numbers the images."""
    return f"fer{row:07d}"


def _lines(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, int, list[str]]]:
    """Row number, line number and the values of `columns`, missing ones empty, row by row."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file)
        try:
            names = [name.strip().lower() for name in next(reader, [])]
            missing = [column for column in columns if column.lower() not in names]
            if missing:
                raise BadUse(
                    f"{path} has no column {missing[0]!r} (it has: {', '.join(names[:12])}); "
                    f"it needs {', '.join(columns)}"
                )
            places = [names.index(column.lower()) for column in columns]
            for row, values in enumerate(filter(None, reader)):
                taken = [values[k].strip() if k < len(values) else "" for k in places]
                yield row, reader.line_num, taken
        except csv.Error as error:
            raise BadUse(f"{path}, line {reader.line_num}: not a CSV table: {error}") from error


def _emotion(text: str) -> int:
    if text not in map(str, range(len(CLASSES))):
        raise _Damaged(f"its emotion is {text!r:.20}, not 0 to {len(CLASSES) - 1}")
    return int(text)


def _usage(text: str) -> str:
    if text not in USAGES:
        raise _Damaged(f"its Usage is {text!r:.20}, not one of {', '.join(USAGES)}")
    return text


def _face(text: str) -> bytes:
    count = SIDE * SIDE
    try:
        values = np.fromstring(text, np.int32, sep=" ")
    except (ValueError, DeprecationWarning):
        raise _Damaged("its pixels are not whole numbers") from None
    if len(values) != count:
        raise _Damaged(f"it has {len(values):,} pixels, not {count:,}")
    if values.min() < 0 or values.max() > 255:
        raise _Damaged(f"its pixels reach from {values.min()} to {values.max()}, not 0 to 255")
    return values.astype(np.uint8).tobytes()
