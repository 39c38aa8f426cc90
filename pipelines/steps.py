"""The Beam steps of the preprocessing job, each small enough to read alone.

They live apart from the command so that worker processes import them by name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from pipelines import alignment, examples, images
from pipelines.databases.base import Sample
from pipelines.files import write_whole
from pipelines.manifest import Reject, Shard

REJECTED = "rejected"


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


class _Step(beam.DoFn):
    """A step that may reject a sample, and that counts the samples it has finished with.

    ticks: a file that grows by one byte a finished sample, which the command watches on
    its own machine to show progress (Beam's local runner reports metrics only at the end);
    None where worker and command share no disk.
    """

    def __init__(self, ticks: str | None) -> None:
        self._ticks = ticks
        self._count = Metrics.counter("faces", type(self).__name__.lower())

    def _finished(self) -> None:
        if self._ticks is not None:
            # One byte under O_APPEND arrives whole whoever else is writing.
            descriptor = os.open(self._ticks, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, b".")
            finally:
                os.close(descriptor)

    def _rejected(self, task: Task, reason: object) -> beam.pvalue.TaggedOutput:
        Metrics.counter("faces", REJECTED).inc()
        self._finished()
        reject = Reject(
            task.sample.key, task.source, task.class_name, task.sample.subject, str(reason)
        )
        return beam.pvalue.TaggedOutput(REJECTED, reject)


class Decode(_Step):
    """Task → (task, uint8 image); a picture that cannot be read is rejected."""

    def process(self, task: Task) -> Iterator:
        sample = task.sample
        try:
            image = sample.pixels if sample.path is None else images.read(sample.path)
        except images.UnreadableImage as reason:
            yield self._rejected(task, reason)
            return
        self._count.inc()
        yield task, image


class Align(_Step):
    """(task, image) → (task, chip, eyes); a picture without a face is rejected.

    Cropped faces are resized and not searched; their eyes are zeros, for not known. Where
    all are (search=False), no model is loaded.
    """

    def __init__(self, ticks: str | None, search: bool) -> None:
        super().__init__(ticks)
        self._search = search

    def setup(self) -> None:
        # Models are read where the work is done: they take a second and do not pickle.
        if self._search:
            self._aligner = alignment.FaceAligner()

    def process(self, element: tuple[Task, np.ndarray]) -> Iterator:
        task, image = element
        if task.sample.aligned:
            self._count.inc()
            yield task, alignment.resize_to_chip(image), (0.0,) * 4
            return
        try:
            face = self._aligner.align(image)
        except alignment.NoFaceFound as reason:
            yield self._rejected(task, reason)
            return
        self._count.inc()
        Metrics.counter("scales", face.scale).inc()
        yield task, face.chip, tuple(float(value) for value in face.eyes)


class Encode(_Step):
    """(task, chip, eyes) → (shard, (key, serialised tf.Example))."""

    def process(
        self, element: tuple[Task, np.ndarray, tuple[float, float, float, float]]
    ) -> Iterator[tuple[str, tuple[str, bytes]]]:
        task, chip, eyes = element
        sample = task.sample
        record = examples.Record(
            key=sample.key,
            image=images.encode_png(chip),
            label=sample.label,
            class_name=task.class_name,
            subject=sample.subject,
            splits=task.splits,
            frame=sample.frame,
            intensity=sample.intensity,
            yaw=sample.yaw,
            eyes=eyes,
        )
        self._count.inc()
        self._finished()
        yield task.shard, (sample.key, examples.encode(record))


class WriteShard(beam.DoFn):
    """(shard, its records in any order) → `Shard`, after writing the file whole.

    Sorting here is what makes the bytes independent of workers and bundles; writing under
    another name first makes a retried bundle harmless.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, element: tuple[str, Iterable[tuple[str, bytes]]]) -> Iterator[Shard]:
        path, keyed = element
        records = sorted(keyed)
        payload = b"".join(examples.framed(record) for _, record in records)
        write_whole(Path(self._folder) / path, payload)
        yield Shard(path, len(records), len(payload), hashlib.sha256(payload).hexdigest())
