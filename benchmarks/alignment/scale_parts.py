"""The parts of `benchmarks.alignment.scale` in processes of their own, which load nothing that
the launcher does not: one leaves what workers leave, one does the launcher's work.

    python -m benchmarks.alignment.scale_parts leave|launch|search FOLDER IMAGES REJECTS
"""

from __future__ import annotations

import pipelines.job.quiet_beam  # noqa: F401

# isort: split
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import apache_beam as beam
import numpy as np

from pipelines.common.files import write_whole
from pipelines.common.records import Reject
from pipelines.databases.base import Database, Sample
from pipelines.dataset import copies, examples, fingerprints
from pipelines.dataset.folds import divide
from pipelines.dataset.inventory import PRINTS, Columns
from pipelines.dataset.manifest import NAME, Shard
from pipelines.job import described, spill
from pipelines.job.described import Described
from pipelines.job.finish import finish
from pipelines.job.tasks import plan
from pipelines.media import images
from pipelines.preprocess import build, write_work

_CLASSES = ("anger", "fear", "happiness", "sadness")
_IMAGES_A_PERSON = 50


def database(count: int) -> Database:
    """`count` samples of people with fifty images each."""
    samples = [
        Sample(
            key=f"{_CLASSES[i % 4]}/p{i // _IMAGES_A_PERSON:06d}_{i:08d}",
            label=i % 4,
            subject=f"p{i // _IMAGES_A_PERSON:06d}",
            path=f"/data/faces/{_CLASSES[i % 4]}/p{i // _IMAGES_A_PERSON:06d}_{i:08d}.png",
        )
        for i in range(count)
    ]
    samples.sort(key=lambda sample: sample.key)
    return Database("synthetic", _CLASSES, samples, channels=1, root=Path("/data/faces"))


def leave(folder: Path, count: int, share: float) -> None:
    """What the workers of a job leave in its folder, `share` of the images rejected."""
    made = database(count)
    division = divide(made)
    rng = np.random.default_rng(1)
    noise = images.encode_png(rng.integers(0, 256, (128, 128), np.uint8))
    payload = examples.encode(examples.Record("k", noise, 0, _CLASSES[0], "p", (1,)))
    framed, names = examples.framed(payload), []
    file = folder / "shard"
    file.write_bytes(framed * 1000)
    for path, tasks in groupby(plan(made, division), lambda task: task.shard):
        tasks = list(tasks)
        lost = rng.random(len(tasks)) < share
        kept = [task for task, is_lost in zip(tasks, lost, strict=True) if not is_lost]
        rejects = tuple(
            Reject(t.sample.key, t.source, t.class_name, t.sample.subject, "no face", "", t.splits)
            for t, is_lost in zip(tasks, lost, strict=True)
            if is_lost
        )
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        os.link(file, target)
        shard = Shard(path, len(kept), len(framed) * len(kept), "0" * 64)
        places = np.arange(len(kept) + 1) * len(framed)
        names.append(path.replace("/", "."))
        part = Described(shard, _columns(kept, division.folds, rng), places, rejects)
        described.write(folder, names[-1], part)
    result = {"described": names, "copies": {"across": [], "within": []}}
    write_whole(folder / spill.RESULT, json.dumps(result))
    file.unlink()


def _columns(tasks: list, folds: int, rng: np.random.Generator) -> Columns:
    """The columns of records of noise with the tasks' keys, subjects and roles."""
    count = len(tasks)
    values = {
        "subject": [task.sample.subject for task in tasks],
        "class_name": [task.class_name for task in tasks],
        "splits": [task.splits for task in tasks],
    }
    names = {name: list(dict.fromkeys(column)) for name, column in values.items()}
    codes = {
        name: np.array([names[name].index(value) for value in column], np.intc)
        for name, column in values.items()
    }
    arrays = {
        **codes,
        "label": np.array([task.sample.label for task in tasks], np.intc),
        "frame": np.zeros(count, np.int64),
        "image_bytes": rng.integers(12_000, 18_000, count, np.intc),
        "channels": np.ones(count, np.intc),
        "intensity": np.ones(count, np.float32),
        "yaw": np.zeros(count, np.float32),
        "eyes": rng.normal(60, 4, 4 * count).astype(np.float32),
        "votes": np.zeros(0, np.float32),
        "digests": rng.integers(0, 256, 16 * count, np.uint8),
        PRINTS: rng.integers(-128, 128, fingerprints.BYTES * count, np.int8).view(np.uint8),
    }
    texts = {"keys": [task.sample.key for task in tasks], "constant": [], "names": names}
    return Columns.of({**texts, "folds": folds}, arrays)


def launch(folder: Path, count: int) -> dict[str, object]:
    """The launcher's work on `count` images: CPU seconds of each phase, its peak of memory."""
    seconds, peaks = {"start": time.process_time()}, {"start": _peak()}

    def phase(name: str, work: Callable[[], object]) -> object:
        began = time.process_time()
        value = work()
        seconds[name], peaks[name] = time.process_time() - began, _peak()
        return value

    made = phase("samples", lambda: database(count))
    division = phase("folds", lambda: divide(made))
    phase("plan", lambda: write_work(folder, made, division))
    pipeline = beam.Pipeline(runner="FnApiRunner")
    phase("graph", lambda: build(pipeline, made, division.folds, folder))
    graph = pipeline.to_runner_api().ByteSize()
    manifest = phase("finish", lambda: finish(folder, made, division))
    size = (folder / NAME).stat().st_size
    counts = manifest.counts
    return {"images": count, "seconds": seconds, "peaks": peaks, "graph": graph, "manifest": size,
            "rejected": counts["rejected"]}  # fmt: skip


def search(count: int) -> float:
    """CPU seconds of the search for copies among `count` images of people of fifty each."""
    columns = Columns(5)
    rng = np.random.default_rng(2)
    tasks = list(plan(made := database(count), divide(made)))
    columns.extend(_columns(tasks, 5, rng))
    began = time.process_time()
    copies.find(columns)
    return time.process_time() - began


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    part, place, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if part == "leave":
        leave(place, number, float(sys.argv[4]))
    else:
        print(json.dumps(launch(place, number) if part == "launch" else search(number)))
