"""Doubts subjects that were guessed from names of files or folders: are they people at all?"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from pipelines.common.text import listed
from pipelines.databases.labels import paper_name

DOUBT = "doubtful subjects"
"""The short description of this anomaly, by which other commands find it in a manifest."""

HINT = (
    "tell which part of a name is the person with --subject-pattern 'REGEX with (?P<subject>…)', "
    "or give --subjects unknown"
)

_PARTS = frozenset(
    (
        "train",
        "training",
        "test",
        "testing",
        "val",
        "valid",
        "validation",
        "publictest",
        "privatetest",
        "fold",
        "split",
        "part",
    )
)
# Files numbered by a camera or a program, as in im12, IMG or DSC0042.
_FILE = re.compile(
    r"(im|imgs?|images?|pics?|pictures?|photos?|frames?|faces?|dsc[nf]?|pxl|mvimg|vid|dji|gopr"
    r"|scans?|screenshots?|untitled)[-_ ]*\d*",
    re.IGNORECASE,
)
# Days, as in 20230131 or 2023-01-31.
_DATE = re.compile(r"(19|20)\d\d([-.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])")
_GROUPS = frozenset(("male", "female", "man", "men", "woman", "women", "boy", "girl"))
_GROUPS |= {"males", "females", "boys", "girls"}
# A name of three letters or more, and a number set apart from it, as in anna-0 or "anna (2)".
_NUMBERED = re.compile(r"(.*[^\W\d_]{3}.*?)(?:-+| +)\(?\d+\)?")
# A name and three digits or fewer, as in Rafd090; cameras stand at multiples of 15 degrees.
_ANGLE = re.compile(r"[a-z]*[-+]?(\d{1,3})(?:deg)?", re.IGNORECASE)
_STEP, _WIDEST = 15, 180
# The share of the images beyond which names of a kind are no accident.
_SHARE = 0.25
# Five folds are usual; a film or a session gives a person some dozen images, a set hundreds.
_FEW_PEOPLE, _MANY_IMAGES = 5, 50
_FEW_TOKENS, _MANY_IN_A_CLASS = 10, 25
_SHOWN = 5


def doubt(subjects: Sequence[str], classes: Sequence[str]) -> str:
    """One sentence on why guessed subjects do not look like people, and what to do; empty where
    they do. subjects, classes: the subject and the class's name of every image."""
    found = reasons(subjects, classes)
    if not found:
        return ""
    return (
        "the subjects were guessed from names of files or folders and may not be people: "
        f"{'; '.join(found)}. If they are not, one person may be on two sides of a split and "
        f"accuracies are too high: {HINT}"
    )


def reasons(subjects: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Every reason, in a few words; see `doubt`."""
    images = Counter(subjects)
    if not images:
        return []
    found = []
    parts = {name for name in images if not _PARTS.isdisjoint(_words(name))}
    if _often(parts, images):
        found.append(f"{_named(parts)} {_is(parts, 'a part', 'parts')} of a data set")
    angles = {name for name in images if _angle(name) is not None}
    if len(angles) == len(images) and len({_angle(name) for name in angles} - {0}) > 0:
        found.append(f"{_named(angles)} {_is(angles, 'an angle', 'angles')}")
    own = {name.casefold() for name in classes}
    labels = {name for name in images if name.casefold() in own or paper_name(name)}
    if _often(labels, images):
        found.append(f"{_named(labels)} {_is(labels, 'a class', 'classes')}")
    files = {name for name in images if _FILE.fullmatch(name)}
    if _often(files, images):
        found.append(f"{_named(files)} {_is(files, 'a numbered file', 'numbered files')}")
    dates = {name for name in images if _DATE.fullmatch(name)}
    if _often(dates, images):
        found.append(f"{_named(dates)} {_is(dates, 'a date', 'dates')}")
    groups = {name for name in images if name.casefold() in _GROUPS}
    if _often(groups, images):
        found.append(f"{_named(groups)} {_is(groups, 'a group', 'groups')} of people")
    if found:
        return found
    if alike := _numbered_alike(images):
        found.append(
            f"{_named(alike)} differ by the number at their end alone, so several may be one person"
        )
    each = len(subjects) / len(images)
    if len(images) == len(subjects):
        found.append("every image has a subject of its own")
    elif len(images) < _FEW_PEOPLE and each >= _MANY_IMAGES:
        found.append(
            f"there are only {len(images)} of them ({_named(images)}), with {each:.0f} images each"
        )
    pairs = set(zip(subjects, classes, strict=True))
    whole = len(pairs) == len(images) * len(set(classes))
    if whole and len(images) < _FEW_TOKENS and len(subjects) / len(pairs) >= _MANY_IN_A_CLASS:
        found.append(
            f"the same {len(images)} ({_named(images)}) are in every class, with "
            f"{len(subjects) / len(pairs):.0f} images each"
        )
    return found


def _words(name: str) -> set[str]:
    """train and data of train_data1; public and test of PublicTest, and both in one."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    return {word.casefold() for word in words} | {"".join(words).casefold()}


def _numbered_alike(images: Counter[str]) -> set[str]:
    """Names of several people, numbered within each; `subject-1`, `subject-2` are none such."""
    groups = defaultdict(set)
    for name in images:
        if match := _NUMBERED.fullmatch(name):
            groups[match[1].casefold()].add(name)
    several = [names for names in groups.values() if len(names) > 1]
    alike = {name for names in several for name in names} if len(several) > 1 else set()
    return alike if _often(alike, images) else set()


def _often(names: Collection[str], images: Counter[str]) -> bool:
    return sum(images[name] for name in names) > _SHARE * images.total()


def _angle(name: str) -> int | None:
    """The angle that a name states, None if it states none."""
    match = _ANGLE.fullmatch(name)
    if match is None:
        return None
    angle = int(match[1])
    return angle if angle % _STEP == 0 and angle <= _WIDEST else None


def _named(names: Collection[str]) -> str:
    return listed(sorted(names), _SHOWN)


def _is(names: Collection[str], one: str, many: str) -> str:
    return f"is {one}" if len(names) == 1 else f"are {many}"
