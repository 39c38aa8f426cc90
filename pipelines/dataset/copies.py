"""Finds copies of one image, and what to do with those on two sides of a split.

Two images are copies where they are equal to the byte, or where their fingerprints, one of them
mirrored or not, have a cosine of `COSINE` or more. Images of one known person with the same part in
every fold are compared to the byte alone: neighbouring frames of a film are alike, and no part of a
fold separates them. Where an official split has one person on two sides, `COSINE_OF_ONE` counts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from pipelines.common.roles import PARTS, UNUSED
from pipelines.common.text import listed
from pipelines.dataset import fingerprints
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import Dropped

NAME = "copies.csv"
RULES = REFUSED, ALLOWED, DROPPED = ("refused", "allowed", "dropped")
"""What happens with copies on two sides of a split; `--allow-copies`, `--drop-copies`."""

COSINE = 0.96
"""Copies reach more, images of different people less: `benchmarks.robustness.copies`."""

COSINE_OF_ONE = 0.99
"""For images of one known person on two sides of a split. A person's two expressions in photographs
reach less; no value tells copies from neighbouring frames, which are as good as trained on."""

SHOWN = 10
_FIELDS = ("image", "copy", "class", "class_of_copy", "parts", "parts_of_copy", "cosine")
_ROWS = 1024
_COLUMNS = 8192


class Pair(NamedTuple):
    """Two rows of the columns, in their order, and the cosine of their fingerprints; 1 where the
    images are equal."""

    first: int
    second: int
    cosine: float


@dataclass(frozen=True)
class Copies:
    """Pairs with different parts in some fold, and pairs with the same part.

    Each image is paired with its nearest copy of every combination of roles, not with all.
    """

    NAMES: ClassVar = ("across", "within")

    across: tuple[Pair, ...]
    within: tuple[Pair, ...]


def find(columns: Columns) -> Copies:
    """The copies among all records. Compares every image with every other one, in blocks: 32,000
    images take about half a minute, ten times as many a hundred times as long."""
    of_row, patterns = columns.pattern_of_row, columns.patterns
    known = (patterns != UNUSED)[:, None] & (patterns != UNUSED)[None]
    differ = patterns[:, None] != patterns[None]
    crossing, together = (known & differ).any(-1), (known & ~differ).any(-1)
    found: dict[tuple[int, int], float] = {}
    for first, second, cosine in (*_near(columns, of_row, crossing), *_equal(columns, of_row)):
        pair = min(first, second), max(first, second)
        found[pair] = max(cosine, found.get(pair, 0.0))
    across, within = [], []
    for (first, second), cosine in sorted(found.items()):
        pair = Pair(first, second, cosine)
        if crossing[of_row[first], of_row[second]]:
            across.append(pair)
        elif together[of_row[first], of_row[second]]:
            within.append(pair)
    return Copies(tuple(across), tuple(within))


def dropped(columns: Columns, across: Sequence[Pair]) -> tuple[Dropped, ...]:
    """The roles to take away so that no copies are left on two sides of a split: of each pair, in
    each fold, that of the image further from the test (train before valid before test)."""
    splits, taken = columns.splits, {}
    for first, second, _ in across:
        for fold, roles in enumerate(zip(splits[first], splits[second], strict=True)):
            if UNUSED not in roles and roles[0] != roles[1]:
                loser, winner = (first, second) if roles[0] < roles[1] else (second, first)
                _, folds = taken.setdefault(loser, (winner, set()))
                folds.add(fold)
    keys = columns.keys
    return tuple(
        Dropped(keys[row], keys[winner], tuple(sorted(folds)))
        for row, (winner, folds) in sorted(taken.items())
    )


def described(columns: Columns, pairs: Sequence[Pair]) -> str:
    """`4 images (pairs: 1 equal, 1 near): a = b, c = d; 1 of the pairs have two classes: …`"""
    count = len({row for pair in pairs for row in pair[:2]})
    equal = sum(columns.digest(a) == columns.digest(b) for a, b, _ in pairs)
    keys, names = columns.keys, columns.class_names
    classes = [names[index] for index in columns.class_name]
    text = f"{count:,} images (pairs: {equal:,} equal, {len(pairs) - equal:,} near): "
    text += listed((f"{keys[a]} = {keys[b]}" for a, b, _ in pairs), SHOWN)
    if twice := [pair for pair in pairs if classes[pair.first] != classes[pair.second]]:
        text += f"; {len(twice):,} of the pairs have two classes: " + listed(
            (f"{keys[a]} ({classes[a]}) = {keys[b]} ({classes[b]})" for a, b, _ in twice), SHOWN
        )
    return text


def of_two_people(columns: Columns, pairs: Sequence[Pair]) -> str:
    """`p1 and p2, p3 and p4`: the subjects, known or guessed, that a pair shows as two; empty if
    none does."""
    named = {
        tuple(sorted(columns.subjects[columns.subject[row]] for row in pair[:2])) for pair in pairs
    }
    return listed((f"{a} and {b}" for a, b in sorted(named) if a and a != b), SHOWN)


def table(columns: Columns, pairs: Sequence[Pair]) -> str:
    """`copies.csv`: a line a pair, with both classes and their parts in every fold."""
    parts = {role: name for name, role in PARTS.items()} | {UNUSED: "-"}
    splits, names = columns.splits, columns.class_names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for pair in pairs:
        rows = pair[:2]
        writer.writerow(
            [
                *(columns.keys[row] for row in rows),
                *(names[columns.class_name[row]] for row in rows),
                *(" ".join(parts[int(role)] for role in splits[row]) for row in rows),
                f"{pair.cosine:.3f}",
            ]
        )
    return text.getvalue()


def is_table(content: bytes) -> bool:
    """Whether a file is one that `table` made."""
    return content.startswith(",".join(_FIELDS).encode() + b"\n")


def _near(
    columns: Columns, of_row: np.ndarray, crossing: np.ndarray
) -> Iterator[tuple[int, int, float]]:
    """Each image with its nearest one of every combination of roles, where that is a copy.

    crossing: bool (U,U), whether two combinations of roles are on two sides of a split.
    """
    prints, size = bytes(columns.fingerprints), fingerprints.BYTES

    def vectors(rows: np.ndarray) -> np.ndarray:
        whole = np.frombuffer(prints, np.int8).reshape(-1, size)
        return fingerprints.vectors(whole[rows].tobytes())

    everything = np.arange(len(columns))
    starts = range(0, len(columns), _COLUMNS)
    norms = [np.linalg.norm(vectors(everything[i : i + _COLUMNS]), axis=1) for i in starts]
    lengths = np.concatenate([np.zeros(0, np.float32), *norms])
    rows = np.flatnonzero(lengths)  # images of a single colour have none
    subjects = columns.subject.copy()
    if "" in columns.subjects:
        # Unknown people are different people, and no image is compared with itself.
        unknown = np.flatnonzero(subjects == columns.subjects.index(""))
        subjects[unknown] = -1 - unknown
    for pattern in range(len(columns.patterns)):
        members = rows[of_row[rows] == pattern]
        for block in (members[i : i + _COLUMNS] for i in range(0, len(members), _COLUMNS)):
            faces = vectors(block)
            probes = [faces, fingerprints.mirrored(faces), fingerprints.mirrored_and_aligned(faces)]
            scales = [1 / np.maximum(np.linalg.norm(probe, axis=1), 1) for probe in probes]
            for start in range(0, len(rows), _ROWS):
                here = rows[start : start + _ROWS]
                best = np.full((len(here), len(block)), -1, np.float32)
                others = vectors(here)
                for probe, scale in zip(probes, scales, strict=True):
                    product = others @ probe.T
                    product *= scale.astype(np.float32)
                    np.maximum(best, product, out=best)
                least = np.where(crossing[of_row[here], pattern], COSINE_OF_ONE, np.inf)
                of_one = subjects[here][:, None] == subjects[block][None]
                best[of_one & (best < (least * lengths[here])[:, None])] = -1
                places = best.argmax(axis=1)
                cosines = best[np.arange(len(here)), places] / lengths[here]
                for at in np.flatnonzero(cosines >= COSINE):
                    yield int(here[at]), int(block[places[at]]), float(cosines[at])


def _equal(columns: Columns, of_row: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Each image with the first equal one of every combination of roles."""
    for rows in columns.same_images():
        firsts: dict[int, int] = {}
        for row in rows:
            firsts.setdefault(int(of_row[row]), row)
        for row in rows:
            yield from ((first, row, 1.0) for first in firsts.values() if first != row)
