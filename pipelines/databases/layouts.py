"""Tells from the names of folders which level is the class, which the person, which the part."""

from __future__ import annotations

import pathlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.common.errors import BadUse
from pipelines.common.files import Location
from pipelines.common.roles import TRAIN
from pipelines.common.text import listed
from pipelines.databases.labels import paper_name
from pipelines.databases.parts import role_of
from pipelines.databases.sequences import real

_FOLD = re.compile(r"(cv|k)?[ _-]?fold[ _-]?[0-9]+", re.IGNORECASE)

Names = tuple[str, ...]
"""The folders from the root down to an image."""


@dataclass(frozen=True)
class Levels:
    """Positions in `Names`; depth: how many folders lie above each image."""

    depth: int
    label: int
    person: int | None = None
    part: int | None = None

    def shown(self) -> str:
        """`<part>/<class>/<person>/image`."""
        kinds = {self.label: "<class>", self.person: "<person>", self.part: "<part>"}
        return "/".join([*(kinds[level] for level in range(self.depth)), "image"])


def levels(root: Location, images: Sequence[Names], layout: str) -> Levels:
    """How the folders of images are to be read; images at another depth are not covered.

    The part is a level whose names are all of train, valid, test; at the top others may lie beside
    them. Of two other levels the class is the one named as expressions are, else the one with
    fewer names. Raises `BadUse` naming the level that is too many or missing, or both readings.
    """
    inside = [names for names in images if names]
    if not inside:
        raise BadUse(
            f"{root} has no class folder with images in it, but images directly in it "
            f"({len(images)}): one level too low? --input takes {layout}"
        )
    tops = {names[0] for names in inside}
    divides = _divides(tops)
    if divides:
        inside = [names for names in inside if role_of(names[0])]
    depth = min(Counter(map(len, inside)).items(), key=lambda item: (-item[1], item[0]))[0]
    rows = {names for names in inside if len(names) == depth}
    named = [sorted({names[level] for names in rows}) for level in range(depth)]
    for names in named:
        if len(names) > 1 and all(map(_FOLD.fullmatch, names)):
            raise BadUse(
                f"the folders {listed(names)} of {root} are folds, which only a CSV gives, in its "
                "column fold; list the images in one, or give --subject-pattern with the groups "
                "subject and label to cut new folds"
            )
    part = next((k for k in range(depth) if all(map(role_of, named[k]))), 0 if divides else None)
    others = [level for level in range(depth) if level != part]
    if not others:
        raise BadUse(
            f"the folders {listed(named[0])} of {root} are parts and hold images directly, without "
            f"a folder for each class; --input takes {layout}"
        )
    first = named[others[0]]
    if len(others) > 1 and len(first) == 1 and not paper_name(first[0]):
        below = listed(named[others[1]])
        raise BadUse(
            f"{root} holds only the folder {first[0]!r}, and in it {below}: one level too high? "
            f"--input {root / first[0]}"
        )
    if len(others) == 1:
        return Levels(depth, others[0], part=part)
    if len(others) > 2:
        raise BadUse(
            f"the images of {root} lie {depth} folders deep ({'/'.join(min(rows))}); --input takes "
            f"{layout}; of other folders --subject-pattern tells what names mean"
        )
    label, person = _label_and_person(root, rows, *others)
    return Levels(depth, label, person, part)


def beside(root: Location) -> Names:
    """The names of the folders next to `root`, for a hint that it is one level too low."""
    here = real(root)
    # Listing a store's bucket may take long.
    if not isinstance(here, pathlib.Path):
        return ()
    try:
        return tuple(sorted(e.name for e in here.parent.iterdir() if e.is_dir() and e != here))
    except OSError:
        return ()


def _divides(names: Iterable[str]) -> bool:
    """Whether there is a part that trains and one that does not."""
    roles = {role_of(name) for name in names} - {None}
    return TRAIN in roles and len(roles) > 1


def _label_and_person(root: Location, rows: set[Names], *two: int) -> tuple[int, int]:
    """The level of the class and that of the person, of two levels."""
    named = [sorted({names[level] for names in rows}) for level in two]
    shares = [sum(map(bool, map(paper_name, names))) / len(names) for names in named]
    if max(shares) >= 0.5 and shares[0] != shares[1]:
        return two if shares[0] > shares[1] else two[::-1]
    if len(named[0]) == len(named[1]):
        raise BadUse(
            f"in {root} either {listed(named[0])} or {listed(named[1])} are the classes, and the "
            "others people; --subject-pattern tells which, for example "
            "'(?P<label>[^/]+)/(?P<subject>[^/]+)/'"
        )
    return two if len(named[0]) < len(named[1]) else two[::-1]
