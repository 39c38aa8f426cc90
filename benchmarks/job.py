"""What the job costs beside the work in it: Beam's share, a second worker, memory.

    python -m benchmarks.job [--part beam|workers|memory|all] [--images 2000]

`beam`: the job against a bare loop over the same functions, in turn in one process; both write
the same bytes. `workers`: two worker processes against one. `memory`: the peak of the command
for n and for 10 n pictures, each in a process of its own.
"""

from __future__ import annotations

import pipelines.job.quiet_beam  # noqa: F401

# isort: split
import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.machine import heading
from pipelines.common.errors import command
from pipelines.common.files import folder_whole, write_whole
from pipelines.databases import Database, open_database
from pipelines.dataset import examples
from pipelines.dataset.folds import Division, divide
from pipelines.dataset.manifest import Manifest
from pipelines.demo_faces import render_database
from pipelines.faces import alignment
from pipelines.job import spill
from pipelines.job.beam_options import pipeline_options
from pipelines.job.finish import finish
from pipelines.job.steps import write_result
from pipelines.job.tasks import plan
from pipelines.media import images
from pipelines.preprocess import preprocess

_EXPECTED = {
    "beam": "expected beforehand: a second of start and under a millisecond a picture, so some 5 %",
    "workers": "expected beforehand: 1.8 times, the second process costing a start of 2 s",
    "memory": "expected beforehand: the same within 10 %: no picture stays in memory, a few "
    "hundred bytes of list a picture do",
}
_WIDTH, _HEIGHT, _FACE = 640, 480, 360
_PEOPLE = 4


def photographs(folder: Path, count: int, size: tuple[int, int], seed: int = 0) -> Path:
    """`count` JPEG pictures in the layout of `images`, width and height `size`: rendered people,
    each time elsewhere in the picture."""
    faces = folder / "faces"
    side = min(_FACE, size[1])
    render_database(faces, _PEOPLE, seed=300, frames=3, size=side, pose=20, light=True)
    rendered = sorted(faces.glob("*/*.png"))
    random = np.random.default_rng(seed)
    for number in tqdm(range(count), desc="pictures", unit="image"):
        path = rendered[number % len(rendered)]
        left = int(random.integers(0, size[0] - side + 1))
        top = int(random.integers(0, size[1] - side + 1))
        face = np.asarray(Image.open(path).convert("RGB"))
        around = ((top, size[1] - side - top), (left, size[0] - side - left), (0, 0))
        picture = Image.fromarray(np.pad(face, around, mode="edge"))
        name = f"{path.stem.split('_')[0]}_{number:06d}.jpg"
        target = folder / "in" / path.parent.name / name
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target, quality=92)
    return folder / "in"


def bare(database: Database, division: Division, output: Path) -> Manifest:
    """The job without Beam: one loop over the same functions, the same bytes."""
    aligner = alignment.FaceAligner()
    with folder_whole(output) as folder:
        part, refs = spill.Part(folder), defaultdict(list)
        for task in tqdm(plan(database, division), total=len(database.samples), desc="bare loop"):
            sample = task.sample
            face = aligner.align(images.read(sample.path))
            record = examples.Record(
                sample.key,
                images.encode_png(face.chip),
                sample.label,
                task.class_name,
                sample.subject,
                task.splits,
                sample.frame,
                sample.intensity,
                sample.yaw,
                tuple(float(value) for value in face.eyes),
            )
            payload = examples.framed(examples.encode(record))
            refs[task.shard].append(part.append(sample.key, payload, face.scale))
        part.close()
        shards = [(spill.gather(folder, path, found), {}) for path, found in refs.items()]
        write_result(str(folder), shards, [])
        (folder / spill.FOLDER / part.name).unlink()
        (folder / spill.FOLDER).rmdir()
        return finish(folder, database, division)


def alternately(
    runs: int, first: Callable[[], object], second: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """Wall seconds of each, in turn, after nothing: what a person waits for."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _, (place, work) in itertools.product(range(runs), enumerate((first, second))):
        begun = time.perf_counter()
        work()
        seconds[place].append(time.perf_counter() - begun)
    return seconds


def beam_share(source: Path, scratch: Path, runs: int) -> None:
    """Prints the job's time over the bare loop's."""
    database = open_database("images", source)
    division = divide(database)
    made: dict[str, Manifest] = {}

    def with_beam() -> None:
        options = pipeline_options([])
        made["beam"], _ = preprocess(database, division, scratch / "beam", options)

    def without() -> None:
        made["bare"] = bare(database, division, scratch / "bare")

    beam, loop = alternately(runs, with_beam, without)
    same = made["beam"].digest == made["bare"].digest
    ratios = [a / b for a, b in zip(beam, loop, strict=True)]
    count = len(database.samples)
    print(
        f"beam: {count} pictures, {runs} runs in turn; the job {statistics.median(beam):.1f} s, "
        f"the bare loop {statistics.median(loop):.1f} s (medians); job / loop "
        f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); the same "
        f"bytes: {'yes' if same else 'NO'}"
    )


def second_worker(source: Path, scratch: Path, runs: int) -> None:
    """Prints one worker process's time over two's."""
    database = open_database("images", source)
    division = divide(database)

    def with_workers(count: int) -> Callable[[], None]:
        mode = ["--direct_running_mode=multi_processing", f"--direct_num_workers={count}"]
        options = pipeline_options(mode)
        return lambda: preprocess(database, division, scratch / "workers", options) and None

    one, two = alternately(runs, with_workers(1), with_workers(2))
    ratios = [a / b for a, b in zip(one, two, strict=True)]
    print(
        f"workers: {len(database.samples)} pictures, {runs} runs in turn; one process "
        f"{statistics.median(one):.1f} s, two {statistics.median(two):.1f} s (medians); one / "
        f"two {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def peak(source: Path, output: Path) -> float:
    """The command's peak memory in MB, in a process of its own."""
    words = ["-m", "pipelines.preprocess", "--db", "images", "--input", str(source)]
    process = subprocess.Popen(
        [sys.executable, *words, "--output", str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the command ended with {process.returncode}")
    return usage.ru_maxrss / 1024


def memory(scratch: Path, count: int) -> None:
    """Prints the peak for `count` and for ten times as many pictures of 192×192."""
    few = photographs(scratch / "few", count, (192, 192))
    many = scratch / "many"
    for path in few.glob("*/*.jpg"):
        for copy in range(10):
            subject, rest = path.stem.split("_")
            target = many / path.parent.name / f"{subject}_{copy}{rest}.jpg"
            write_whole(target, path.read_bytes())
    small, large = peak(few, scratch / "out-few"), peak(many, scratch / "out-many")
    print(
        f"memory: peak {small:.0f} MB for {count} pictures, {large:.0f} MB for {10 * count} "
        f"({large / small:.3f} times; {1e6 * (large - small) / (9 * count):.0f} bytes a picture)"
    )


@command
def main(argv: list[str] | None = None) -> int:
    """Makes the pictures, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("beam", "workers", "memory", "all"), default="all")
    parser.add_argument("--images", type=int, default=2000, help="pictures (2000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each (3)")
    options = parser.parse_args(argv)
    print(heading("benchmarks.job", argv))
    parts = _EXPECTED if options.part == "all" else (options.part,)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if {"beam", "workers"} & set(parts):
            source = photographs(scratch / "pictures", options.images, (_WIDTH, _HEIGHT))
        for part in parts:
            print(_EXPECTED[part], flush=True)
            if part == "beam":
                beam_share(source, scratch, options.runs)
            elif part == "workers":
                second_worker(source, scratch, options.runs)
            else:
                memory(scratch, options.images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
