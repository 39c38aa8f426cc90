"""The last part of the job, done once: read back, compare, describe, write the manifest last."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter

from pipelines.common import roles
from pipelines.common.errors import FailedWork
from pipelines.common.files import Location, write_whole
from pipelines.common.records import Reject
from pipelines.databases import Database
from pipelines.dataset import examples, inventory, people
from pipelines.dataset.folds import Division, lookalikes, refuse_crossing
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import NAME, File, Manifest, Shard, combined_digest, load
from pipelines.inspection import contact_sheet, side_files

_RESULT = "job.json"
_SHOWN_REJECTS = 5


def finish(
    folder: Location, database: Database, division: Division, max_rejects: float = 1.0
) -> Manifest:
    """Reads the written shards back, writes what describes them, the manifest last.

    `job.json` in the folder lists the shards and the rejects of the workers. Raises `FailedWork`
    where more than the share `max_rejects` of the pictures was rejected, where a person crosses
    a split, and where what was read back is not what was planned.
    """
    result = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
    written = tuple(sorted((Shard(**s) for s in result["shards"]), key=lambda s: s.path))
    lost = [_reject(entry, division) for entry in result["rejects"]]
    rejects = sorted([*database.rejects, *lost], key=lambda each: (each.key, each.source))
    read = len(database.samples) + len(database.rejects)
    chosen = _chosen(database, division, {reject.key for reject in lost})
    wanted = {key for keys in chosen.values() for key in keys}
    columns, shown = inventory.take(folder, written, division.folds, wanted)
    _check_rejects(database, rejects, read, len(columns), max_rejects)
    _check_records(database, division, columns)
    if division.subject_independent:
        refuse_crossing(database.samples, division.splits)
    counted = columns.counts(database.classes)
    manifest = Manifest(
        database=database.name,
        classes=database.classes,
        channels=min(database.channels, 3 if counted["by_channels"]["3"] else 1),
        folds=division.folds,
        subject_independent=division.subject_independent,
        feature_schema=examples.schema(division.folds),
        shards=written,
        counts={
            "read": read,
            "aligned": len(columns),
            "rejected": len(rejects),
            **counted,
            "rejected_by_class": _sorted(Counter(reject.class_name for reject in rejects)),
            "rejected_by_subject": _sorted(Counter(reject.subject for reject in rejects)),
        },
        rejects=tuple(rejects),
        findings=tuple(database.findings),
        notes=(
            *database.notes,
            *_lost_classes(database, counted["by_class"]),
            *_empty_parts(counted["by_fold"]),
            *_alike(database),
        ),
        fold_rule=division.rule,
        valid_share=division.valid_share,
        digest=combined_digest(written),
    )
    manifest, made = side_files.describe(manifest, columns)
    title = f"{database.name}: {len(columns)} faces aligned, {len(rejects)} rejected"
    if database.people:
        made[people.NAME] = people.table(database.people).encode()
    made[contact_sheet.NAME] = contact_sheet.draw(chosen, shown, title)
    shown_rejects = contact_sheet.choose_rejects(rejects)
    if shown_rejects:
        pictures = {each.picture: (folder / each.picture).read_bytes() for each in shown_rejects}
        title = f"{database.name}: {len(rejects)} rejected"
        made[contact_sheet.REJECTED_NAME] = contact_sheet.draw_rejects(
            shown_rejects, pictures, title
        )
    for name, content in made.items():
        write_whole(folder / name, content)
    files = [_file(name, content) for name, content in made.items()]
    for name in sorted({reject.picture for reject in rejects if reject.picture}):
        files.append(_file(name, (folder / name).read_bytes()))
    manifest = dataclasses.replace(manifest, files=tuple(sorted(files, key=lambda f: f.path)))
    (folder / _RESULT).unlink()
    write_whole(folder / NAME, manifest.to_json())
    return load(folder)


def _reject(entry: dict, division: Division) -> Reject:
    """A worker's reject, with the roles that the sample would have had."""
    reject = Reject(**entry)
    return dataclasses.replace(reject, splits=division.splits[reject.key])


def _chosen(database: Database, division: Division, lost: set[str]) -> dict[str, list[str]]:
    tested: dict[str, list[str]] = {}
    for sample in database.samples:
        if roles.TEST in division.splits[sample.key] and sample.key not in lost:
            tested.setdefault(database.classes[sample.label], []).append(sample.key)
    return contact_sheet.choose(tested, database.classes)


def _check_rejects(
    database: Database, rejects: list[Reject], read: int, stored: int, max_rejects: float
) -> None:
    often = Counter(reject.reason for reject in rejects).most_common(1)
    if not stored:
        reason = f" (most often: {often[0][0]})" if often else ""
        raise FailedWork(f"none of the {read} images of {database.root} could be used{reason}")
    if len(rejects) > max_rejects * read:
        first = ", ".join(reject.source for reject in rejects[:_SHOWN_REJECTS])
        raise FailedWork(
            f"{len(rejects)} of the {read} images of {database.root} were rejected, more than "
            f"--max-rejects {max_rejects:g} allows (most often: {often[0][0]}; the first: "
            f"{first})"
        )
    if stored + len(rejects) != read:
        raise FailedWork(
            f"{read} images were read, but {stored} were stored and {len(rejects)} "
            "rejected: some were lost; this is a defect of the job"
        )


def _check_records(database: Database, division: Division, columns: Columns) -> None:
    """Every record is that of one sample: its label, its person and its roles."""
    planned = {sample.key: sample for sample in database.samples}
    for key, *stored in columns.rows():
        sample = planned.pop(key, None)
        if sample is None or [sample.label, sample.subject, division.splits[key]] != stored:
            raise FailedWork(
                f"the record {key!r} is stored twice or not as it was planned; this is a defect "
                "of the job"
            )


def _file(path: str, content: bytes) -> File:
    return File(path, len(content), hashlib.sha256(content).hexdigest())


def _sorted(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items()))


def _alike(database: Database) -> list[str]:
    return [
        f"the subjects {' and '.join(map(repr, group))} differ by case, blanks or Unicode form "
        "alone; if they are one person, give them one name"
        for group in lookalikes({sample.subject for sample in database.samples})
    ]


def _lost_classes(database: Database, aligned: dict[str, int]) -> list[str]:
    held = {sample.label for sample in database.samples}
    return [
        f"every image of the class {name!r} was rejected"
        for label, name in enumerate(database.classes)
        if label in held and not aligned[name]
    ]


def _empty_parts(by_fold: list[dict[str, int]]) -> list[str]:
    return [
        f"fold {fold} has nothing to {part}"
        for fold, counts in enumerate(by_fold)
        for part in ("train", "test")
        if not counts[part]
    ]
