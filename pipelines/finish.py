"""The last part of the job, done once: read back, draw, and write the manifest last."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from pipelines import contact_sheet, examples, inventory
from pipelines.databases import Database
from pipelines.errors import FailedWork
from pipelines.files import write_whole
from pipelines.folds import Division
from pipelines.manifest import NAME, Manifest, Reject, Shard, load

_RESULT = "job.json"
_SHOWN_REJECTS = 5


def write_result(output: str, shards: list[Shard], rejects: list[Reject]) -> None:
    """Leaves what the workers wrote and rejected beside the shards, for `finish`."""
    data = {"shards": [asdict(s) for s in shards], "rejects": [asdict(r) for r in rejects]}
    write_whole(Path(output) / _RESULT, json.dumps(data))


def finish(
    folder: Path, database: Database, division: Division, max_rejects: float = 1.0
) -> Manifest:
    """Reads the written shards back, draws the contact sheet, writes the manifest last.

    Raises `FailedWork` where more than the share `max_rejects` of the pictures was rejected.
    """
    result = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
    written = tuple(sorted((Shard(**s) for s in result["shards"]), key=lambda s: s.path))
    rejects = [*database.rejects, *(Reject(**reject) for reject in result["rejects"])]
    rejects.sort(key=lambda reject: (reject.key, reject.source))
    read = len(database.samples) + len(database.rejects)
    found = inventory.take(folder, written, division.folds)
    if not found.records:
        reasons = Counter(reject.reason for reject in rejects).most_common(1)
        raise FailedWork(
            f"none of the {read} images of {database.root} could be used (most often: "
            f"{reasons[0][0]})"
        )
    if len(rejects) > max_rejects * read:
        first = ", ".join(reject.source for reject in rejects[:_SHOWN_REJECTS])
        reasons = Counter(reject.reason for reject in rejects).most_common(1)
        raise FailedWork(
            f"{len(rejects)} of the {read} images of {database.root} were rejected, more than "
            f"--max-rejects {max_rejects:g} allows (most often: {reasons[0][0]}; the first: "
            f"{first})"
        )
    if found.records + len(rejects) != read:
        raise FailedWork(
            f"{read} images were read, but {found.records} were stored and {len(rejects)} "
            "rejected: some were lost; this is a defect of the job"
        )
    manifest = Manifest(
        database=database.name,
        classes=database.classes,
        channels=min(database.channels, found.channels),
        folds=division.folds,
        subject_independent=division.subject_independent,
        feature_schema=examples.schema(division.folds),
        shards=written,
        counts={
            "read": read,
            "aligned": found.records,
            "rejected": len(rejects),
            "by_class": {name: found.by_class[name] for name in database.classes},
            "by_subject": dict(sorted(found.by_subject.items())),
            "by_fold": found.by_fold,
        },
        rejects=tuple(rejects),
        findings=tuple(database.findings),
        notes=(
            *database.notes,
            *_lost_classes(database, found.by_class),
            *_empty_parts(found.by_fold),
        ),
    )
    chosen = contact_sheet.choose(found.tested, database.classes)
    title = f"{database.name}: {found.records} faces aligned, {len(rejects)} rejected"
    sheet = contact_sheet.draw(chosen, inventory.records_of(folder, written), title)
    write_whole(folder / contact_sheet.NAME, sheet)
    (folder / _RESULT).unlink()
    write_whole(folder / NAME, manifest.to_json())
    return load(folder)


def _lost_classes(database: Database, aligned: Counter[str]) -> list[str]:
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
