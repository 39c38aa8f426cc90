"""Plans the job before it begins, one task a sample, and writes the plan to a file.

Only places in that file travel through Beam: the launcher's memory and the size of the job's
graph, which Dataflow limits, then hardly grow with the database.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.common.files import Location, writing
from pipelines.common.records import typed
from pipelines.databases.base import Database, Sample
from pipelines.dataset import examples
from pipelines.dataset.folds import Division
from pipelines.dataset.manifest import shard_path
from pipelines.media import images

# About 25 MB a shard at 25 KB a face: fast to read, and not too much for one worker.
RECORDS_A_SHARD = 1000
# Few enough to balance the workers, enough to outweigh the cost of a bundle.
_TASKS_A_CHUNK = 8

Chunk = tuple[int, int]
"""The place of consecutive tasks in the plan's file: first byte, number of bytes."""


@dataclass(frozen=True, eq=False)
class Task:
    """A sample with its class, its role in every fold (splits), the path of its shard relative
    to the output, and the source that a reject names."""

    sample: Sample
    class_name: str
    source: str
    splits: tuple[int, ...]
    shard: str


def plan(database: Database, division: Division, shards: int | None = None) -> Iterator[Task]:
    """One task a sample, fold after fold, in key order.

    Each fold's samples are cut into `shards` files in key order (by default at most
    `RECORDS_A_SHARD` a file), so that a face's file depends on the database alone.
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
    """Writes the tasks and returns chunks of about eight. The frames of one film stay together,
    so that it is decoded once."""
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
    """The tasks of a chunk in lists: the frames of one film, or a single image."""
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
    def source(task: Task) -> str:
        return task.sample.path if task.sample.film else task.sample.key

    return (list(group) for _, group in itertools.groupby(tasks, source))


def _dump(task: Task) -> bytes:
    """JSON, which cannot run anything when a worker reads it; pixels as PNG."""
    pixels = task.sample.pixels
    data = dataclasses.asdict(_with_pixels(task, None))
    if pixels is not None:
        data["png"] = base64.b64encode(images.encode_png(pixels)).decode()
    return json.dumps(data, separators=(",", ":")).encode()


def _parse(payload: bytes) -> Task:
    data = json.loads(payload)
    png = data.pop("png", None)
    task = typed(Task, data)
    return task if png is None else _with_pixels(task, images.decode(base64.b64decode(png)))


def _with_pixels(task: Task, pixels: np.ndarray | None) -> Task:
    return dataclasses.replace(task, sample=dataclasses.replace(task.sample, pixels=pixels))
