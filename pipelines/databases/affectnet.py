"""AffectNet, labelled by hand: the first release with its lists, the second with `.npy` files."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding, Reject
from pipelines.common.roles import TEST, TRAIN
from pipelines.databases.base import PREALIGNED, UNKNOWN, Database, Sample, input_folder
from pipelines.databases.labels import naming_note
from pipelines.databases.sequences import Walk, is_inside, relative
from pipelines.databases.tables import read_columns
from pipelines.media.images import looks_like_image

# Labels 0 to 7, in order.
CLASSES = (
    *("neutral", "happiness", "sadness", "surprise"),
    *("fear", "disgust", "anger", "contempt"),
)
NAMES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
UNUSED = {8: "none", 9: "uncertain", 10: "no face"}
"""Labels of images without one of the eight expressions."""
EXPECTED = {
    TRAIN: (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750),
    TEST: (500,) * 8,
}
OPTIONS = (PREALIGNED,)
_LISTS = {"training.csv": TRAIN, "validation.csv": TEST}
_SETS = {"train_set": TRAIN, "val_set": TEST}
_COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    "expression",
)
_LAYOUT = (
    "the folder with AffectNet's training.csv, validation.csv and the images, or the one with "
    "train_set/ and val_set/"
)
# One number takes some 130 bytes.
_LABEL_BYTES = 1024


class _Refused(Exception):
    """Why an image cannot be taken."""


def read(path: Path, prealigned: bool = False) -> Database:
    """`training.csv` and `validation.csv` with the images, or `train_set/` and `val_set/` with
    `images/N.jpg` and `annotations/N_exp.npy`.

    The validation images are tested, as is customary: there is no public test part. Images without
    one of the eight expressions are counted and left out. The lists' boxes are used, their
    landmarks are not. Who is shown is not known. prealigned: the images are cropped faces. Raises
    `BadUse` for other folders.
    """
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    folders = [root, *(entry for entry in walk.entries(root) if walk.is_folder(entry))]
    lists = [folder / name for folder in folders for name in _LISTS if walk.is_file(folder / name)]
    sets = [folder / name for folder in folders for name in _SETS if walk.is_folder(folder / name)]
    if not lists and not sets:
        raise BadUse(f"{root} holds no lists and no sets of AffectNet; --input takes {_LAYOUT}")
    given = _of_lists(walk, lists, folders) if lists else _of_sets(walk, sets)
    samples, rejects, counts, unused = [], [], Counter(), Counter()
    for file, source, role, code, box in given:
        key = Path(relative(file, root)).with_suffix("").as_posix()
        try:
            label = _label(code)
            if label in UNUSED:
                unused[UNUSED[label]] += 1
                continue
            _check_file(file, walk)
        except _Refused as reason:
            rejects.append(Reject(key, source, "", "", str(reason)))
            continue
        counts[role, label] += 1
        samples.append(
            Sample(
                key,
                label,
                "",
                path=str(file),
                official=(role,),
                aligned=prealigned,
                box=None if prealigned else box,
            )
        )
    return Database(
        "affectnet",
        CLASSES,
        samples,
        channels=3,
        root=root,
        folds=1,
        findings=_findings(counts, unused),
        notes=[*naming_note(NAMES), *walk.notes()],
        rejects=rejects,
        subjects=UNKNOWN,
    )


_Given = tuple[Path, str, int, str | None, tuple[int, int, int, int] | None]


def _of_lists(walk: Walk, lists: list[Path], folders: list[Path]) -> Iterator[_Given]:
    """Image, source, role, code and box of every row."""
    for table in lists:
        home = None
        for line, (name, x, y, width, height, code) in read_columns(table, _COLUMNS):
            name = name.replace("\\", "/")
            if home is None or not walk.is_file(home / name):
                home = next((f for f in folders if walk.is_file(f / name)), home)
            box = _box(x, y, width, height)
            place = (home or table.parent) / name
            yield place, f"{table.name}, line {line}", _LISTS[table.name], code, box


def _of_sets(walk: Walk, sets: list[Path]) -> Iterator[_Given]:
    for folder in sets:
        images = folder / "images"
        for file in walk.files(images, depth=0) if walk.is_folder(images) else ():
            if not looks_like_image(file.name):
                walk.strays.add(file)
                continue
            annotation = folder / "annotations" / f"{file.stem}_exp.npy"
            code = _code(annotation) if is_inside(annotation, walk.root) else None
            yield file, relative(file, walk.root), _SETS[folder.name], code, None


def _code(file: Path) -> str | None:
    """The number in an `_exp.npy` file as text; None where there is none."""
    try:
        with file.open("rb") as opened:
            # Nothing that has to be unpickled is read: the files may come from anywhere.
            value = np.load(io.BytesIO(opened.read(_LABEL_BYTES)), allow_pickle=False)
        return str(value.item())
    except (OSError, ValueError, EOFError, MemoryError):
        return None


def _label(code: str | None) -> int:
    try:
        label = int(code or "")
    except ValueError:
        label = -1
    if not 0 <= label < len(CLASSES) + len(UNUSED):
        raise _Refused(
            "its annotation is missing or is no number"
            if code is None
            else f"its expression {code!r:.20} is not 0 to {len(CLASSES) + len(UNUSED) - 1}"
        )
    return label


def _check_file(file: Path, walk: Walk) -> None:
    if not is_inside(file, walk.root):
        raise _Refused("its path leads out of the folder")
    if not walk.is_file(file):
        raise _Refused("its image does not exist")


def _box(*texts: str) -> tuple[int, int, int, int] | None:
    try:
        x, y, width, height = (round(float(text)) for text in texts)
    except (ValueError, OverflowError):
        return None
    sane = width > 0 and height > 0 and max(map(abs, (x, y, width, height))) < 2**30
    return (x, y, x + width, y + height) if sane else None


def _findings(counts: Counter, unused: Counter) -> list[Finding]:
    names = {TRAIN: "train", TEST: "validation"}
    return [
        *(
            Finding(names[role], sum(counts[role, k] for k in range(8)), sum(expected))
            for role, expected in EXPECTED.items()
        ),
        *(
            Finding(f"{names[role]}, {name}", counts[role, label], expected[label])
            for role, expected in EXPECTED.items()
            for label, name in enumerate(CLASSES)
        ),
        *(Finding(f"left out, {name}", unused[name]) for name in UNUSED.values()),
    ]
