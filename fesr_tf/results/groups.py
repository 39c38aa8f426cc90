"""Error rates by group of people, as the table of people beside the data defines the groups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fesr_tf.crossvalidation.outcomes import Unit, answers
from fesr_tf.metrics import comparison
from pipelines.common.errors import BadUse
from pipelines.databases.tables import read_table
from pipelines.dataset.people import NAME

FEWEST = 10
"""With fewer people a rate says nothing of a group."""

# The renderer's ranges: age in [0, 1], about 20 to 70 years; skin in [0, 5], light to dark.
_THIRDS = {
    "age": ((1 / 3, "about 20 to 36"), (2 / 3, "about 37 to 53"), (1.01, "about 54 to 70")),
    "skin": (
        (5 / 3, "lighter third of the scale"),
        (10 / 3, "middle third"),
        (5.01, "darker third"),
    ),
}
_SEXES = {"F": "female", "M": "male"}


class Rate(NamedTuple):
    """One variant's errors on one group. wrong: images predicted wrongly (over several seeds, the
    sum of shares); rate: wrong / pictures, in [0, 1]; interval: Wilson's, 95 %."""

    wrong: float
    pictures: int
    people: int
    rate: float
    interval: tuple[float, float]


def read_people(
    data: Path | None, database: str, given: Path | None = None
) -> dict[str, dict[str, str]]:
    """{person: {attribute: group}} from the table `given`, or else people.csv in the data folder.

    Empty if there is no table, or no data folder (None). Raises `BadUse` if `given` is absent, and
    for a table with two different lines of one person.
    """
    if given and not given.is_file():
        raise BadUse(f"--people {given} is not a file")
    path = given or (data / NAME if data else None)
    if path is None or not path.is_file():
        return {}
    people: dict[str, dict[str, str]] = {}
    for row in read_table(path, ("subject",)):
        rest = {k: v for k, v in row.values.items() if k and k.lower() != "subject" and v}
        groups = _rendered(row) if database == "demo" else rest
        if people.setdefault(row["subject"], groups) != groups:
            raise BadUse(
                f"{path}, line {row.line}: {row['subject']} has other values than on an earlier "
                "line; give one line a person"
            )
    return people


def _rendered(row) -> dict[str, str]:
    """The groups of a rendered person; each third is of the renderer's range, not of the people."""
    groups = {"sex": _SEXES.get(row["sex"], row["sex"])} if row["sex"] else {}
    for name, thirds in _THIRDS.items():
        if row[name]:
            value = row.number(name)
            groups[name] = next((text for end, text in thirds if value < end), thirds[-1][1])
    return groups


def rates(
    evaluations: Mapping[Unit, dict], people: Mapping[str, Mapping[str, str]]
) -> dict[tuple[str, str], Rate]:
    """{(attribute, group): rate} of one variant's evaluations, all folds pooled. Over several
    seeds an image counts as the share of seeds that got it wrong. People who are not in the table
    are in no group."""
    if not evaluations:
        return {}
    pooled = comparison.by_image(answers(evaluations))
    found = {}
    for attribute in dict.fromkeys(name for groups in people.values() for name in groups):
        groups = [people.get(s, {}).get(attribute, "") for s in pooled.subjects.tolist()]
        for group in _in_order(attribute, set(groups) - {""}):
            inside = np.array(groups) == group
            wrong = comparison.proportion(1 - pooled.right[inside])
            found[attribute, group] = Rate(
                wrong["right"],
                wrong["pictures"],
                len(set(pooled.subjects[inside].tolist())),
                wrong["accuracy"],
                tuple(wrong["interval"]),
            )
    return found


def _in_order(attribute: str, groups: set[str]) -> list[str]:
    known = [text for _, text in _THIRDS.get(attribute, ())]
    return sorted(groups, key=lambda name: (known.index(name) if name in known else -1, name))


def sentences(found: Mapping[tuple[str, str], Rate]) -> list[str]:
    """Conclusions from a variant's rates, for each attribute: the groups that are too small, and
    whether the intervals of the best and the worst of the others overlap."""
    conclusions = []
    for attribute in dict.fromkeys(name for name, _ in found):
        here = {group: rate for (name, group), rate in found.items() if name == attribute}
        small = [f"“{g}” ({_people(r.people)})" for g, r in here.items() if r.people < FEWEST]
        large = {group: rate for group, rate in here.items() if rate.people >= FEWEST}
        if small:
            conclusions.append(
                f"{attribute}: too few people to conclude anything about {', '.join(small)}; with "
                f"fewer than {FEWEST} people, individuals alone can explain a difference."
            )
        if len(large) > 1:
            conclusions.append(f"{attribute}: {_compared(large)}")
    return conclusions


def _people(count: int) -> str:
    return f"{count} person" if count == 1 else f"{count} people"


def _compared(rates: Mapping[str, Rate]) -> str:
    best = min(rates, key=lambda group: rates[group].rate)
    worst = max(rates, key=lambda group: rates[group].rate)
    if rates[best].interval[1] < rates[worst].interval[0]:
        return (
            f"errors on “{worst}” are more frequent than on “{best}”, and their intervals do not "
            "overlap: treat it as a difference."
        )
    return (
        "the intervals of the best and the worst of the large groups overlap: no difference is "
        "shown, which does not mean that there is none."
    )
