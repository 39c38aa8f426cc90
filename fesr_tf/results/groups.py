"""Error rates by group of people: who they are comes from the table of people beside the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fesr_tf.crossvalidation.outcomes import Unit, answers
from fesr_tf.metrics import comparison
from pipelines.common.errors import BadUse
from pipelines.databases.tables import read_table
from pipelines.dataset.people import NAME

FEWEST = 10
"""People below whom a group's rate is not to be read as one."""

# The renderer draws age in [0, 1], about 20 to 70 years, and skin in [0, 5], light to dark.
_AGES = ((1 / 3, "about 20 to 36"), (2 / 3, "about 37 to 53"), (1.01, "about 54 to 70"))
_SKINS = ((5 / 3, "lighter third of the scale"), (10 / 3, "middle third"), (5.01, "darker third"))
_SEXES = {"F": "female", "M": "male"}


class Rate(NamedTuple):
    """One variant's errors on one group: shares of pictures, Wilson's interval."""

    wrong: float
    pictures: int
    people: int
    rate: float
    interval: tuple[float, float]


def read_people(
    data: Path | None, database: str, given: Path | None = None
) -> dict[str, dict[str, str]]:
    """{person: {attribute: group}} of `people.csv` in the data folder, or of the table that was
    given; empty where there is none (data None: they are not there). Raises `BadUse` for a table
    that says two things of one person."""
    if given and not given.is_file():
        raise BadUse(f"--people {given} is not a file")
    path = given or (data / NAME if data else None)
    if path is None or not path.is_file():
        return {}
    people: dict[str, dict[str, str]] = {}
    for row in read_table(path, ("subject",)):
        rest = {k: v for k, v in row.values.items() if k and k != "subject" and v}
        groups = _rendered(row) if database == "demo" else rest
        if people.setdefault(row["subject"], groups) != groups:
            raise BadUse(
                f"{path}, line {row.line}: {row['subject']} was said to be otherwise before"
            )
    return people


def _rendered(row) -> dict[str, str]:
    """The groups of a rendered person: a third of the renderer's range each, not of the people."""
    groups = {}
    if row["sex"]:
        groups["sex"] = _SEXES.get(row["sex"], row["sex"])
    for name, steps in (("age", _AGES), ("skin", _SKINS)):
        if row[name]:
            value = row.number(name)
            groups[name] = next((text for end, text in steps if value < end), steps[-1][1])
    return groups


def rates(
    evaluations: Mapping[Unit, dict], people: Mapping[str, Mapping[str, str]]
) -> dict[tuple[str, str], Rate]:
    """{(attribute, group): rate} of one variant's evaluations, all folds pooled; a picture counts
    as the share of seeds that got it wrong. People of whom nothing is known are in no group."""
    if not evaluations:
        return {}
    seen = comparison.by_image(answers(evaluations))
    found = {}
    attributes = dict.fromkeys(name for groups in people.values() for name in groups)
    for attribute in attributes:
        of = np.array([people.get(s, {}).get(attribute, "") for s in seen.subjects.tolist()])
        for group in _in_order(attribute, set(of.tolist()) - {""}):
            inside = of == group
            wrong = comparison.proportion(1 - seen.right[inside])
            found[attribute, group] = Rate(
                wrong["right"],
                wrong["pictures"],
                len(set(seen.subjects[inside].tolist())),
                wrong["accuracy"],
                tuple(wrong["interval"]),
            )
    return found


def _in_order(attribute: str, groups: set[str]) -> list[str]:
    known = [text for _, text in {"age": _AGES, "skin": _SKINS}.get(attribute, ())]
    return sorted(groups, key=lambda each: (known.index(each) if each in known else -1, each))


def sentences(found: Mapping[tuple[str, str], Rate]) -> list[str]:
    """What may be said of a variant's rates by group, attribute after attribute: which groups are
    too small, and whether the others' intervals are apart."""
    said = []
    for attribute in dict.fromkeys(name for name, _ in found):
        here = {group: rate for (name, group), rate in found.items() if name == attribute}
        small = [f"“{g}” ({_people(r.people)})" for g, r in here.items() if r.people < FEWEST]
        large = {group: rate for group, rate in here.items() if rate.people >= FEWEST}
        if small:
            said.append(
                f"{attribute}: too few people to say anything about {_and(small)}; fewer than "
                f"{FEWEST} in a group can differ by who they are alone."
            )
        if len(large) > 1:
            said.append(f"{attribute}: {_apart(large)}")
    return said


def _apart(rates: Mapping[str, Rate]) -> str:
    """Whether the best and the worst group's intervals are apart."""
    best = min(rates, key=lambda group: rates[group].rate)
    worst = max(rates, key=lambda group: rates[group].rate)
    if rates[best].interval[1] < rates[worst].interval[0]:
        return (
            f"errors on “{worst}” are more frequent than on “{best}”, and their intervals are "
            "apart: treat it as a difference."
        )
    return (
        "the intervals of the groups that are large enough overlap: no difference is shown, which "
        "is not to say that there is none."
    )


def _people(count: int) -> str:
    return f"{count} person" if count == 1 else f"{count} people"


def _and(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
