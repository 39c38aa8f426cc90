"""The Beam steps of the preprocessing job; worker processes import them by name."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from pipelines.common.files import Location, location, write_whole
from pipelines.common.records import Reject
from pipelines.databases.base import Sample
from pipelines.dataset import examples
from pipelines.dataset.fingerprints import fingerprint
from pipelines.dataset.manifest import Shard
from pipelines.faces import alignment
from pipelines.job import spill
from pipelines.job.tasks import Chunk, Task, read_chunk
from pipelines.media import films, images

Written = tuple[Shard, dict[str, int], bytes]
REJECTED = "rejected"
REJECT_PICTURES = "rejects"
_THUMBNAIL = 128
# 68 rows of two numbers are two kilobytes.
_LANDMARK_BYTES = 2**16


def read_tasks(chunk: Chunk, plan: str) -> Iterator[list[Task]]:
    """Chunk → lists of tasks of one source, from the plan's file."""
    return read_chunk(location(plan), chunk)


class _Step(beam.DoFn):
    """A step that may reject a sample, and that counts the samples it has finished with.

    folder: the output. ticks: a file that grows by one byte a finished sample, which the
    command watches to show progress (Beam's local runner reports metrics only at the end);
    None where worker and command share no disk.
    """

    def __init__(self, folder: str, ticks: str | None) -> None:
        self._folder = folder
        self._ticks = ticks
        self._count = Metrics.counter("faces", type(self).__name__.lower())

    def _finished(self) -> None:
        if self._ticks is not None:
            # One byte appended without a buffer arrives whole even with several writers.
            with open(self._ticks, "ab", buffering=0) as file:
                file.write(b".")

    def _rejected(
        self, task: Task, reason: object, image: np.ndarray | None = None
    ) -> beam.pvalue.TaggedOutput:
        """A reject, with a thumbnail of `image` where there is one."""
        Metrics.counter("faces", REJECTED).inc()
        self._finished()
        sample, picture = task.sample, ""
        if image is not None:
            name = hashlib.sha256(sample.key.encode()).hexdigest()[:16]
            picture = f"{REJECT_PICTURES}/{name}.png"
            thumbnail = images.encode_png(images.within(image, _THUMBNAIL))
            write_whole(location(self._folder) / picture, thumbnail)
        reject = Reject(
            sample.key, task.source, task.class_name, sample.subject, str(reason), picture
        )
        return beam.pvalue.TaggedOutput(REJECTED, reject)


class Decode(_Step):
    """Tasks of one source → (task, uint8 image) each; what cannot be read is rejected."""

    def setup(self) -> None:
        # Only films need it, to find their orientation. Not a property: Beam reads every
        # attribute of a step before it pickles it, and would send the models along.
        self._aligner: alignment.FaceAligner | None = None

    def process(self, tasks: list[Task]) -> Iterator:
        if tasks[0].sample.film is not None:
            yield from self._frames(tasks)
            return
        for task in tasks:
            image = task.sample.pixels
            try:
                if image is None:
                    image = images.read(location(task.sample.path))
            except images.UnreadableImage as reason:
                yield self._rejected(task, reason)
                continue
            self._count.inc()
            yield task, image

    def _frames(self, tasks: list[Task]) -> Iterator:
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
                yield self._rejected(task, reason)
            return
        view = films.choose_view(frames[middle], film, self._certainty)
        for task, number in zip(tasks, numbers, strict=True):
            if view is None:
                reason = f"no face found in any orientation of frame {middle}"
                yield self._rejected(task, reason, frames[middle])
                continue
            self._count.inc()
            sample = dataclasses.replace(task.sample, frame=number)
            image = np.ascontiguousarray(films.look(frames[number], view))
            yield dataclasses.replace(task, sample=sample), image

    def _certainty(self, image: np.ndarray) -> float:
        if self._aligner is None:
            self._aligner = alignment.FaceAligner()
        return self._aligner.certainty(np.ascontiguousarray(image))


class Align(_Step):
    """(task, image) → (task, aligned face, eyes, scale of detection); no face is a reject.

    Cropped faces are resized and not searched; their eyes are zeros, for not known. Where no
    sample has to be searched for landmarks (search=False), no model is loaded.
    """

    def __init__(self, folder: str, ticks: str | None, search: bool, points: int) -> None:
        super().__init__(folder, ticks)
        self._search, self._points = search, points

    def setup(self) -> None:
        # Models are loaded by the worker: they take a second and do not pickle.
        if self._search:
            self._aligner = alignment.FaceAligner(self._points)

    def process(self, element: tuple[Task, np.ndarray]) -> Iterator:
        task, image = element
        sample = task.sample
        if sample.aligned:
            self._count.inc()
            yield task, alignment.resize_face(image), (0.0,) * 4, "cropped"
            return
        try:
            face = self._align(sample, image)
        except alignment.NoFaceFound as reason:
            yield self._rejected(task, reason, image)
            return
        self._count.inc()
        yield task, face.chip, tuple(float(value) for value in face.eyes), face.scale

    def _align(self, sample: Sample, image: np.ndarray) -> alignment.AlignedFace:
        if sample.landmarks is not None:
            points = alignment.read_landmarks(_text(location(sample.landmarks)))
            return alignment.align_by_landmarks(image, points)
        if sample.anchors is not None:
            return alignment.align_by_anchors(image, sample.anchors)
        return self._aligner.align(image, sample.box)


class Encode(_Step):
    """(task, aligned face, eyes, scale) → (shard, place of the record in this bundle's part)."""

    def start_bundle(self) -> None:
        self._part: spill.Part | None = None

    def process(self, element: tuple[Task, np.ndarray, tuple[float, ...], str]) -> Iterator:
        task, face, eyes, scale = element
        sample = task.sample
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
        if self._part is None:
            self._part = spill.Part(location(self._folder))
        framed = examples.framed(examples.encode(record))
        ref = self._part.append(sample.key, framed, scale, fingerprint(face))
        self._count.inc()
        self._finished()
        yield task.shard, tuple(ref)

    def finish_bundle(self) -> None:
        if self._part is not None:
            self._part.close()


def write_shard(element: tuple[str, Iterable[tuple[Any, ...]]], folder: str) -> Written:
    """(shard, places of its records in any order) → (`Shard`, number of faces by scale, its
    records' fingerprints).

    Sorting makes the bytes independent of workers and bundles; writing under another name first
    makes a retried bundle harmless.
    """
    path, places = element
    refs = sorted(spill.Ref(*place) for place in places)
    shard = spill.gather(location(folder), path, refs)
    prints = b"".join(ref.fingerprint for ref in refs)
    return shard, dict(Counter(ref.scale for ref in refs)), prints


def write_result(folder: str, written: list[Written], rejects: list[Reject]) -> None:
    """Writes `job.json`: the shards, the rejects, the number of faces found at each scale, and the
    fingerprints of each shard's records in base64."""
    scales: Counter[str] = Counter()
    for _, counts, _ in written:
        scales.update(counts)
    data = {
        "shards": [asdict(shard) for shard, *_ in written],
        "rejects": [asdict(reject) for reject in rejects],
        "found": dict(sorted(scales.items())),
        "fingerprints": {
            shard.path: base64.b64encode(prints).decode() for shard, _, prints in written
        },
    }
    write_whole(location(folder) / spill.RESULT, json.dumps(data))


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
