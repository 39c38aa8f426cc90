"""`folds.json`: who trains, validates and is tested in every fold, with digests.

It depends on the database, the rule and the number of folds alone, so that two laboratories whose
detectors reject different images still get the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pipelines.common.roles import PARTS
from pipelines.dataset.manifest import Manifest, fold_folder

NAME = "folds.json"
_FORMAT = 1


class Member(NamedTuple):
    """A sample in `folds.json`: key, label, subject, and its role in every fold."""

    key: str
    label: int
    subject: str
    splits: tuple[int, ...]


def to_json(manifest: Manifest, members: Iterable[Member]) -> tuple[str, str]:
    """The text of `folds.json` and its digest. members: every sample with a role in a fold,
    aligned or rejected, in any order.

    A part's sha256 is over its lines "key<TAB>role<TAB>label<TAB>subject", sorted, each with a
    line feed; the digest is over the lines "sha256  fold-00/train".
    """
    members = list(members)
    parts, lines = [], []
    for fold in range(manifest.folds):
        part: dict[str, object] = {"fold": fold}
        for name, role in PARTS.items():
            inside = [member for member in members if member.splits[fold] == role]
            by_class = Counter(member.label for member in inside)
            sha256 = _sha256(
                sorted(f"{m.key}\t{role}\t{m.label}\t{m.subject}".encode() for m in inside)
            )
            lines.append(f"{sha256}  {fold_folder(fold)}/{name}".encode())
            part[name] = {
                "records": len(inside),
                "by_class": {text: by_class[label] for label, text in enumerate(manifest.classes)},
                "subjects": sorted({member.subject for member in inside} - {""}),
                "sha256": sha256,
            }
        parts.append(part)
    data = {
        "format": _FORMAT,
        "database": manifest.database,
        "classes": manifest.classes,
        "folds": manifest.folds,
        "rule": manifest.fold_rule,
        "valid_share": manifest.valid_share,
        "subject_independent": manifest.subject_independent,
        # Not in the folders of earlier versions, whose files `pipelines.verify` makes again.
        **({"subjects": manifest.subjects} if manifest.subjects else {}),
        "digest": _sha256(lines),
        "parts": parts,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n", data["digest"]


def _sha256(lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line + b"\n")
    return digest.hexdigest()
