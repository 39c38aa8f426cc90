"""Divides a database into folds, whole subjects at a time.

An image whose subject is unknown is divided by itself: no fold is then subject-independent.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.common.errors import BadUse
from pipelines.common.roles import PARTS, TEST, TRAIN, UNUSED, VALID
from pipelines.common.subjects import shown, unit
from pipelines.databases.base import GUESSED, KNOWN, UNKNOWN, Database, Sample, refused
from pipelines.dataset.doubts import HINT
from pipelines.dataset.fold_checks import crossing, refuse_crossing, untrainable

# The paper's protocol has no validation part. The demo keeps its own, so that its data stay equal;
# a user's folder has no protocol to keep, and `--checkpoint best` and the curves need one.
VALID_SHARES = {"demo": 0.1, "images": 0.1}
RULES = ("step", "contiguous")
GIVEN, OFFICIAL, BY_IMAGE = "given", "official", "image"


@dataclass(frozen=True)
class Division:
    """The folds of a database. splits: one role per fold for every sample key; home: the
    fold under which a record is stored; subject_independent: whether no subject is both
    trained on and tested in any fold, False where a subject is unknown; rule: "step" or
    "contiguous", "given" where the user's CSV names the folds, "official" where the database
    does, "image" where no subject is known; valid_share: part of the training subjects that
    validates (0 for official folds: theirs is official too); subjects: one of
    `pipelines.databases.base.SUBJECTS`, "unknown" if one sample's is."""

    folds: int
    splits: dict[str, tuple[int, ...]]
    home: dict[str, int]
    subject_independent: bool
    rule: str = RULES[0]
    valid_share: float = 0.0
    subjects: str = KNOWN


def divide(
    database: Database,
    folds: int | None = None,
    valid_share: float | None = None,
    rule: str = RULES[0],
) -> Division:
    """The database's official parts if it has them, else subject-independent folds; folds of
    images, stratified by class, where no subject is known.

    folds: how many; by default the database's customary number, or the number of its tested
    subjects if that is smaller. valid_share: part of each fold's training subjects that
    validates, 0…1 (0: none); by default that of `VALID_SHARES`, or none. rule: of the n sorted
    subjects the i-th is tested in fold i mod k ("step", the published rule), or in fold ⌊i·k/n⌋
    ("contiguous"). Subjects without a tested image train in every fold. Raises `BadUse` for
    one subject, for more folds than subjects, for numbers that contradict official parts, and
    where no fold both trains and tests.
    """
    if not 0 <= (valid_share or 0) < 1:
        raise BadUse(
            f"--valid-share {valid_share:g} is refused: give 0 ≤ share < 1; 0.1 is usual, 0 means "
            "none"
        )
    if any(sample.official is not None for sample in database.samples):
        division = _official(database, folds, valid_share)
    else:
        division = _by_subject(database, folds, valid_share, rule)
    _refuse_untrainable(database, division)
    return division


def _by_subject(
    database: Database, folds: int | None, valid_share: float | None, rule: str
) -> Division:
    if folds is not None and folds < 2:
        raise BadUse(f"--folds {folds}: a fold needs others to train on; use 2 or more")
    if valid_share is None:
        valid_share = VALID_SHARES.get(database.name, 0.0)
    samples = database.samples
    tested = sorted({unit(s.subject, s.key) for s in samples if s.test})
    if len(tested) < 2:
        which = f" ({shown(tested[0])})" if tested else ""
        raise BadUse(
            f"{database.root} holds {len(tested) or 'no'} subject to test{which}, so no fold can "
            "test on a subject that it did not train on; two or more are needed"
            + (f" ({HINT})" if database.subjects == GUESSED else "")
            + refused(database.rejects)
        )
    tested_in, count = _user_folds(samples), folds
    if tested_in is None:
        tested_in, count = _assigned(database, folds, rule)
        rule = rule if any(sample.subject for sample in samples) else BY_IMAGE
    else:
        count, rule = max(tested_in.values()) + 1, GIVEN
        if folds not in (None, count) or count < 2:
            raise BadUse(
                f"the CSV's fold column names {count} folds; --folds cannot differ from it"
            )
    splits = _subject_splits(samples, tested_in, count, valid_share)
    refuse_crossing(samples, splits)
    home = {sample.key: tested_in[unit(sample.subject, sample.key)] for sample in samples}
    subjects = subjects_of(database)
    return Division(count, splits, home, subjects != UNKNOWN, rule, float(valid_share), subjects)


def _refuse_untrainable(database: Database, division: Division) -> None:
    by_fold = [
        {
            name: sum(roles[fold] == role for roles in division.splits.values())
            for name, role in PARTS.items()
        }
        for fold in range(division.folds)
    ]
    if not (reason := untrainable(by_fold)):
        return
    often = Counter(reject.reason for reject in database.rejects).most_common(1)
    refused = f", {len(database.rejects)} refused (most often: {often[0][0]})" if often else ""
    missing = next(part for part in ("test", "train") if not by_fold[0][part])
    remedy = (
        f"--input needs the {missing} part too"
        if division.rule == OFFICIAL
        else f"give some images the role {missing}, or leave the roles out"
    )
    raise BadUse(f"{database.root}: {reason}{refused}; {remedy}")


