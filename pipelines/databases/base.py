"""What every reader returns: samples, counts and notes, and the options that it takes.

A reader turns a folder as its owner holds it into `Sample`s. It decodes no image and
assigns no fold; it knows the names, the classes, and which frames train and which test.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.common.files import Location, location
from pipelines.common.records import Finding, Reject
from pipelines.common.text import listed
from pipelines.media.annotated import is_annotated
from pipelines.media.films import Film

KNOWN, GUESSED, UNKNOWN = SUBJECTS = ("known", "guessed", "unknown")
"""Where subjects come from: the database or the user's table or pattern; file names; nowhere."""

# Folders and files that operating systems and archivers leave behind.
_CLUTTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Option:
    """An option of a reader: the keyword of its `read`, and how argparse reads and explains it."""

    name: str
    help: str
    argparse: Mapping[str, Any] = field(hash=False)

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


LANDMARKS = Option(
    "landmarks",
    "align by the landmark files that come with the images",
    {"action": "store_true"},
)
"""Of every database that has such files."""
PREALIGNED = Option(
    "prealigned",
    "the images are cropped faces, to be resized and not searched",
    {"action": "store_true"},
)
"""Of databases whose images may be crops."""


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One labelled image, by reference or by value.

    key: unique and stable ("happiness/p003_03"); records are ordered by it. label: index into
    `Database.classes`. subject: the person's name, empty where it is not known. path: an image
    file, or pixels: uint8 (H,W) or (H,W,3) for databases that are one big file. film: the frame to
    take where `path` is a film. train: may be trained on; test: is tested. official: the database's
    own role in each of its folds (0 unused, 1 train, 2 valid, 3 test). fold: the fold that tests
    this subject, where the user sets it. intensity: 0 neutral to 1 peak. yaw: degrees. aligned:
    already a cropped face, to be resized and not searched. The face's place may be known
    beforehand, in the image's pixels: landmarks, a text file of 68 rows "x y"; box, left, top,
    right, bottom; anchors, the centres of the eye on the image's left, of the other eye and of the
    mouth, x y each. votes: the number of people who chose each of `Database.classes`; of every
    sample of a database, or of none.
    """

    key: str
    label: int
    subject: str
    path: str | None = None
    pixels: np.ndarray | None = None
    film: Film | None = None
    train: bool = True
    test: bool = True
    official: tuple[int, ...] | None = None
    fold: int | None = None
    frame: int = 0
    intensity: float = 1.0
    yaw: float = 0.0
    aligned: bool = False
    landmarks: str | None = None
    box: tuple[int, int, int, int] | None = None
    anchors: tuple[float, float, float, float, float, float] | None = None
    # Not in the text of a sample, which earlier versions' digests are made of.
    votes: tuple[int, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        # A person's images share one text: a fifth of the memory of a million samples.
        object.__setattr__(self, "subject", sys.intern(str(self.subject)))


@dataclass(frozen=True, eq=False)
class Database:
    """A read database.

    channels: 1 or 3, its default for training; root: the folder that sources are relative to;
    folds: its customary number; findings: counts beside the published ones; notes: what is odd,
    in sentences; rejects: what the reader refused, with reasons; people: attributes of each
    subject, for error rates by group; subjects: one of `SUBJECTS`, how far the samples' subjects
    can be relied on.
    """

    name: str
    classes: tuple[str, ...]
    samples: list[Sample]
    channels: int
    root: Location
    folds: int = 5
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    subjects: str = KNOWN

    def source(self, sample: Sample) -> str:
        """The file of a sample, relative to `root`; its key if it has no file."""
        if sample.path is None:
            return sample.key
        inside = sample.path.removeprefix(f"{self.root}/")
        # Of a path as readers write it, which takes a hundredth of the time.
        if inside != sample.path and "//" not in inside and "./" not in inside:
            return inside
        path = location(sample.path)
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        )


_FILES = {
    **dict.fromkeys((".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"),
                    ": unpack it and give the folder"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), ": save it as CSV"),
}  # fmt: skip
"""What to do with files that people give instead of a folder, by their ending."""


def input_folder(path: Location, layout: str) -> Location:
    """`path` if it is a folder with something in it, else `BadUse` with the layout."""
    if not path.exists():
        raise BadUse(f"{path} does not exist; --input takes {layout}")
    if not path.is_dir():
        hint = _FILES.get(path.suffix.lower(), "")
        raise BadUse(f"{path} is a file{hint}; --input takes {layout}")
    # A folder of a store is there only with something in it; listing it would take long.
    if isinstance(path, Path) and not any(path.iterdir()):
        raise BadUse(f"{path} is empty; --input takes {layout}")
    return path


def chosen(flag: str, values: Iterable[str], known: Iterable[str]) -> None:
    """`BadUse` unless every value of the option `flag` is known, and there is one."""
    known, values = list(known), list(values)
    unknown = [value for value in values if value not in known]
    if unknown or not values:
        raise BadUse(
            f"{flag} {listed(unknown) or '(none)'}: choose from {', '.join(known)}, with commas"
        )


def is_clutter(name: str) -> bool:
    """Hidden files, what operating systems leave behind, and the client's annotated copies."""
    return name.startswith(".") or name in _CLUTTER or is_annotated(name)


