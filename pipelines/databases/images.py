"""The user's own labelled faces: a folder for each class, or a CSV that lists them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.files import location
from pipelines.databases.base import (
    GUESSED,
    LANDMARKS,
    PREALIGNED,
    UNKNOWN,
    Database,
    Option,
    input_folder,
)
from pipelines.databases.folders import read_folder
from pipelines.databases.lists import read_list
from pipelines.databases.patterns import compiled

OPTIONS = (
    PREALIGNED,
    LANDMARKS,
    Option(
        "subject_pattern",
        "regular expression for an image's path below --input, with named groups: subject, and "
        "if you like label, frame, yaw, part (train, valid, test)",
        {"metavar": "REGEX"},
    ),
    Option(
        "subjects",
        "guessed: the person is a file's name up to the first _; unknown: nobody knows",
        {"choices": (GUESSED, UNKNOWN)},
    ),
    Option(
        "allow",
        "folder outside --input that links and paths may lead to (may be repeated)",
        {"action": "append", "type": location, "metavar": "DIR"},
    ),
)
LAYOUT = (
    "a folder with <class>/<subject>_<anything>.png (or .jpg …), <class>/<person>/image, "
    "<person>/<class>/image or train|valid|test/<class>/image, or a CSV file with the columns "
    "path,label,subject[,role][,fold][,left,top,right,bottom][,landmarks]"
)
_TABLES = (".csv", ".tsv")


def read(
    path: Path,
    prealigned: bool = False,
    landmarks: bool = False,
    subject_pattern: str | None = None,
    subjects: str | None = None,
    allow: Sequence[Path] = (),
) -> Database:
    """A folder `<class>/<subject>_<anything>.png|jpg|…`, or a CSV of such images.

    In a folder the subject is guessed: the name up to the first underscore (the whole stem if
    there is none), so that `p07_1.png` and `p07_2.png` are one person; in `<class>/<person>/` and
    `<person>/<class>/` it is the folder. Below `train`, `valid` and `test` it is unknown unless
    `subjects` is "guessed". `subject_pattern` tells it, and more (`patterns.GROUPS`). A CSV's
    columns are those of `lists.read_list`. Classes are sorted by name; names of one expression are
    one class. Every image trains and tests unless its role or part says otherwise.

    prealigned: the images are cropped faces. landmarks: the files of that column are used.
    subjects "unknown": nobody knows who is shown. allow: folders outside `path` that links and
    paths may lead to. Raises `BadUse` where the layout is another one.
    """
    if prealigned and landmarks:
        raise BadUse("--prealigned images are not searched, so leave out --landmarks")
    if subject_pattern and subjects:
        raise BadUse(f"--subject-pattern tells the subjects, so leave out --subjects {subjects}")
    for folder in allow:
        if not folder.is_dir():
            raise BadUse(f"--allow {folder} is not a folder")
    pattern = compiled(subject_pattern)
    if path.is_file() and path.suffix.lower() in _TABLES:
        if subjects == GUESSED:
            raise BadUse("--subjects guessed is for folders; a CSV has the column subject")
        return read_list(path, prealigned, landmarks, pattern, subjects == UNKNOWN, tuple(allow))
    root = input_folder(path, LAYOUT)
    if landmarks:
        raise BadUse(f"{root} is a folder; --landmarks needs a CSV file with a column landmarks")
    return read_folder(root, LAYOUT, prealigned, pattern, subjects, tuple(allow))
