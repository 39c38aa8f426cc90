"""FER2013: one table of 48×48 gray faces with the challenge's parts, or its edition in folders."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding, Reject
from pipelines.common.roles import TEST, TRAIN, VALID
from pipelines.databases import parts
from pipelines.databases.base import UNKNOWN, Database, Sample, input_folder, refused
from pipelines.databases.labels import naming_note, paper_name
from pipelines.databases.sequences import Walk, relative
from pipelines.databases.tables import read_columns

# Labels 0 to 6 of the column `emotion`, in the paper's names.
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
ROLES = {"Training": TRAIN, "PublicTest": VALID, "PrivateTest": TEST}
"""The role of each value of `Usage`."""
EXPECTED_BY_PART = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
EXPECTED_BY_CLASS = (4_953, 547, 5_121, 8_989, 6_077, 4_002, 6_198)
EXPECTED_IMAGES = sum(EXPECTED_BY_CLASS)
SIDE = 48
OPTIONS = ()
TABLES = ("fer2013.csv", "icml_face_data.csv")
VOTED = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""What FER+ counts votes for."""


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a FER2013 table that are sound.

    images: uint8 (N,48,48); emotions: int64 (N,), 0 to 6; usages: str (N,), of `ROLES`; rows:
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


_LAYOUT = (
    "fer2013.csv or icml_face_data.csv, a folder with one of them, or the folder with "
    "train/<class>/ and test/<class>/"
)


class _Damaged(Exception):
    """Why a row cannot be taken."""


def read(path: Path) -> Database:
    """`fer2013.csv`, `icml_face_data.csv`, a folder that holds one of them, or one that holds
    `train/<class>/` and `test/<class>/`.

    The faces are cropped already, and too small for a detector. `Training` trains, `PublicTest`
    validates, `PrivateTest` tests; who is shown is not known. Raises `BadUse` for other folders.
    """
    table = find_table(path, _LAYOUT)
    if table is None:
        return _from_folders(path)
    faces = read_table(table)
    official, notes = parts.one_fold([ROLES[usage] for usage in faces.usages])
    samples = [
        face_sample(faces, index, row_key(row), int(faces.emotions[index]), official[index])
        for index, row in enumerate(faces.rows)
    ]
    return Database(
        "fer2013",
        CLASSES,
        samples,
        channels=1,
        root=table.parent,
        folds=1,
        findings=[*part_findings(faces.usages), *class_findings(samples)],
        notes=notes,
        rejects=faces.rejects,
        subjects=UNKNOWN,
    )


def find_table(path: Path, layout: str) -> Path | None:
    """The table at `path` or in it or in a folder of it; None for a folder without one."""
    if path.is_file():
        return path
    root = input_folder(path, layout)
    folders = [entry for entry in Walk(root).entries(root) if entry.is_dir()]
    places = [folder / name for folder in (root, *folders) for name in TABLES]
    return next((place for place in places if place.is_file()), None)


def face_sample(
    faces: Table,
    index: int,
    key: str,
    label: int,
    official: tuple[int, ...],
    votes: tuple[int, ...] | None = None,
) -> Sample:
    """One row of a table as a sample."""
    # A copy, so that a worker is sent one face and not a view that pins them all.
    image = faces.images[index].copy()
    return Sample(key, label, "", pixels=image, official=official, aligned=True, votes=votes)


def part_findings(usages: Sequence[str]) -> list[Finding]:
    """The number of images, in all and of each part."""
    found = Counter(map(str, usages))
    return [
        Finding("images", len(usages), EXPECTED_IMAGES),
        *(Finding(name, found[name], expected) for name, expected in EXPECTED_BY_PART.items()),
    ]


def class_findings(samples: Sequence[Sample]) -> list[Finding]:
    """The number of images of each class."""
    found = Counter(sample.label for sample in samples)
    return [
        Finding(name, found[label], expected)
        for label, (name, expected) in enumerate(zip(CLASSES, EXPECTED_BY_CLASS, strict=True))
    ]


def _from_folders(path: Path) -> Database:
    walk = Walk(path)
    found = parts.images_of_parts(walk, _label)
    if not found:
        raise BadUse(f"{path} holds no image of FER2013; --input takes {_LAYOUT}")
    # "test" holds both test parts; where the names tell them apart, one of them validates.
    roles = [ROLES.get(file.stem.split("_")[0], role) for file, _, role in found]
    official, notes = parts.one_fold(roles)
    samples = [
        Sample(
            Path(relative(file, path)).with_suffix("").as_posix(),
            label,
            "",
            path=str(file),
            official=role,
            aligned=True,
        )
        for (file, label, _), role in zip(found, official, strict=True)
    ]
    trained = EXPECTED_BY_PART["Training"]
    return Database(
        "fer2013",
        CLASSES,
        samples,
        channels=1,
        root=path,
        folds=1,
        findings=[
            Finding("images", len(samples), EXPECTED_IMAGES),
            Finding("train", roles.count(TRAIN), trained),
            Finding("test", len(roles) - roles.count(TRAIN), EXPECTED_IMAGES - trained),
            *class_findings(samples),
        ],
        notes=[
            *naming_note(sorted({file.parent.name for file, _, _ in found})),
            *notes,
            *walk.notes(),
        ],
        subjects=UNKNOWN,
    )


def _label(folder: str) -> int | None:
    name = paper_name(folder)
    if name in CLASSES:
        return CLASSES.index(name)
    return int(folder) if folder in map(str, range(len(CLASSES))) else None


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
        lines = read_columns(path, ("emotion", "pixels", "Usage"))
        for row, (line, (emotion, face, usage)) in enumerate(lines):
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
        first = f", the first is {rejects[0].source}" if rejects else ""
        raise BadUse(f"{path} has no usable row{refused(rejects)}{first}")
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
    for line, (usage, name, *counts) in read_columns(path, ("Usage", "Image name", *VOTED)):
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
    """The key of a row, counted from 0: that by which FER+ names its image in the published
    tables."""
    return f"fer{row:07d}"


def _emotion(text: str) -> int:
    # pandas writes 3.0 where a column had an empty cell.
    number = text.removesuffix(".0")
    if number not in map(str, range(len(CLASSES))):
        raise _Damaged(f"its emotion is {text!r:.20}, not 0 to {len(CLASSES) - 1}")
    return int(number)


def _usage(text: str) -> str:
    if text not in ROLES:
        raise _Damaged(f"its Usage is {text!r:.20}, not one of {', '.join(ROLES)}")
    return text


def _face(text: str) -> bytes:
    count = SIDE * SIDE
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        raise _Damaged("its pixels are not whole numbers") from None
    if len(values) != count:
        raise _Damaged(f"it has {len(values):,} pixels, not {count:,}")
    if values.min() < 0 or values.max() > 255:
        raise _Damaged(f"its pixels reach from {values.min()} to {values.max()}, not 0 to 255")
    return values.astype(np.uint8).tobytes()