def check(database: Database, given: Location | None = None) -> Database:
    """The database, its samples sorted by key, with notes on what is odd. given: what was read,
    for messages.

    A file whose name is not UTF-8 is rejected: neither records nor manifest could hold it.
    Raises `BadUse` if it is empty, has a duplicate key, a class whose name is not UTF-8, or
    fewer than two classes.
    """
    where = given or database.root
    for name in database.classes:
        if name != shown(name):
            raise BadUse(f"the name of the class {shown(name)!r} is not UTF-8: rename its folder")
    samples = sorted(database.samples, key=lambda sample: sample.key)
    rejects = [
        Reject(
            shown(sample.key),
            shown(database.source(sample)),
            database.classes[sample.label],
            shown(sample.subject),
            "its name is not UTF-8: rename it",
        )
        for sample in samples
        if sample.key != shown(sample.key)
    ]
    samples = [sample for sample in samples if sample.key == shown(sample.key)]
    rejects = [*database.rejects, *rejects]
    if not samples:
        raise BadUse(
            f"{where} holds no usable sample of the database {database.name!r}{refused(rejects)}"
        )
    _refuse_pairs(database, samples)
    by_class = Counter(sample.label for sample in samples)
    if len(by_class) < 2:
        only = database.classes[samples[0].label]
        raise BadUse(
            f"{where} holds only the class {only!r}; recognition takes two or more"
            f"{refused(rejects)}"
        )
    notes = list(database.notes)
    for label, name in enumerate(database.classes):
        if by_class[label] == 0:
            notes.append(f"the class {name!r} has no image")
        elif by_class[label] == 1:
            notes.append(
                f"the class {name!r} has only one image, so no fold both trains and tests it"
            )
    return Database(**{**vars(database), "samples": samples, "rejects": rejects, "notes": notes})


def refused(rejects: Sequence[Reject]) -> str:
    """`; 4 were refused: 3 × reason, 1 × other reason`, nothing without rejects."""
    reasons = Counter(reject.reason for reject in rejects).most_common()
    why = listed((f"{count} × {reason}" for reason, count in reasons), noun="more reasons")
    return f"; {len(rejects)} were refused: {why}" if rejects else ""


def _refuse_pairs(database: Database, samples: list[Sample]) -> None:
    """`BadUse` listing all sources of a key that several samples have."""
    pairs = [
        " and ".join(database.source(sample) for sample in group) + f" ({key!r})"
        for key, group in (
            (key, list(group)) for key, group in itertools.groupby(samples, lambda s: s.key)
        )
        if len(group) > 1
    ]
    if pairs:
        raise BadUse(
            f"{len(pairs)} names are given to several images, of which one has to be renamed or "
            f"removed: {listed(pairs, 100)}"
        )


def shown(name: str) -> str:
    """A file's name with a question mark for each byte of it that was not UTF-8."""
    return name.encode(errors="replace").decode()


def listed_names(names: Iterable[str], shown: int = 5) -> str:
    """`a (3), b, c and 2 more`: the distinct names in order, with their counts."""
    counts = sorted(Counter(names).items())
    return listed((name if count == 1 else f"{name} ({count})" for name, count in counts), shown)
