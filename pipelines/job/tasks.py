"""What is to be done, decided before the job begins: one task a sample, in a file of its own.

The plan travels as a file, and only places in it travel through Beam: the launcher's memory and
the size of the job's graph, which Dataflow limits, then hardly grow with the database.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.common.files import Location, writing
from pipelines.common.records import typed
from pipelines.databases.base import Database, Sample
from pipelines.dataset import examples
from pipelines.dataset.folds import Division
from pipelines.dataset.manifest import shard_path
from pipelines.media import images

# About 25 MB a shard at 25 KB a face: large enough to read fast, small enough to be handed to
# one worker whole.
RECORDS_A_SHARD = 1000
# Few enough for an even share to every worker, enough to make a worker's turn worth its cost.
_TASKS_A_CHUNK = 8

Chunk = tuple[int, int]
"""Where consecutive tasks lie in the plan's file: first byte, number of bytes."""


@dataclass(frozen=True, eq=False)
class Task:
    """A sample and everything that was decided about it before the job began.

    shard: the path, relative to the output, of the file that will hold it. source: where it
    came from, as a reject names it. splits: its role in every fold.
    """

    sample: Sample
    class_name: str
    source: str
    splits: tuple[int, ...]
    shard: str


def plan(database: Database, division: Division, shards: int | None = None) -> Iterator[Task]:
    """One task a sample, fold after fold, in key order.

    Each fold's samples are cut into `shards` files (by default as many as keep a file at
    `RECORDS_A_SHARD`) in key order, so that which file a face goes to depends on nothing but
    the database.
    """
    by_fold: dict[int, list[Sample]] = defaultdict(list)
    for sample in database.samples:
        by_fold[division.home[sample.key]].append(sample)
    for fold, samples in sorted(by_fold.items()):
        count = min(shards or -(-len(samples) // RECORDS_A_SHARD), len(samples))
        for index, sample in enumerate(samples):
            yield Task(
                sample=sample,
                class_name=database.classes[sample.label],
                source=database.source(sample),
                splits=division.splits[sample.key],
                shard=shard_path(fold, index * count // len(samples), count),
            )


def write_plan(path: Location, tasks: Iterable[Task]) -> list[Chunk]:
    """Writes the tasks and says where chunks of about eight lie. Tasks that are frames of one
    film stay together, so that it is decoded once."""
    chunks = []
    start = end = count = 0
    with writing(path) as file:
        for together in _by_film(tasks):
            payload = b"".join(examples.framed(_dump(task)) for task in together)
            file.write(payload)
            end += len(payload)
            count += len(together)
            if count >= _TASKS_A_CHUNK:
                chunks.append((start, end - start))
                start, count = end, 0
    return [*chunks, (start, end - start)] if end > start else chunks


def read_chunk(path: Location, chunk: Chunk) -> Iterator[list[Task]]:
    """The tasks of a chunk, each with the others of its film, else alone."""
    start, left = chunk
    tasks = []
    with path.open("rb") as file:
        file.seek(start)
        while left:
            payload = examples.read_record(file, left, f"{path}: a task")
            tasks.append(_parse(payload))
            left -= len(payload) + examples.FRAME_BYTES
    yield from _by_film(tasks)


def _by_film(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    for _, together in itertools.groupby(
        tasks, lambda task: task.sample.path if task.sample.film else task.sample.key
    ):
        yield list(together)


def _dump(task: Task) -> bytes:
    """JSON: what a worker reads back must not be able to run anything. Pixels go as PNG."""
    pixels = task.sample.pixels
    sample = dataclasses.replace(task.sample, pixels=None)
    data: dict[str, Any] = dataclasses.asdict(dataclasses.replace(task, sample=sample))
    if pixels is not None:
        data["png"] = base64.b64encode(images.encode_png(pixels)).decode()
    return json.dumps(data, separators=(",", ":")).encode()


def _parse(payload: bytes) -> Task:
    data = json.loads(payload)
    png = data.pop("png", None)
    task = typed(Task, data)
    if png is None:
        return task
    pixels = images.decode(base64.b64decode(png))
    return dataclasses.replace(task, sample=dataclasses.replace(task.sample, pixels=pixels))
