"""What the user's pattern reads from the path of an image."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pipelines.common.errors import BadUse
from pipelines.common.text import listed
from pipelines.databases.labels import normal, paper_name
from pipelines.databases.parts import role_of

GROUPS = ("subject", "label", "frame", "yaw", "part")


@dataclass(frozen=True)
class Told:
    """The groups of a match; empty or None where the pattern has none or it took no part."""

    subject: str = ""
    label: str = ""
    frame: int = 0
    yaw: float = 0.0
    part: int | None = None


class Unmatched(Exception):
    """Why a path gives nothing."""


def compiled(text: str | None) -> re.Pattern[str] | None:
    """The pattern; `BadUse` for one that does not compile or has other groups than `GROUPS`."""
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise BadUse(f"--subject-pattern {text!r} is not a regular expression: {error}") from None
    unknown = [name for name in pattern.groupindex if name not in GROUPS]
    if unknown or not pattern.groupindex:
        found = f"the unknown group {unknown[0]!r}" if unknown else "no named group"
        raise BadUse(
            f"--subject-pattern {text!r} has {found}; name groups as in "
            rf"'(?P<subject>[A-Z]+\d+)_', of {', '.join(GROUPS)}"
        )
    return pattern


def told(pattern: re.Pattern[str], path: str) -> Told:
    """What `pattern`, searched in a path relative to the root, gives; `Unmatched` with the reason
    if that is nothing, or a value that cannot be."""
    match = pattern.search(path)
    if match is None:
        raise Unmatched("its path does not match --subject-pattern")
    values = {name: value.strip() for name, value in match.groupdict().items() if value}
    frame, yaw, part = values.get("frame", "0"), values.get("yaw", "0"), values.get("part")
    if not (frame.isdecimal() and len(frame) <= 18):
        raise Unmatched(f"its frame {frame!r:.40} is not a whole number")
    try:
        degrees = float(yaw)
    except ValueError:
        degrees = math.nan
    if not math.isfinite(degrees):
        raise Unmatched(f"its yaw {yaw!r:.40} is not a number of degrees")
    role = role_of(part) if part else None
    if part and role is None:
        raise Unmatched(f"its part {part!r:.40} is not train, valid or test")
    return Told(values.get("subject", ""), values.get("label", ""), int(frame), degrees, role)


def check_matched(
    pattern: re.Pattern[str], matched: int, paths: list[str], reasons: Iterable[str] = ()
) -> None:
    """`BadUse` if the pattern matched none of the paths. reasons: why each path gave nothing."""
    if not matched and paths:
        why = "".join(f" ({reason})" for reason, _ in Counter(reasons).most_common(1))
        raise BadUse(
            f"--subject-pattern {pattern.pattern!r} fits none of the {len(paths)} images, among "
            f"them {listed(paths, 3)}{why}"
        )


def check_people(pattern: re.Pattern[str] | None, people: Collection[tuple[str, str]]) -> None:
    """`BadUse` if the pattern's subjects are classes. people: subject and label of the images."""
    if pattern is None or "subject" not in pattern.groupindex:
        return
    named = {(subject, label) for subject, label in people if subject}
    as_labels = all(normal(subject) == normal(label) for subject, label in named)
    if named and (as_labels or all(paper_name(subject) for subject, _ in named)):
        raise BadUse(
            f"--subject-pattern {pattern.pattern!r} reads classes as subjects: "
            f"{listed(sorted({subject for subject, _ in named}))}; let the group subject match the "
            "person"
        )