def subjects_of(database: Database) -> str:
    """One of `pipelines.databases.base.SUBJECTS`: "unknown" if the subject of one sample is."""
    return database.subjects if all(s.subject for s in database.samples) else UNKNOWN


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


def _assigned(database: Database, folds: int | None, rule: str) -> tuple[dict[str, int], int]:
    """The fold that tests each subject, or image of an unknown one, and the number of folds.

    Those without a tested image are assigned after the others, so that each fold tests one.
    """
    tested = {unit(s.subject, s.key) for s in database.samples if s.test}
    subjects = sorted({s.subject for s in database.samples if s.subject})
    subjects.sort(key=lambda subject: subject not in tested)
    images = [s for s in database.samples if not s.subject]
    # Class after class: neighbours, of one class, go to different folds.
    images.sort(key=lambda s: (not s.test, s.label, hashlib.sha256(s.key.encode()).digest()))
    count = folds or max(2, min(database.folds, len(tested)))
    if count > len(tested):
        what, which = ("images", "test image") if images else ("subjects", "test subject")
        raise BadUse(
            f"{count} folds of {len(tested)} {what} would leave a fold without a {which}; use "
            f"--folds {len(tested)} or fewer"
        )
    size = sum(subject in tested for subject in subjects)
    tested_in = {
        subject: index * count // size if rule == "contiguous" and index < size else index % count
        for index, subject in enumerate(subjects)
    }
    tested_in |= {unit("", s.key): index % count for index, s in enumerate(images)}
    return tested_in, count


def _subject_splits(
    samples: Iterable[Sample], tested_in: dict[str, int], folds: int, valid_share: float
) -> dict[str, tuple[int, ...]]:
    tested = {unit(sample.subject, sample.key) for sample in samples if sample.test}
    # Known subjects are one group, unknown ones a group a class.
    groups: dict[object, set[str]] = defaultdict(set)
    for sample in samples:
        name = unit(sample.subject, sample.key)
        if name in tested:
            groups[None if sample.subject else sample.label].add(name)
    validating: list[set[str]] = [set() for _ in range(folds)]
    for fold in range(folds):
        for names in groups.values():
            trained = sorted(name for name in names if tested_in[name] != fold)
            validating[fold] |= validation_subjects(trained, valid_share, fold)

    def role(sample: Sample, fold: int) -> int:
        name = unit(sample.subject, sample.key)
        if name in tested and tested_in[name] == fold:
            return TEST if sample.test else UNUSED
        if name in validating[fold]:
            return VALID if sample.test else UNUSED
        return TRAIN if sample.train else UNUSED

    # Images share the few different combinations of roles.
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    rows = ((sample.key, tuple(role(sample, fold) for fold in range(folds))) for sample in samples)
    return {key: shared.setdefault(roles, roles) for key, roles in rows}


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
        name = unit(sample.subject, sample.key)
        if given.setdefault(name, sample.fold) != sample.fold:
            raise BadUse(
                f"subject {sample.subject} is in the folds {given[name]} and "
                f"{sample.fold} of the CSV; a subject belongs to one"
            )
    used = set(given.values())
    if gaps := set(range(len(used))) - used:
        raise BadUse(
            f"no row of the CSV has the fold {min(gaps)}, though there is a fold {max(used)}: "
            "folds are counted from 0 without gaps"
        )
    return given


def _official(database: Database, folds: int | None, valid_share: float | None) -> Division:
    count = max(len(sample.official or ()) for sample in database.samples)
    for sample in database.samples:
        if len(sample.official or ()) != count:
            raise BadUse(
                f"{database.source(sample)} has no official part, while other images of "
                f"{database.root} have one; give every image one, or none"
            )
    if folds not in (None, count):
        own = "one official division" if count == 1 else f"own {count} folds"
        raise BadUse(f"{database.name} comes with its {own}; --folds {folds} cannot change that")
    if valid_share:
        raise BadUse(
            f"{database.name} comes with its own parts, which --valid-share {valid_share:g} cannot "
            "change; leave it out"
        )
    splits = {sample.key: sample.official or () for sample in database.samples}
    # Stored once: under the first fold that tests it, or in turn if none does.
    home = {
        key: roles.index(TEST) if TEST in roles else index % count
        for index, (key, roles) in enumerate(splits.items())
    }
    subjects = subjects_of(database)
    # Several official folds may store one subject under several; they are taken as they are.
    independent = (
        count == 1
        and subjects != UNKNOWN
        and not crossing((sample.subject, splits[sample.key]) for sample in database.samples)
    )
    return Division(count, splits, home, independent, OFFICIAL, subjects=subjects)
