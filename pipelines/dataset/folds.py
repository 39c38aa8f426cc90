"""Divides a database into folds, whole subjects at a time, and describes them in `folds.json`.

`folds.json` depends on the database, the rule and the number of folds alone, so that two
laboratories whose detectors reject different images still get the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.databases.base import Database, Sample
from pipelines.dataset.manifest import Manifest, fold_folder

NAME = "folds.json"
VALID_SHARE = 0.1
RULES = ("step", "contiguous")
PARTS = {"train": TRAIN, "valid": VALID, "test": TEST}
_FORMAT = 1


@dataclass(frozen=True)
class Division:
    """The folds of a database. splits: one role per fold for every sample key; home: the
    fold under which a record is stored; subject_independent: whether no subject is both
    trained on and tested in any fold; rule: "step" or "contiguous", "given" where the user's
    CSV names the folds, "official" where the database does; valid_share: part of the training
    subjects that validates (0 for official folds: theirs is official too)."""

    folds: int
    splits: dict[str, tuple[int, ...]]
    home: dict[str, int]
    subject_independent: bool
    rule: str = RULES[0]
    valid_share: float = 0.0


class Member(NamedTuple):
    """A sample in `folds.json`: key, label, subject, and its role in every fold."""

    key: str
    label: int
    subject: str
    splits: tuple[int, ...]


def divide(
    database: Database,
    folds: int | None = None,
    valid_share: float = VALID_SHARE,
    rule: str = RULES[0],
) -> Division:
    """The database's official folds if it has them, else subject-independent ones.

    folds: how many; by default the database's customary number, or the number of its
    subjects if that is smaller. valid_share: part of each fold's training subjects that
    validates, 0…1 (0: none). rule: of the n sorted subjects the i-th is tested in fold i
    mod k ("step", the published rule), or in fold ⌊i·k/n⌋ ("contiguous"). Raises `BadUse`
    for one subject, for more folds than subjects, for a number that contradicts official
    folds.
    """
    if not 0 <= valid_share < 1:
        raise BadUse(f"--valid-share {valid_share} is not in 0…1; 0.1 is usual, 0 means none")
    if folds is not None and folds < 2:
        raise BadUse(f"--folds {folds}: a fold needs others to train on; use 2 or more")
    if database.samples[0].official is not None:
        return _official(database, folds)
    subjects = sorted({sample.subject for sample in database.samples})
    if len(subjects) < 2:
        raise BadUse(
            f"{database.root} holds one subject ({subjects[0]}), so no fold can test on a subject "
            "that it did not train on; two or more are needed"
        )
    tested_in = _user_folds(database.samples)
    if tested_in is None:
        count = folds or min(database.folds, len(subjects))
        if count > len(subjects):
            raise BadUse(
                f"{count} folds of {len(subjects)} subjects would leave a fold without a test "
                f"subject; use --folds {len(subjects)} or fewer"
            )
        tested_in = {
            subject: index * count // len(subjects) if rule == "contiguous" else index % count
            for index, subject in enumerate(subjects)
        }
    else:
        count, rule = max(tested_in.values()) + 1, "given"
        if folds not in (None, count) or count < 2:
            raise BadUse(
                f"the CSV's fold column names {count} folds; --folds cannot differ from it"
            )
    splits = _subject_splits(database.samples, tested_in, count, valid_share)
    refuse_crossing(database.samples, splits)
    home = {sample.key: tested_in[sample.subject] for sample in database.samples}
    return Division(count, splits, home, True, rule, float(valid_share))


def validation_subjects(subjects: Sequence[str], share: float, fold: int) -> set[str]:
    """The whole subjects cut from a fold's training subjects to validate it.

    At least one where there are three or more training subjects and `share` > 0. Chosen by
    a hash of fold and name: names are often given in an order that means something.
    """
    if share == 0 or len(subjects) < 3:
        return set()
    count = min(len(subjects) - 1, max(1, round(share * len(subjects))))
    ranked = sorted(subjects, key=lambda s: hashlib.sha256(f"{fold}/{s}".encode()).digest())
    return set(ranked[:count])


def refuse_crossing(samples: Iterable[Sample], splits: dict[str, tuple[int, ...]]) -> None:
    """`FailedWork` if in any fold a subject has two of the roles train, valid and test."""
    for subject, fold in crossing((sample.subject, splits[sample.key]) for sample in samples):
        raise FailedWork(f"subject {subject} crosses the splits of fold {fold}")


def crossing(roles: Iterable[tuple[str, Sequence[int]]]) -> list[tuple[str, int]]:
    """Every (subject, fold) in which a subject has two of the roles train, valid and test.

    roles: (subject, one role a fold) pairs, in any order.
    """
    first: dict[tuple[str, int], int] = {}
    crossed = set()
    for subject, splits in {(subject, tuple(splits)) for subject, splits in roles}:
        for fold, role in enumerate(splits):
            if role != UNUSED and first.setdefault((subject, fold), role) != role:
                crossed.add((subject, fold))
    return sorted(crossed)


def lookalikes(subjects: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ by case, surrounding blanks or Unicode form alone.

    "Anna" and "anna " may be one person, who would then be both trained on and tested.
    """
    groups = defaultdict(set)
    for subject in subjects:
        groups[unicodedata.normalize("NFKC", subject).strip().casefold()].add(subject)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


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
                "subjects": sorted({member.subject for member in inside}),
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
        "digest": _sha256(lines),
        "parts": parts,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n", data["digest"]


