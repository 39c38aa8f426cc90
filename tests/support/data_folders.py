"""Data folders made without Beam: rendered faces as they lie, then the job's own last part."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.common.files import write_whole
from pipelines.common.records import Reject
from pipelines.databases import open_database
from pipelines.databases.base import Database, Sample
from pipelines.dataset import examples
from pipelines.dataset.copies import REFUSED
from pipelines.dataset.folds import Division, divide
from pipelines.dataset.manifest import Manifest, Shard
from pipelines.faces import alignment
from pipelines.job import described
from pipelines.job.finish import finish
from pipelines.job.steps import write_result
from pipelines.job.tasks import plan
from pipelines.media import images

CLASSES = ("fear", "happiness")


def some(people: Path, wanted: Callable[[Sample], bool] = lambda sample: True) -> Database:
    """The demo database's fear and happiness, frame 1 of each person, under two labels."""
    whole = open_database("demo", people)
    samples = [
        dataclasses.replace(sample, label=CLASSES.index(whole.classes[sample.label]))
        for sample in whole.samples
        if whole.classes[sample.label] in CLASSES and sample.frame == 1 and wanted(sample)
    ]
    return dataclasses.replace(whole, classes=CLASSES, samples=samples, rejects=[], notes=[])


def build(
    folder: Path,
    database: Database,
    change: Callable[[examples.Record], examples.Record | None] = lambda record: record,
    division: Division | None = None,
    max_rejects: float = 1.0,
    rule: str = REFUSED,
    listing: Path | None = None,
) -> Manifest:
    """Writes the shards of a database and finishes the folder. change: what becomes of each
    record; None rejects it."""
    division = division or divide(database)
    written: dict[str, list[examples.Record]] = {}
    rejects = []
    for task in plan(database, division):
        sample, image = task.sample, images.read(Path(task.sample.path))
        record = examples.Record(
            key=sample.key,
            image=images.encode_png(alignment.resize_face(image)),
            label=sample.label,
            class_name=task.class_name,
            subject=sample.subject,
            splits=task.splits,
            frame=sample.frame,
            intensity=sample.intensity,
            yaw=sample.yaw,
            eyes=(40.5, 40.0, 85.5, 40.0),
            votes=sample.votes or (),
        )
        changed = change(record)
        if changed is None:
            picture = f"rejects/{hashlib.sha256(sample.key.encode()).hexdigest()[:16]}.png"
            write_whole(folder / picture, record.image)
            rejects.append(
                Reject(
                    sample.key,
                    task.source,
                    task.class_name,
                    sample.subject,
                    "no face",
                    picture,
                    task.splits,
                    len(record.image),
                    hashlib.sha256(record.image).hexdigest(),
                )
            )
        else:
            written.setdefault(task.shard, []).append(changed)
    shards = [shard(folder, path, records) for path, records in written.items()]
    write_job(folder, shards, rejects, division.folds)
    return finish(folder, database, division, max_rejects, rule, listing)


def write_job(folder: Path, shards: Sequence[Shard], rejects: Sequence[Reject], folds: int) -> None:
    """Writes what the workers leave for `finish`: the files that describe the shards, and their
    list."""
    names = []
    for each in shards:
        names.append(each.path.replace("/", "."))
        described.write(folder, names[-1], described.describe(folder, each, folds))
    if rejects:
        names.append("rejected")
        lost = described.describe(folder, None, folds, rejects=tuple(rejects))
        described.write(folder, names[-1], lost)
    write_result(("", names), str(folder), folds)


def shard(folder: Path, path: str, records: list[examples.Record]) -> Shard:
    """Writes one shard."""
    content = b"".join(examples.framed(examples.encode(record)) for record in records)
    write_whole(folder / path, content)
    return Shard(path, len(records), len(content), hashlib.sha256(content).hexdigest())


def records(folder: Path, manifest: Manifest) -> list[examples.Record]:
    """Every record of the folder."""
    return [
        examples.decode(payload)
        for each in manifest.shards
        for payload in examples.read_records(folder / each.path)
    ]
