"""Plans the job before it begins, one task a sample, and writes the plan to a file.

Only places in that file travel through Beam: the launcher's memory and the size of the job's
graph, which Dataflow limits, then hardly grow with the database.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import json
import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.common.files import Location, write_whole, writing
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

# As many as Beam's DaskRunner makes partitions of a large job.
_SLICES = 1024
# Two int64.
_PLACE = 16

PLAN = ".plan"
CHUNKS = ".chunks"
"""What the name of the file with the places of the chunks ends with."""

TAKEN = ".taken"
"""A list of the parts of a killed job that are taken up."""

PLANNED = ".planned"
"""The digest of the plan that the parts in the folder belong to."""

FILES = (PLAN, PLAN + CHUNKS, TAKEN, PLANNED)

Chunk = tuple[int, int]
"""The place of consecutive tasks in the plan's file: first byte, number of bytes."""

_encode = json.JSONEncoder(separators=(",", ":")).encode
# The fields of a sample that JSON can hold, with their defaults.
_FIELDS = tuple(
    (field.name, field.default)
    for field in dataclasses.fields(Sample)
    if field.name not in ("pixels", "film")
)


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


def write_plan(
    path: Location,
    tasks: Iterable[Task],
    done: Collection[str] = (),
    state: Callable[[Sample], str] = lambda sample: "",
) -> str:
    """Writes the tasks, and beside them the places of chunks of about eight without those whose
    keys are `done`. The frames of one film stay together, so that it is decoded once.

    Returns a digest of the tasks and of the `state` of their files, as `state_of_files` gives it.
    """
    chunks, digest = array("q"), hashlib.sha256()
    start = end = count = 0
    with writing(path) as file:
        for together in _by_film(tasks):
            payload = b"".join(examples.framed(_dump(task)) for task in together)
            file.write(payload)
            digest.update(payload)
            digest.update("".join(state(task.sample) for task in together).encode())
            finished = together[0].sample.key in done
            if count and (finished or count >= _TASKS_A_CHUNK):
                chunks.extend((start, end - start))
                count = 0
            end += len(payload)
            if not finished:
                start = start if count else end - len(payload)
                count += len(together)
    if count:
        chunks.extend((start, end - start))
    write_whole(path.with_name(path.name + CHUNKS), chunks.tobytes())
    return digest.hexdigest()


def slices(path: Location) -> int:
    """Into how many slices the chunks of the plan at `path` are divided: at least one."""
    chunks = path.with_name(path.name + CHUNKS).stat().st_size // _PLACE
    return max(1, min(_SLICES, chunks))


def read_chunks(path: Location, index: int = 0, count: int = 1) -> Iterator[Chunk]:
    """The chunks of the plan at `path`; of `count` slices, those of one."""
    places = path.with_name(path.name + CHUNKS)
    chunks = places.stat().st_size // _PLACE
    first, last = (chunks * i // count for i in (index, index + 1))
    with places.open("rb") as file:
        file.seek(first * _PLACE)
        found = np.frombuffer(file.read((last - first) * _PLACE), np.int64)
    yield from map(tuple, found.reshape(-1, 2).tolist())


def state_of_files(root: Location) -> Callable[[Sample], str]:
    """A function that returns a sample's size and time of change, which tell other images under the
    same names; in a store from one listing of `root`."""
    if isinstance(root, Path):
        return lambda sample: "".join(map(_state, filter(None, (sample.path, sample.landmarks))))
    found = {
        str(root.fs.unstrip_protocol(name)): _state_in_store(about)
        for name, about in root.fs.find(root.path, detail=True).items()
    }
    return lambda sample: found.get(str(sample.path), "")


def _state(path: str) -> str:
    try:
        about = os.stat(path)  # noqa: PTH116, a Path takes longer to make than to ask
    except (OSError, ValueError):
        return "-"
    return f"{about.st_size},{about.st_mtime_ns};"


def _state_in_store(about: Mapping[str, object]) -> str:
    names = ("size", "ETag", "etag", "LastModified", "updated", "mtime", "created")
    return ",".join(str(about[name]) for name in names if name in about) + ";"


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
    sample = {}
    for name, default in _FIELDS:
        value = getattr(task.sample, name)
        # Compared as text, since -0.0 equals 0.0 and is stored as other bytes.
        if value is not default and repr(value) != repr(default):
            sample[name] = value
    if task.sample.film is not None:
        sample["film"] = dataclasses.asdict(task.sample.film)
    data = {**vars(task), "sample": sample}
    if task.sample.pixels is not None:
        data["png"] = base64.b64encode(images.encode_png(task.sample.pixels)).decode()
    return _encode(data).encode()


def _parse(payload: bytes) -> Task:
    data = json.loads(payload)
    png = data.pop("png", None)
    task = typed(Task, data)
    return task if png is None else _with_pixels(task, images.decode(base64.b64decode(png)))


def _with_pixels(task: Task, pixels: np.ndarray | None) -> Task:
    return dataclasses.replace(task, sample=dataclasses.replace(task.sample, pixels=pixels))
