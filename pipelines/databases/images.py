"""Anybody's own labelled faces: a folder for each class, or a CSV that lists them."""

from __future__ import annotations

from pathlib import Path

from pipelines.databases.base import Choices, Database, Sample, input_folder, is_clutter, listed
from pipelines.databases.tables import Row, read_table
from pipelines.errors import BadUse
from pipelines.images import looks_like_picture
from pipelines.manifest import NAME, Reject

_LAYOUT = (
    "a folder with <class>/<subject>_<anything>.png (or .jpg …), or a CSV file with the "
    "columns path,label,subject[,role][,fold]"
)
_ROLES = {"": (True, True), "both": (True, True), "train": (True, False), "test": (False, True)}


def read(path: Path, choices: Choices) -> Database:
    """A folder `<class>/<subject>_<anything>.png|jpg|…`, or a CSV of such pictures.

    In a folder the subject is the name up to the first underscore (the whole stem if there
    is none), so that `p07_1.png` and `p07_2.png` are one person. In a CSV, paths are
    relative to it; role is train, test or both (the default); fold, counted from 0, is the
    fold that tests the subject. Classes are sorted by name. Every image trains and tests
    unless its role says otherwise. Prealigned pictures are faces cropped by somebody else.
    """
    if path.is_file() and path.suffix.lower() == ".csv":
        return _from_table(path, choices)
    return _from_folder(input_folder(path, _LAYOUT), choices)


def _from_folder(root: Path, choices: Choices) -> Database:
    pictures: dict[str, list[Path]] = {}
    strays, empty = [], []
    for entry in sorted(root.iterdir()):
        # An earlier output of this project's is no class, whatever pictures lie in it.
        if not entry.is_dir() or is_clutter(entry.name) or (entry / NAME).is_file():
            strays.append(entry.name)
            continue
        found = []
        for item in sorted(entry.iterdir()):
            taken = item.is_file() and not is_clutter(item.name) and looks_like_picture(item)
            if taken:
                found.append(item)
            else:
                strays.append(item.name + ("/" if item.is_dir() else ""))
        if found:
            pictures[entry.name] = found
        else:
            empty.append(entry.name)
    if not pictures:
        raise BadUse(f"{root} has no class folder with pictures in it; --input takes {_LAYOUT}")
    notes = [f"ignored, no picture in it: the folder {name!r}" for name in empty]
    if strays:
        notes.append(f"ignored, not a picture in a class folder: {listed(strays)}")
    classes = tuple(sorted(pictures))
    samples = [
        Sample(
            key=f"{name}/{item.stem}",
            label=label,
            subject=item.stem.split("_", 1)[0] or item.stem,
            path=str(item),
            aligned=choices.prealigned,
        )
        for label, name in enumerate(classes)
        for item in pictures[name]
    ]
    return Database("images", classes, samples, channels=3, root=root, notes=notes)


def _from_table(table: Path, choices: Choices) -> Database:
    root = table.parent
    rows, rejects = [], []
    for row in read_table(table, ("path", "label", "subject")):
        reason = _refusal(row, root)
        if reason:
            rejects.append(
                Reject(
                    _key(row),
                    f"{table.name}, line {row.line}",
                    row["label"],
                    row["subject"],
                    reason,
                )
            )
        else:
            rows.append(row)
    classes = tuple(sorted({row["label"] for row in rows}))
    samples = [
        Sample(
            key=_key(row),
            label=classes.index(row["label"]),
            subject=row["subject"],
            path=str(root / row["path"]),
            aligned=choices.prealigned,
            train=_ROLES[row["role"].lower()][0],
            test=_ROLES[row["role"].lower()][1],
            fold=row.integer("fold") if row["fold"] else None,
        )
        for row in rows
    ]
    return Database("images", classes, samples, channels=3, root=root, rejects=rejects)


def _key(row: Row) -> str:
    return Path(row["path"]).with_suffix("").as_posix() if row["path"] else f"line {row.line}"


def _refusal(row: Row, root: Path) -> str | None:
    """Why a row cannot be taken, or None."""
    for column in ("path", "label", "subject"):
        if not row[column]:
            return f"its {column} is empty"
    if "\0" in row["path"]:
        return "its path holds a zero byte"
    if row["role"].lower() not in _ROLES:
        return f"its role {row['role']!r} is none of train, test, both"
    # A list made by somebody else must not be able to pull in files from outside its folder.
    if not (root / row["path"]).resolve().is_relative_to(root.resolve()):
        return "its path leads out of the folder of the CSV file"
    return None