def _sha256(lines: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def _subject_splits(
    samples: Iterable[Sample], tested_in: dict[str, int], folds: int, valid_share: float
) -> dict[str, tuple[int, ...]]:
    validating = []
    for fold in range(folds):
        trained = sorted(subject for subject, home in tested_in.items() if home != fold)
        validating.append(validation_subjects(trained, valid_share, fold))

    def role(sample: Sample, fold: int) -> int:
        if tested_in[sample.subject] == fold:
            return TEST if sample.test else UNUSED
        if sample.subject in validating[fold]:
            return VALID if sample.test else UNUSED
        return TRAIN if sample.train else UNUSED

    return {sample.key: tuple(role(sample, fold) for fold in range(folds)) for sample in samples}


def _user_folds(samples: Sequence[Sample]) -> dict[str, int] | None:
    """The fold that tests each subject where the user's CSV names it, else None."""
    if all(sample.fold is None for sample in samples):
        return None
    given: dict[str, int] = {}
    for sample in samples:
        if sample.fold is None or sample.fold < 0:
            raise BadUse(
                f"{sample.key} has no fold (0, 1, …), while other rows of the CSV have one"
            )
        if given.setdefault(sample.subject, sample.fold) != sample.fold:
            raise BadUse(
                f"subject {sample.subject} is in the folds {given[sample.subject]} and "
                f"{sample.fold} of the CSV; a subject belongs to one"
            )
    used = set(given.values())
    if gaps := set(range(len(used))) - used:
        raise BadUse(
            f"no row of the CSV has the fold {min(gaps)}, though there is a fold {max(used)}: "
            "folds are counted from 0 without gaps"
        )
    return given


def _official(database: Database, folds: int | None) -> Division:
    count = len(database.samples[0].official or ())
    if folds not in (None, count):
        raise BadUse(
            f"{database.name} comes with its own {count} folds; --folds {folds} cannot change them"
        )
    splits = {sample.key: sample.official or () for sample in database.samples}
    # Stored once: under the first fold that tests it, or in turn if none does.
    home = {
        key: roles.index(TEST) if TEST in roles else index % count
        for index, (key, roles) in enumerate(splits.items())
    }
    return Division(count, splits, home, subject_independent=False, rule="official")
