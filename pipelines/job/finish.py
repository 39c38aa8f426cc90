"""Finishes a data folder: merges what workers read back, checks it, writes the manifest last."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

from pipelines.common import roles
from pipelines.common.errors import FailedWork
from pipelines.common.files import Location, home, remove_folder, write_whole
from pipelines.common.records import Reject
from pipelines.common.text import listed
from pipelines.databases import Database
from pipelines.dataset import copies, examples, people
from pipelines.dataset.copies import Copies, Pair
from pipelines.dataset.fold_checks import (
    idle_training,
    lookalikes,
    refuse_crossing,
    untrainable,
)
from pipelines.dataset.folds import Division
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import (
    BOTH,
    DETECTED,
    NAME,
    PREALIGNED,
    Dropped,
    File,
    Manifest,
    combined_digest,
    load,
)
from pipelines.faces.alignment import NO_FACE_IN_CROP
from pipelines.inspection import contact_sheet, side_files
from pipelines.job import described, spill, tasks
from pipelines.job.described import Merged

_SHOWN_REJECTS = 5
_ONE_PERSON = "copies of one image have two subjects, who may be one person: {}"


def finish(
    folder: Location,
    database: Database,
    division: Division,
    max_rejects: float = 1.0,
    rule: str = copies.REFUSED,
    listing: Location | None = None,
) -> Manifest:
    """Merges what the workers read back, writes what describes it, the manifest last, in a store
    into the folder above (`home`).

    `job.json` in the folder lists the files that describe the shards and their rejects. rule: one
    of `copies.RULES`, what happens with copies on two sides of a split; those that are refused are
    listed in the file `listing`, which is removed where the job succeeds. Raises `FailedWork` for
    them, where more than the share `max_rejects` of the images was rejected, where a subject
    crosses a split, where what was read back is not what was planned, and where no fold is left
    that both trains and tests.
    """
    result = json.loads((folder / spill.RESULT).read_text(encoding="utf-8"))
    merged = described.merge(folder, result["described"], division.folds)
    lost, columns = merged.rejects, merged.columns
    rejects = sorted([*database.rejects, *lost], key=lambda reject: (reject.key, reject.source))
    _check_rejects(database, rejects, len(columns), max_rejects)
    _check_records(database, division, columns)
    if division.subject_independent:
        refuse_crossing(database.samples, division.splits)
    pairs = (tuple(Pair(*each) for each in result["copies"][name]) for name in Copies.NAMES)
    found = Copies(*pairs)
    doubted = copies.of_two_people(columns, (*found.across, *found.within))
    dropped: tuple[Dropped, ...] = ()
    if found.across and rule == copies.REFUSED:
        _refuse(columns, found.across, listing)
    if found.across and rule == copies.DROPPED:
        dropped = copies.dropped(columns, found.across)
        splits = _without(division.splits, dropped)
        division = dataclasses.replace(division, splits=splits)
        merged = _rewritten(folder, merged, division, {each.key for each in dropped})
        columns = merged.columns
        _check_records(database, division, columns)
        found = copies.find(columns)
    counted = columns.counts(database.classes)
    if reason := untrainable(counted["by_fold"]):
        raise FailedWork(f"{database.root}: {reason}{_lost(rejects, dropped)}")
    chosen = _chosen(database, division, {reject.key for reject in lost})
    shown = described.records(folder, merged, {key for keys in chosen.values() for key in keys})
    written = tuple(merged.shards)
    manifest = Manifest(
        database=database.name,
        classes=database.classes,
        channels=min(database.channels, 3 if counted["by_channels"]["3"] else 1),
        folds=division.folds,
        subject_independent=division.subject_independent,
        feature_schema=examples.schema(division.folds, _num_votes(database)),
        shards=written,
        counts={
            "read": len(database.samples) + len(database.rejects),
            "aligned": len(columns),
            "rejected": len(rejects),
            **counted,
            "rejected_by_class": _counted(reject.class_name for reject in rejects),
            "rejected_by_subject": _counted(r.subject for r in rejects if r.subject),
            "rejected_by_reason": dict(Counter(reject.kind for reject in rejects).most_common()),
        },
        findings=tuple(database.findings),
        notes=(
            *database.notes,
            *_crops(rejects),
            *([_ONE_PERSON.format(doubted)] if doubted else []),
            *_notes(database, division, counted, dropped),
        ),
        alignment=_alignment(database),
        fold_rule=division.rule,
        valid_share=division.valid_share,
        subjects=division.subjects,
        copies=rule,
        dropped=dropped,
        digest=combined_digest(written),
    )
    manifest, contents = side_files.describe(manifest, columns, found, rejects)
    if database.people:
        contents[people.NAME] = people.table(database.people).encode()
    title = f"{database.name}: {len(columns)} faces aligned, {len(rejects)} rejected"
    contents[contact_sheet.NAME] = contact_sheet.draw(chosen, shown, title)
    if sheet := contact_sheet.choose_rejects(rejects):
        thumbnails = {each.picture: (folder / each.picture).read_bytes() for each in sheet}
        title = f"{database.name}: {len(rejects)} rejected"
        contents[contact_sheet.REJECTED_NAME] = contact_sheet.draw_rejects(sheet, thumbnails, title)
    for name, content in contents.items():
        write_whole(folder / name, content)
    files = [_file(name, content) for name, content in contents.items()]
    manifest = dataclasses.replace(manifest, files=tuple(sorted(files, key=lambda f: f.path)))
    _clear(folder)
    place, prefix = home(folder)
    write_whole(place / NAME, manifest.below(prefix).to_json())
    manifest = load(place)
    if listing is not None and listing.is_file() and copies.is_table(listing.read_bytes()):
        listing.unlink()  # of an earlier run, which was refused
    return manifest


def _rewritten(folder: Location, old: Merged, division: Division, keys: set[str]) -> Merged:
    """The shards that hold `keys` written again with the roles of `division`, and read back."""
    new = Merged(Columns(division.folds))
    for name, shard in zip(old.names, old.shards, strict=True):
        part = described.read(folder, name)
        if not keys.isdisjoint(part.columns.keys):
            shard = spill.rewrite(folder, shard, division.splits)
            prints = bytes(part.columns.fingerprints)
            part = described.describe(folder, shard, division.folds, prints)
            described.write(folder, name, part)
        new.add(name, part)
    return new


def _clear(folder: Location) -> None:
    """Removes what the job wrote for itself. Not earlier: a job that is killed before takes it up
    again."""
    for name in (spill.RESULT, *tasks.FILES):
        (folder / name).unlink(missing_ok=True)
    for name in (described.FOLDER, spill.FOLDER):
        remove_folder(folder / name)


def _alignment(database: Database) -> str:
    kinds = {PREALIGNED if sample.aligned else DETECTED for sample in database.samples}
    return kinds.pop() if len(kinds) == 1 else BOTH


def _num_votes(database: Database) -> int:
    voted = any(sample.votes is not None for sample in database.samples)
    return len(database.classes) if voted else 0


def _chosen(database: Database, division: Division, lost: set[str]) -> dict[str, list[str]]:
    tested: dict[str, list[str]] = {}
    for sample in database.samples:
        if roles.TEST in division.splits[sample.key] and sample.key not in lost:
            tested.setdefault(database.classes[sample.label], []).append(sample.key)
    return contact_sheet.choose(tested, database.classes)


def _check_rejects(
    database: Database, rejects: list[Reject], stored: int, max_rejects: float
) -> None:
    read = len(database.samples) + len(database.rejects)
    often = Counter(reject.reason for reject in rejects).most_common(1)
    hint = "".join(f"; {each}" for each in _crops(rejects))
    if not stored:
        reason = f" (most often: {often[0][0]})" if often else ""
        raise FailedWork(
            f"none of the {read} images of {database.root} could be used{reason}{hint}"
        )
    if len(rejects) > max_rejects * read:
        first = ", ".join(reject.source for reject in rejects[:_SHOWN_REJECTS])
        raise FailedWork(
            f"{len(rejects)} of the {read} images of {database.root} were rejected, more than "
            f"--max-rejects {max_rejects:g} allows (most often: {often[0][0]}; the first: "
            f"{first}){hint}"
        )
    if stored + len(rejects) != read:
        raise FailedWork(
            f"{read} images were read, but {stored} were stored and {len(rejects)} "
            "rejected: some were lost; this is a defect of the job"
        )


def _lost(rejects: Sequence[Reject], dropped: Sequence[Dropped]) -> str:
    """What took the images of a part away."""
    text = ""
    if often := Counter(reject.reason for reject in rejects).most_common(1):
        text += f"; {len(rejects)} images were rejected, most often: {often[0][0]}"
    if dropped:
        text += (
            f"; {len(dropped)} images lost a part by --drop-copies, as a copy of them is in "
            "another; --allow-copies keeps them"
        )
    return text


def _crops(rejects: Sequence[Reject]) -> Iterator[str]:
    """A hint where most rejects are crops of faces."""
    crops = sum(reject.reason == NO_FACE_IN_CROP for reject in rejects)
    if 2 * crops > len(rejects):
        yield (
            f"{crops} of the {len(rejects)} rejected images are small ones in which no face is "
            "found; if they are crops of faces, --prealigned takes them as they are"
        )


def _check_records(database: Database, division: Division, columns: Columns) -> None:
    """Every record is that of one sample: its label, its subject and its roles."""
    planned = {sample.key: sample for sample in database.samples}
    for key, *stored in columns.rows():
        sample = planned.pop(key, None)
        if sample is None or [sample.label, sample.subject, division.splits[key]] != stored:
            raise FailedWork(
                f"the record {key!r} is stored twice or not as it was planned; this is a defect "
                "of the job"
            )


def _refuse(columns: Columns, across: Sequence[Pair], listing: Location | None) -> NoReturn:
    people = copies.of_two_people(columns, across)
    one_person = f" The {_ONE_PERSON.format(people)}." if people else ""
    where = ""
    if listing is not None:
        write_whole(listing, copies.table(columns, across))
        where = f"; the whole list is {listing}"
    raise FailedWork(
        f"copies of one image are on two sides of a split, {copies.described(columns, across)}"
        f"{where}.{one_person} Look at them, since different images may look alike: --drop-copies "
        "takes them out of the training and validation parts, --allow-copies keeps them where they "
        "are no copies"
    )


def _without(
    splits: dict[str, tuple[int, ...]], dropped: Iterable[Dropped]
) -> dict[str, tuple[int, ...]]:
    """`splits` without the roles of the dropped records."""
    fewer = {
        each.key: tuple(
            roles.UNUSED if fold in each.folds else role
            for fold, role in enumerate(splits[each.key])
        )
        for each in dropped
    }
    return splits | fewer


def _notes(
    database: Database, division: Division, counted: dict, dropped: Sequence[Dropped]
) -> Iterator[str]:
    """Notes on dropped copies, images that do not train as their subjects validate, classes that
    were lost, empty parts of folds, and subjects of similar names."""
    if dropped:
        pairs = listed((f"{each.key} = {each.copy}" for each in dropped), _SHOWN_REJECTS)
        yield (
            f"{len(dropped)} images do not train or validate in folds where a copy of them is in "
            f"another part: {pairs}"
        )
    # Elsewhere the databases' own protocols have it so, or the user's --valid-share does.
    if database.name == "images" and any(idle := idle_training(database.samples, division.splits)):
        yield (
            "images of the role train that train in no part of a fold, as their people validate "
            f"it: {', '.join(f'{n} in fold {fold}' for fold, n in enumerate(idle) if n)}; "
            "--valid-share 0 trains on them"
        )
    held = {sample.label for sample in database.samples}
    for label, name in enumerate(database.classes):
        if label in held and not counted["by_class"][name]:
            yield f"every image of the class {name!r} was rejected"
    for fold, counts in enumerate(counted["by_fold"]):
        for part in ("train", "test"):
            if not counts[part]:
                yield f"fold {fold} has nothing to {part}"
    for group in lookalikes({sample.subject for sample in database.samples}):
        yield (
            f"the subjects {' and '.join(map(repr, group))} differ by case, blanks, Unicode form "
            "or the form of a number alone; if they are one person, give them one name"
        )


def _file(path: str, content: bytes) -> File:
    return File(path, len(content), hashlib.sha256(content).hexdigest())


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
