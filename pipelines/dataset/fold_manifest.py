"""Who trains, validates and tests in which fold, in a form that two people can compare.

It depends on the database, the rule and the number of folds alone: two laboratories whose
detectors reject different pictures still get the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines.dataset.folds import PARTS
from pipelines.dataset.manifest import fold_folder

NAME = "folds.json"
_FORMAT = 1


class Member(NamedTuple):
    """What the folds know of a sample: key, label, subject, and its role in every fold."""

    key: str
    label: int
    subject: str
    splits: tuple[int, ...]


def build(
    members: Iterable[Member],
    database: str,
    classes: Sequence[str],
    folds: int,
    rule: str,
    valid_share: float,
    subject_independent: bool,
) -> tuple[str, str]:
    """The text of `folds.json` and its digest. members: every sample with a role in a fold,
    aligned or rejected, in any order.

    A part's sha256 is over its lines "key<TAB>role<TAB>label<TAB>subject", sorted, each with a
    line feed; the digest is over the lines "sha256  fold-00/train".
    """
    members = list(members)
    parts, lines = [], []
    for fold in range(folds):
        described: dict[str, object] = {"fold": fold}
        for name, role in PARTS.items():
            inside = [member for member in members if member.splits[fold] == role]
            by_class = Counter(member.label for member in inside)
            sha256 = _sha256(f"{each.key}\t{role}\t{each.label}\t{each.subject}" for each in inside)
            lines.append(f"{sha256}  {fold_folder(fold)}/{name}")
            described[name] = {
                "records": len(inside),
                "by_class": {text: by_class[label] for label, text in enumerate(classes)},
                "subjects": sorted({member.subject for member in inside}),
                "sha256": sha256,
            }
        parts.append(described)
    digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    data = {
        "format": _FORMAT,
        "database": database,
        "classes": list(classes),
        "folds": folds,
        "rule": rule,
        "valid_share": valid_share,
        "subject_independent": subject_independent,
        "digest": digest,
        "parts": parts,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n", digest


def _sha256(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in sorted(line.encode() for line in lines):
        digest.update(line + b"\n")
    return digest.hexdigest()
