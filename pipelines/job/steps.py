"""The Beam steps of the preprocessing job; worker processes import them by name."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import platform
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from pipelines.common.files import Location, location, write_whole
from pipelines.common.records import Reject
from pipelines.databases.base import Sample
from pipelines.dataset import copies, examples
from pipelines.dataset.fingerprints import fingerprint
from pipelines.faces import alignment
from pipelines.job import described, spill
from pipelines.job.progress import IMAGES, METRICS
from pipelines.job.tasks import PLAN, TAKEN, Chunk, Task, read_chunk, read_chunks
from pipelines.media import films, images

REJECT_PICTURES = "rejects"
_THUMBNAIL = 128
# 68 rows of two numbers are two kilobytes.
_LANDMARK_BYTES = 2**16


def list_work(index: int, folder: str, count: int) -> Iterator[Chunk | str]:
    """The number of one of `count` slices → its chunks of the plan in `folder`, and its parts of a
    killed job. The lists lie in files, so that the job's graph does not grow with the database."""
    place = location(folder)
    yield from json.loads((place / TAKEN).read_bytes())[index::count]
    yield from read_chunks(place / PLAN, index, count)


def read_tasks(work: Chunk | str, folder: str) -> Iterator[list[Task] | str]:
    """Chunk → lists of tasks of one source, from the plan's file; parts pass."""
    return iter([work]) if isinstance(work, str) else read_chunk(location(folder) / PLAN, work)


