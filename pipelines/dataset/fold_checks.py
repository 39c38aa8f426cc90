"""Checks of a division: people on two sides, names that may be one person, unused images."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from pipelines.common.errors import FailedWork
from pipelines.common.roles import PARTS, UNUSED, VALID
from pipelines.databases.base import Sample

CROSSING = "people on two sides of a split"
"""The short description of this anomaly, by which other commands find it in a manifest."""
_NUMBER = re.compile(r"\d+(\.\d+)?")


def untrainable(by_fold: Sequence[Mapping[str, int]]) -> str:
    """Why no fold both trains and tests, in a few words; empty if one does. by_fold: the images
    of each of `PARTS`, for every fold."""
    if any(part["train"] and part["test"] for part in by_fold):
        return ""
    sizes = ", ".join(f"{by_fold[0][name]} {name}" for name in PARTS)
    return f"no fold has both images to train on and images to test (fold 0: {sizes})"


def refuse_crossing(samples: Iterable[Sample], splits: dict[str, tuple[int, ...]]) -> None:
    """`FailedWork` if in any fold a subject has two of the roles train, valid and test."""
    for subject, fold in crossing((sample.subject, splits[sample.key]) for sample in samples):
        raise FailedWork(f"subject {subject} crosses the splits of fold {fold}")


def crossing(roles: Iterable[tuple[str, Sequence[int]]]) -> list[tuple[str, int]]:
    """Every (subject, fold) in which a subject has two of the roles train, valid and test.

    roles: (subject, one role a fold) pairs, in any order. An unknown subject crosses nothing.
    """
    first: dict[tuple[str, int], int] = {}
    crossed = set()
    for subject, splits in {(subject, tuple(splits)) for subject, splits in roles if subject}:
        for fold, role in enumerate(splits):
            if role != UNUSED and first.setdefault((subject, fold), role) != role:
                crossed.add((subject, fold))
    return sorted(crossed)


def lookalikes(subjects: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ by case, surrounding blanks, Unicode form or, as 1 and 01 or
    1.0, by the form of a number alone.

    "Anna" and "anna " may be one person, who would then be both trained on and tested.
    """
    groups: dict[str | Decimal, set[str]] = defaultdict(set)
    for subject in filter(None, subjects):
        name = unicodedata.normalize("NFKC", subject).strip().casefold()
        groups[Decimal(name) if _NUMBER.fullmatch(name) else name].add(subject)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def idle_training(samples: Iterable[Sample], splits: Mapping[str, tuple[int, ...]]) -> list[int]:
    """For every fold, how many images that may train but not be tested are unused there, because
    their subject validates the fold."""
    samples = list(samples)
    validating = {
        (sample.subject, fold)
        for sample in samples
        for fold, role in enumerate(splits[sample.key])
        if role == VALID and sample.subject
    }
    idle = [0] * max((len(roles) for roles in splits.values()), default=0)
    for sample in samples:
        for fold, role in enumerate(splits[sample.key]):
            if role == UNUSED and not sample.test and (sample.subject, fold) in validating:
                idle[fold] += 1
    return idle
