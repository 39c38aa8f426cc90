"""Names of expressions and people: what is written in several ways is one class, one person."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from pipelines.common.text import listed

_ALSO = {
    "neutral": (),
    "anger": ("angry",),
    "contempt": ("contemptuous",),
    "disgust": ("disgusted",),
    "fear": ("afraid", "fearful"),
    "happiness": ("happy", "joy"),
    "sadness": ("sad",),
    "surprise": ("surprised",),
}
PAPER = tuple(_ALSO)
"""The expressions as the paper names them."""
_PAPER_NAME = {name: paper for paper, others in _ALSO.items() for name in (paper, *others)}
_NUMBER = re.compile(r"0*([0-9]+)(\.0*)?")
_GAPS = re.compile(r"[\s_-]+")


def normal(name: str) -> str:
    """The name without what people write differently: case, blanks, `_` and `-`, Unicode form."""
    return _GAPS.sub(" ", unicodedata.normalize("NFKC", name)).strip().casefold()


def paper_name(name: str) -> str | None:
    """The paper's name of an expression ("Happy": "happiness"), None for any other word."""
    return _PAPER_NAME.get(normal(name))


def merged(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The class of every name, and a note for each class that has several.

    Names that differ in case, blanks, `_`, `-` or Unicode form, are synonyms, or are one
    whole number (3, 3.0, 03), are one class, in the paper's name where it has one. A name that
    stands alone stays as it is.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[paper_name(name) or _number(name) or normal(name)].add(name)
    classes, notes = {}, []
    for group in groups.values():
        first = min(group)
        if len(group) > 1:
            first = paper_name(first) or _number(first) or min(_tidy(name) for name in group)
            spelt = listed((repr(name) for name in sorted(group)), 10)
            notes.append(f"{spelt} are one class, {first!r}")
        classes |= dict.fromkeys(group, first)
    return classes, notes


def one_person_each(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The subject of every name, and a note on those that are written in several ways.

    Names that differ in case, blanks, `_`, `-` or Unicode form, or are one whole number (1, 01,
    1.0), are one person, who would otherwise be trained on and tested. A name that stands alone
    stays as it is.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for name in sorted(names):
        # Of `_` and `-` nothing is left.
        groups[_number(name) or normal(name) or name].add(name)
    subjects, several = {}, []
    for group in groups.values():
        first = min(group)
        if len(group) > 1:
            first = _number(first) or min(map(_tidy, group))
            several.append(" = ".join(map(repr, sorted(group))))
        subjects |= dict.fromkeys(group, first)
    notes = [f"people whose names are written in several ways: {len(several)} ({listed(several)})"]
    return subjects, notes * bool(several)


def naming_note(names: Iterable[str]) -> list[str]:
    """A note on the names of a database that are not the paper's, none if all are."""
    pairs = [(name, paper_name(name)) for name in names]
    changed = [f"{name} is {paper}" for name, paper in pairs if paper and paper != name]
    return [f"classes are named as in the paper: {listed(changed, 10)}"] if changed else []


def _number(name: str) -> str | None:
    """ "3" of "3", "3.0" and "03", None for what is not a whole number."""
    match = _NUMBER.fullmatch(name.strip())
    return match[1] if match else None


def _tidy(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())
