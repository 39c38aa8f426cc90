"""Memory of a training's data against the number of images, and the cost of drawing a batch.

    python -m benchmarks.training.memory [--images 10000,500000] [--draws 1000,100000,1000000]
        [--code CHECKOUT] [--work FOLDER]

Memory: a process loads a fold of synthetic shards at 64x64 pixels, counts classes and people, and
draws 200 batches of 16. The peak is that of RssAnon, sampled 50 times a second: pages of files,
which the system may drop, do not count (RssFile). Run twice, as the first run decodes the images
into a file. Draws: CPU time of one batch of 16, and of the start at an epoch with five batches.
`--code` measures another checkout, as one of `git archive`.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.heading import heading, parser
from pipelines.common import roles
from pipelines.common.errors import FailedWork, command
from pipelines.common.files import write_whole
from pipelines.common.text import table
from pipelines.dataset import examples
from pipelines.dataset.manifest import Manifest, Shard, shard_path
from pipelines.media.images import encode_png

CLASSES, SIDE, A_SHARD, A_PERSON = 8, 64, 10_000, 50
LOAD = """
import itertools, sys
from fesr_tf import config, data
from fesr_tf.training.monitoring.events import count_rows
settings = config.resolve("demo", overrides=[f"image_size={sys.argv[2]}", "batch_size=16"])
fold = data.load_fold(sys.argv[1], 0, settings)
count_rows(fold)
for _ in itertools.islice(data.batches(fold.train, settings), 200):
    pass
"""
DRAW = """
import itertools, sys, time
import numpy as np
from fesr_tf import config, data
for count in map(int, sys.argv[1:]):
    text = np.full(count, "")
    labels = np.arange(count, dtype=np.int32) % 8
    images = np.zeros((count, 8, 8, 1), np.uint8)
    faces = data.Faces(images, labels, text, text, np.ones(count, np.float32))
    settings = config.resolve("demo", overrides=["batch_size=16"])
    spent = []
    for start in (0, 1):
        batches = iter(data.batches(faces, settings, start * (count // 16)))
        began = time.process_time()
        next(batches)
        time.sleep(1)  # those that it prefetches
        spent.append(time.process_time() - began)
    runs = min(60, count // 16) - 6
    began = time.process_time()
    for _ in itertools.islice(batches, runs):
        pass
    print(count, (time.process_time() - began) / runs, spent[-1], flush=True)
"""


def write_data(folder: Path, count: int) -> None:
    """A preprocessed folder of `count` synthetic images: 64 different ones, in turn."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (64, 8, 8), np.uint8)
    images = [encode_png(np.kron(each, np.ones((8, 8), np.uint8))) for each in blocks]
    people = [f"s{person:05d}" for person in range(-(-count // A_PERSON))]
    shards = []
    for begin in range(0, count, A_SHARD):
        payloads = []
        for i in range(begin, min(begin + A_SHARD, count)):
            tested = i // A_PERSON % 10 == 0
            record = examples.Record(
                key=f"{people[i // A_PERSON]}/{i:07d}", image=images[i % len(images)],
                label=i % CLASSES, class_name=f"class {i % CLASSES}",
                subject=people[i // A_PERSON], splits=(roles.TEST if tested else roles.TRAIN,),
            )  # fmt: skip
            payloads.append(examples.framed(examples.encode(record)))
        content = b"".join(payloads)
        path = shard_path(0, len(shards), -(-count // A_SHARD))
        write_whole(folder / path, content)
        digest = hashlib.sha256(content).hexdigest()
        shards.append(Shard(path, len(payloads), len(content), digest))
    labels = np.bincount(np.arange(count) % CLASSES)
    tests = sum(i // A_PERSON % 10 == 0 for i in range(count))
    counts = {
        "read": count, "aligned": count, "rejected": 0,
        "by_class": {f"class {k}": int(each) for k, each in enumerate(labels)},
        "by_subject": {name: min(A_PERSON, count - i * A_PERSON) for i, name in enumerate(people)},
        "rejected_by_class": {}, "rejected_by_subject": {}, "by_channels": {"1": count, "3": 0},
        "by_fold": [{"train": count - tests, "valid": 0, "test": tests}],
    }  # fmt: skip
    manifest = Manifest(
        database="demo", classes=tuple(counts["by_class"]), channels=1, folds=1,
        subject_independent=True, feature_schema=examples.schema(1), shards=tuple(shards),
        counts=counts,
    )  # fmt: skip
    write_whole(folder / "manifest.json", manifest.to_json())


def load(code: Path, data: Path) -> tuple[int, int, float]:
    """Loads and draws: peak bytes of anonymous and of file pages, and CPU seconds."""
    peaks = {"RssAnon": 0, "RssFile": 0}
    before = os.times()
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-c", LOAD, str(data), str(SIDE)], cwd=code, stdout=log, stderr=log,
            env=os.environ | {"PYTHONPATH": str(code)},
        )  # fmt: skip
        while child.poll() is None:
            status = Path(f"/proc/{child.pid}/status").read_text()
            for name in peaks:
                now = re.search(rf"^{name}:\s*(\d+) kB", status, re.MULTILINE)
                peaks[name] = max(peaks[name], 1024 * int(now[1]) if now else 0)
            time.sleep(0.02)
        if child.returncode:
            log.seek(0)
            words = log.read().decode(errors="replace")
            raise FailedWork(f"the process ended with {child.returncode}: {words}")
    spent = sum(os.times()[2:4]) - sum(before[2:4])
    return peaks["RssAnon"], peaks["RssFile"], spent


def draws(code: Path, counts: list[str]) -> list[tuple[str, str, str]]:
    """Rows of a table: faces, CPU ms of a batch, CPU ms of the first of an epoch."""
    done = subprocess.run(
        [sys.executable, "-c", DRAW, *counts], cwd=code, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(code)},
    )  # fmt: skip
    if done.returncode:
        raise FailedWork(f"the draws ended with {done.returncode}: {done.stderr}")
    rows = (line.split() for line in done.stdout.splitlines())
    return [(f"{int(n):,}", f"{1e3 * float(a):.2f}", f"{1e3 * float(b):.1f}") for n, a, b in rows]


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.memory", __doc__)
    options.add_argument("--images", default="10000,500000")
    options.add_argument("--draws", default="1000,100000,1000000")
    options.add_argument("--code", type=Path, default=Path.cwd())
    options.add_argument("--work", type=Path, help="folder for the shards; they are kept there")
    args = options.parse_args(argv)
    print(heading(options, argv), flush=True)
    code, rows = args.code.resolve(), []
    with tempfile.TemporaryDirectory() as temporary:
        for count in filter(None, args.images.split(",")):
            data = ((args.work or Path(temporary)) / count).resolve()
            if not data.exists():
                write_data(data, int(count))
            for number in ("first", "later"):
                anonymous, file, spent = load(code, data)
                sizes = (f"{each / 2**20:.0f}" for each in (anonymous, file))
                rows.append((f"{int(count):,}", number, *sizes, f"{spent:.0f}"))
                print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    if rows:
        head = "images", "run", "peak RssAnon MiB", "peak RssFile MiB", "CPU s"
        print(table(head, rows), flush=True)
    drawn = draws(code, args.draws.split(","))
    print(table(("images", "CPU ms a batch", "CPU ms to start at an epoch"), drawn))
    return 0


if __name__ == "__main__":
    sys.exit(main())
