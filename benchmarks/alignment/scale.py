"""Costs of the launcher of the preprocessing job beside its workers, by the number of images.

    python -m benchmarks.alignment.scale [--images 10000 100000 1000000] [--rejects 0.01]

Synthetic records: a database of N samples that name images which do not exist; no image is read
and no face is aligned. Each N runs in a process of its own, which does what the launcher does: it
holds the samples, divides them, writes the plan, builds the graph and finishes the folder. Another
process stands in for the workers: it writes what they leave, the files that describe shards. All
its shards are one file of one record, since the launcher opens none but for the contact sheet. What
only workers do is not in the table: alignment, reading shards back, the search for copies, which
`--copies N` times for N images. Nor is the listing of a folder by its reader.
"""

from __future__ import annotations

import pipelines.job.quiet_beam  # noqa: F401

# isort: split
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import apache_beam as beam
import numpy as np

from benchmarks.heading import heading, parser
from pipelines.common.errors import FailedWork, command
from pipelines.common.files import write_whole
from pipelines.common.records import Reject
from pipelines.common.text import table
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

PHASES = ("start", "samples", "folds", "plan", "graph", "finish")
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


def _child(*words: object) -> str:
    """What this module prints in another process."""
    # A process counts its starter's memory as its own peak, so a small one starts it.
    arguments = [sys.executable, "-m", "benchmarks.alignment.scale", *map(str, words)]
    starter = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    outcome = subprocess.run(
        [sys.executable, "-S", "-c", starter, *arguments], capture_output=True, text=True
    )
    if outcome.returncode:
        raise FailedWork(f"{' '.join(arguments)} failed: {outcome.stderr.strip()[-500:]}")
    return outcome.stdout


def _rows(found: list[dict]) -> list[tuple[object, ...]]:
    rows = [
        (
            f"{each['images']:,}",
            *(f"{each['seconds'][name]:.1f}" for name in PHASES),
            f"{sum(each['seconds'].values()):.0f}",
            *(f"{each['peaks'][name] / 1e6:.0f}" for name in ("start", "graph", "finish")),
            f"{each['graph'] / 1e3:.0f}",
            f"{each['manifest'] / 1e3:.0f}",
            f"{each['rejected']:,}",
        )
        for each in found
    ]
    return rows


def extrapolated(found: list[dict], images: int) -> str:
    """What `images` would take, along the line through the two largest measurements."""
    first, second = found[-2:]
    share = (images - second["images"]) / (second["images"] - first["images"])

    def line(value: Callable[[dict], float]) -> float:
        return value(second) + share * (value(second) - value(first))

    cpu = line(lambda each: sum(each["seconds"].values()))
    peak = line(lambda each: each["peaks"]["finish"])
    return f"extrapolated to {images:,} images: {cpu:.0f} CPU s, {peak / 1e9:.1f} GB"


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.alignment.scale", __doc__)
    counts = [10_000, 100_000, 1_000_000]
    options.add_argument("--images", type=int, nargs="+", default=counts, help="[%(default)s]")
    options.add_argument("--rejects", type=float, default=0.01, help="share rejected [0.01]")
    options.add_argument("--copies", type=int, nargs="*", default=[], help="time the search too")
    options.add_argument("--leave", type=Path, help="only what workers leave, into this folder")
    options.add_argument("--launch", type=Path, help="only the launcher's part, on that folder")
    args = options.parse_args(argv)
    if args.leave:
        leave(args.leave, args.images[0], args.rejects)
        return 0
    if args.launch:
        print(json.dumps(launch(args.launch, args.images[0])))
        return 0
    print(heading(options, argv), flush=True)
    found = []
    for count in args.images:
        with tempfile.TemporaryDirectory() as folder:
            _child("--leave", folder, "--images", count, "--rejects", args.rejects)
            found.append(json.loads(_child("--launch", folder, "--images", count)))
    head = ("images", *(f"{name} s" for name in PHASES), "CPU s", "MB at start", "before the job",
            "in all", "graph KB", "manifest KB", "rejects")  # fmt: skip
    print(table(head, _rows(found)))
    if len(found) > 1:
        print(extrapolated(found, 10_000_000))
    for count in args.copies:
        print(f"search for copies, in the job: {count:,} images, {search(count):.1f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
