"""The user's own labelled faces: a folder for each class, or a CSV that lists them."""

from __future__ import annotations

import pathlib
from collections import defaultdict
from pathlib import Path, PurePosixPath

from pipelines.common.errors import BadUse
from pipelines.common.files import MANIFEST_NAME
from pipelines.common.records import Reject
from pipelines.databases.base import (
    LANDMARKS,
    Database,
    Option,
    Sample,
    input_folder,
    is_clutter,
    listed_names,
    shown,
)
from pipelines.databases.sequences import is_inside, leads_out
from pipelines.databases.tables import Row, read_table
from pipelines.media.images import looks_like_image

OPTIONS = (
    Option(
        "prealigned",
        "the images are cropped faces, to be resized and not searched",
        {"action": "store_true"},
    ),
    LANDMARKS,
)
_LAYOUT = (
    "a folder with <class>/<subject>_<anything>.png (or .jpg …), or a CSV file with the "
    "columns path,label,subject[,role][,fold][,left,top,right,bottom][,landmarks]"
)
_ROLES = {"": (True, True), "both": (True, True), "train": (True, False), "test": (False, True)}
_BOX = ("left", "top", "right", "bottom")
# Beyond any image; code that computes with boxes may use 32 bits for a number.
_FAR = 2**31


class _Refused(Exception):
    """Why a row cannot be taken."""


def read(path: Path, prealigned: bool = False, landmarks: bool = False) -> Database:
    """A folder `<class>/<subject>_<anything>.png|jpg|…`, or a CSV of such images.

    In a folder the subject is the name up to the first underscore (the whole stem if there
    is none), so that `p07_1.png` and `p07_2.png` are one person. In a CSV, paths are
    relative to it; role is train, test or both (the default); fold, counted from 0, is the
    fold that tests the subject; left, top, right and bottom, all or none, are the face's box
    in the image's pixels; landmarks is a file of 68 rows "x y".
    Classes are sorted by name. Every image trains and tests unless its role says otherwise.
    prealigned: the images are cropped faces. landmarks: the files of that column are used.
    """
    if prealigned and landmarks:
        raise BadUse("--prealigned images are not searched, so leave out --landmarks")
    if path.is_file() and path.suffix.lower() == ".csv":
        return _from_table(path, prealigned, landmarks)
    root = input_folder(path, _LAYOUT)
    if landmarks:
        raise BadUse(f"{root} is a folder; --landmarks needs a CSV file with a column landmarks")
    return _from_folder(root, prealigned)


def _from_folder(root: Path, prealigned: bool) -> Database:
    images: dict[str, list[Path]] = {}
    strays, empty, links, rejects = [], [], [], []
    for entry in sorted(root.iterdir(), key=lambda item: item.name):
        if leads_out(entry, root):
            links.append(entry.name)
            continue
        # An earlier output of this project is not a class, whatever images lie in it.
        if not entry.is_dir() or is_clutter(entry.name) or (entry / MANIFEST_NAME).is_file():
            strays.append(entry.name)
            continue
        found = []
        for item in sorted(entry.iterdir(), key=lambda item: item.name):
            if is_clutter(item.name) or not looks_like_image(item.name):
                strays.append(item.name + ("/" if item.is_dir() else ""))
            elif leads_out(item, root):
                rejects.append(_no_image(item, "it is a link that leads out of the folder"))
            elif not item.is_file():
                rejects.append(_no_image(item, "it is named as an image, but is not a file"))
            else:
                found.append(item)
        if found:
            images[entry.name] = found
        else:
            empty.append(entry.name)
    notes = [f"ignored, no image in it: the folder {name!r}" for name in empty]
    if strays:
        notes.append(f"ignored, not an image in a class folder: {listed_names(strays)}")
    if links:
        notes.append(f"not followed, since it leads out of the folder: {listed_names(links)}")
    if not images:
        linked = f" ({notes[-1]})" if links else ""
        raise BadUse(
            f"{root} has no class folder with images in it{linked}; --input takes {_LAYOUT}"
        )
    classes = tuple(sorted(images))
    samples = [
        Sample(
            key=f"{name}/{item.stem}",
            label=label,
            subject=_subject(item),
            path=str(item),
            aligned=prealigned,
        )
        for label, name in enumerate(classes)
        for item in images[name]
    ]
    return Database("images", classes, samples, channels=3, root=root, notes=notes, rejects=rejects)


def _subject(image: Path) -> str:
    return image.stem.split("_", 1)[0] or image.stem


def _no_image(item: Path, reason: str) -> Reject:
    name = item.parent.name
    key, source = shown(f"{name}/{item.stem}"), shown(f"{name}/{item.name}")
    return Reject(key, source, shown(name), shown(_subject(item)), reason)