class AlignFaces(beam.DoFn):
    """Tasks of one source → (shard, (seconds, outcome)) each, where outcome is the place of the
    aligned face's record in a part, a tuple, or its reject, a dict. The name of a part of a killed
    job → the same, without any work.

    Decoding, alignment and encoding are one step with one output, since Beam's DaskRunner keeps
    a step's whole output in memory, merges tagged outputs into one, and computes a step once for
    each step that reads from it.

    folder: the output. ticks: a folder in which each worker process has a file that grows by one
    byte a finished image, which the command watches to show progress; None where there is no
    shared disk. Cropped faces are resized and not searched; their eyes are zeros, for not known.
    search: whether any sample has to be searched for landmarks; otherwise no model is loaded.
    """

    def __init__(self, folder: str, ticks: str | None, search: bool, points: int) -> None:
        self._folder, self._ticks = folder, ticks
        self._search, self._points = search, points

    def setup(self) -> None:
        if self._search:
            _aligner(self._points, threading.get_ident())
        process = f"{platform.node()}-{os.getpid()}"
        self._tick = None if self._ticks is None else str(Path(self._ticks, process))

    def start_bundle(self) -> None:
        self._part: spill.Part | None = None

    def process(self, tasks: list[Task] | str) -> Iterator[spill.Outcome]:
        if isinstance(tasks, str):
            return spill.outcomes(location(self._folder), tasks)
        if self._part is None:
            self._part = spill.Part(location(self._folder))
        outcomes, began = [], time.perf_counter()
        for task, image in self._decode(tasks):
            outcome = image if isinstance(image, Reject) else self._store(task, image)
            if isinstance(outcome, Reject):
                Metrics.counter(METRICS, f"rejected: {outcome.kind}").inc()
            else:
                Metrics.counter(METRICS, "faces").inc()
            Metrics.counter(METRICS, IMAGES).inc()
            ended = time.perf_counter()
            Metrics.distribution(METRICS, "milliseconds").update(round(1000 * (ended - began)))
            plain = asdict(outcome) if isinstance(outcome, Reject) else tuple(outcome)
            outcomes.append((task.shard, (ended - began, plain)))
            self._part.add(outcomes[-1])
            self._finished()
            began = time.perf_counter()
        if self._part.full:
            self.finish_bundle()
        return iter(outcomes)

    def finish_bundle(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None

    def _finished(self) -> None:
        if self._tick is not None:
            # One byte appended without a buffer arrives whole even with several threads. A job
            # that was cancelled has no folder any more.
            with contextlib.suppress(OSError), open(self._tick, "ab", buffering=0) as file:
                file.write(b".")

    def _rejected(self, task: Task, reason: object, image: np.ndarray | None = None) -> Reject:
        """A reject, with a thumbnail of `image` where there is one."""
        sample, picture, thumbnail = task.sample, "", b""
        if image is not None:
            name = hashlib.sha256(sample.key.encode()).hexdigest()[:16]
            picture = f"{REJECT_PICTURES}/{name}.png"
            thumbnail = images.encode_png(images.within(image, _THUMBNAIL))
            write_whole(location(self._folder) / picture, thumbnail)
        return Reject(
            key=sample.key,
            source=task.source,
            class_name=task.class_name,
            subject=sample.subject,
            reason=str(reason),
            picture=picture,
            splits=task.splits,
            picture_bytes=len(thumbnail),
            picture_sha256=hashlib.sha256(thumbnail).hexdigest() if thumbnail else "",
        )

    def _decode(self, tasks: list[Task]) -> Iterator[tuple[Task, np.ndarray | Reject]]:
        """The uint8 image of each task; what cannot be read is rejected."""
        if tasks[0].sample.film is not None:
            yield from self._frames(tasks)
            return
        for task in tasks:
            image = task.sample.pixels
            try:
                if image is None:
                    image = images.read(location(task.sample.path))
            except images.UnreadableImage as reason:
                image = self._rejected(task, reason)
            yield task, image

    def _frames(self, tasks: list[Task]) -> Iterator[tuple[Task, np.ndarray | Reject]]:
        """Frames of one film, turned and cut to the view in which its middle frame has a face."""
        path, film = location(tasks[0].sample.path), tasks[0].sample.film
        try:
            count = films.count_frames(path)
            middle = films.select(dataclasses.replace(film, offset=0), count)
            numbers = [films.select(task.sample.film, count) for task in tasks]
            wanted = sorted({middle, *numbers})
            frames = dict(zip(wanted, films.read_frames(path, wanted), strict=True))
        except films.UnreadableFilm as reason:
            for task in tasks:
                yield task, self._rejected(task, reason)
            return
        view = films.choose_view(frames[middle], film, self._certainty)
        for task, number in zip(tasks, numbers, strict=True):
            if view is None:
                reason = f"no face found in any orientation of frame {middle}"
                yield task, self._rejected(task, reason, frames[middle])
                continue
            sample = dataclasses.replace(task.sample, frame=number)
            image = np.ascontiguousarray(films.look(frames[number], view))
            yield dataclasses.replace(task, sample=sample), image

    def _certainty(self, image: np.ndarray) -> float:
        aligner = _aligner(self._points, threading.get_ident())
        return aligner.certainty(np.ascontiguousarray(image))

    def _store(self, task: Task, image: np.ndarray) -> spill.Ref | Reject:
        """Aligns the face and appends its record to the bundle's part; no face is a reject."""
        sample = task.sample
        if sample.aligned:
            face, eyes, scale = alignment.resize_face(image), (0.0,) * 4, "cropped"
        else:
            try:
                found = self._align(sample, image)
            except alignment.NoFaceFound as reason:
                return self._rejected(task, reason, image)
            face, scale = found.chip, found.scale
            eyes = tuple(float(value) for value in found.eyes)
        record = examples.Record(
            key=sample.key,
            image=images.encode_png(face),
            label=sample.label,
            class_name=task.class_name,
            subject=sample.subject,
            splits=task.splits,
            frame=sample.frame,
            intensity=sample.intensity,
            yaw=sample.yaw,
            eyes=eyes,
            votes=sample.votes or (),
        )
        framed = examples.framed(examples.encode(record))
        return self._part.append(sample.key, framed, scale, fingerprint(face))

    def _align(self, sample: Sample, image: np.ndarray) -> alignment.AlignedFace:
        if sample.landmarks is not None:
            points = alignment.read_landmarks(_text(location(sample.landmarks)))
            return alignment.align_by_landmarks(image, points)
        if sample.anchors is not None:
            return alignment.align_by_anchors(image, sample.anchors)
        return _aligner(self._points, threading.get_ident()).align(image, sample.box)


def write_shard(
    element: tuple[str, Iterable[tuple[float, Any]]], folder: str, folds: int
) -> tuple[str, str]:
    """(shard, the outcomes of its images in any order) → ("", the name of the file that describes
    it), where the shard was read back.

    Sorting makes the bytes independent of workers and bundles; writing under another name first
    makes a retried bundle harmless.
    """
    path, outcomes = element[0], list(element[1])
    refs = sorted(spill.Ref(*each) for _, each in outcomes if not isinstance(each, dict))
    rejects = [each for _, each in outcomes if isinstance(each, dict)]
    shard = spill.gather(location(folder), path, refs) if refs else None
    found = described.describe(
        location(folder),
        shard,
        folds,
        b"".join(ref.fingerprint for ref in refs),
        rejects=tuple(Reject(**{**each, "splits": tuple(each["splits"])}) for each in rejects),
        found=dict(sorted(Counter(ref.scale for ref in refs).items())),
        seconds=sum(seconds for seconds, _ in outcomes),
    )
    name = path.replace("/", ".")
    described.write(location(folder), name, found)
    return "", name


def write_result(element: tuple[str, Iterable[str]], folder: str, folds: int) -> None:
    """Writes `job.json`: the files that describe the shards, in the shards' order, the number of
    faces found at each scale, the workers' seconds in all, and the copies, as pairs of rows."""
    names = sorted(element[1])
    merged = described.merge(location(folder), names, folds, prints=True)
    data = {
        "described": names,
        "found": dict(sorted(merged.found.items())),
        "seconds": merged.seconds,
        "copies": copies.find(merged.columns),
    }
    write_whole(location(folder) / spill.RESULT, json.dumps(data, default=asdict))


@functools.lru_cache(maxsize=64)
def _aligner(points: int, thread: int) -> alignment.FaceAligner:
    """A thread's own aligner, since it must not be shared. The worker loads it, since models do not
    pickle, and keeps it: Dask sets up a step for each of its partitions, and loading takes longer
    than aligning ten faces."""
    return alignment.FaceAligner(points)


def _text(path: Location) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LANDMARK_BYTES + 1)
    except OSError as error:
        raise alignment.NoFaceFound(
            f"its landmarks cannot be read: {error.strerror or error}"
        ) from None
    if len(data) > _LANDMARK_BYTES:
        raise alignment.NoFaceFound(f"its landmark file is larger than {_LANDMARK_BYTES:,} bytes")
    return data.decode(errors="replace")