def _from_table(table: Path, prealigned: bool, landmarks: bool) -> Database:
    root = table.parent
    needed = ("path", "label", "subject", *(("landmarks",) if landmarks else ()))
    rows = read_table(table, needed)
    refused: dict[int, str] = {}
    boxes: dict[int, tuple[int, int, int, int] | None] = {}
    for number, row in enumerate(rows):
        try:
            _check(row, root, landmarks)
            boxes[number] = _box(row)
        except _Refused as reason:
            refused[number] = str(reason)
    refused |= _repeated(rows, list(boxes), root)
    taken = [number for number in boxes if number not in refused]
    classes = tuple(sorted({rows[number]["label"] for number in taken}))
    samples = [
        Sample(
            key=_key(row),
            label=classes.index(row["label"]),
            subject=row["subject"],
            path=str(root / row["path"]),
            aligned=prealigned,
            train=_ROLES[row["role"].lower()][0],
            test=_ROLES[row["role"].lower()][1],
            fold=row.integer("fold") if row["fold"] else None,
            box=boxes[number],
            landmarks=str(root / row["landmarks"]) if landmarks else None,
        )
        for number, row in ((number, rows[number]) for number in taken)
    ]
    rejects = [
        Reject(_key(row), f"{table.name}, line {row.line}", row["label"], row["subject"], reason)
        for row, reason in ((rows[number], reason) for number, reason in sorted(refused.items()))
    ]
    notes = []
    if not landmarks and any(row["landmarks"] for row in rows):
        notes.append("the column landmarks is not used without --landmarks")
    if prealigned and any(boxes.values()):
        notes.append("the boxes are not used with --prealigned")
    return Database("images", classes, samples, channels=3, root=root, notes=notes, rejects=rejects)


def _key(row: Row) -> str:
    path = PurePosixPath(row["path"])
    return path.with_suffix("").as_posix() if path.name else f"line {row.line}"


def _check(row: Row, root: Path, landmarks: bool) -> None:
    for column in ("path", "label", "subject"):
        if not row[column]:
            raise _Refused(f"its {column} is empty")
    if row["role"].lower() not in _ROLES:
        raise _Refused(f"its role {row['role']!r} is not one of train, test, both")
    _check_path(row, "path", root)
    if landmarks:
        if not row["landmarks"]:
            raise _Refused("its landmarks are empty, though --landmarks was given")
        _check_path(row, "landmarks", root)
        if not (root / row["landmarks"]).is_file():
            raise _Refused("its landmarks file does not exist")


def _check_path(row: Row, column: str, root: Path) -> None:
    """A list from a stranger must not be able to pull in files from outside its folder."""
    what = "landmarks file" if column == "landmarks" else column
    if "\0" in row[column]:
        raise _Refused(f"its {what} holds a zero byte")
    if PurePosixPath(row[column]).name in ("", ".."):
        raise _Refused(f"its {what} {row[column]!r} names no file")
    # In an object store a path is joined as text: "gs://other/x.png" would be another place.
    outside = not isinstance(root, pathlib.Path) and "://" in row[column]
    if outside or not is_inside(root / row[column], root):
        raise _Refused(f"its {what} leads out of the folder of the CSV file")


def _box(row: Row) -> tuple[int, int, int, int] | None:
    given = [row[column] for column in _BOX]
    if not any(given):
        return None
    text = ",".join(given)
    try:
        left, top, right, bottom = (int(value) for value in given)
    except ValueError:
        raise _Refused(f"its box {text!r} is not left,top,right,bottom in whole pixels") from None
    if not (left < right and top < bottom):
        raise _Refused(f"its box {text!r} does not have left < right and top < bottom")
    if max(map(abs, (left, top, right, bottom))) >= _FAR:
        raise _Refused(f"its box {text!r} lies outside any image")
    return left, top, right, bottom


def _repeated(rows: list[Row], numbers: list[int], root: Path) -> dict[int, str]:
    """Why rows that name an image again cannot be taken, by their numbers.

    Of equal rows for one image the first is taken. Of rows that contradict each other none is,
    for it is unknown which is wrong.
    """
    same: dict[Path, list[int]] = defaultdict(list)
    for number in numbers:
        image = root / rows[number]["path"]
        same[image.resolve() if isinstance(image, pathlib.Path) else image].append(number)
    refused = {}
    for group in same.values():
        if len({_content(rows[number]) for number in group}) > 1:
            lines = ", ".join(str(rows[number].line) for number in group)
            reason = f"lines {lines} contradict each other about the same image"
            refused |= dict.fromkeys(group, reason)
        else:
            reason = f"the same image as line {rows[group[0]].line}"
            refused |= dict.fromkeys(group[1:], reason)
    return refused


def _content(row: Row) -> tuple[object, ...]:
    """The values of a row, however they are written."""
    role = _ROLES[row["role"].lower()]
    return (row["label"], row["subject"], role, row["fold"], _box(row), row["landmarks"])
