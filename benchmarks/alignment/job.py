"""Costs of the preprocessing job beside its work: Beam's share, a second worker, memory.

    python -m benchmarks.alignment.job [--part beam|workers|memory|all] [--images 2000]

`beam`: the job against a bare loop over the same functions, in turn in one process; both write
the same bytes. `workers`: two worker processes against one. `memory`: the peak of the command
for n and for 10 n images, each in a process of its own.
"""

from __future__ import annotations

import pipelines.job.quiet_beam  # noqa: F401

# isort: split
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.alignment.aligners import onto_canvas
from benchmarks.heading import heading, parser
from pipelines.common.errors import FailedWork, command
from pipelines.common.files import folder_whole, remove_folder, write_whole
from pipelines.databases import Database, open_database
from pipelines.dataset import examples
from pipelines.dataset.fingerprints import fingerprint
from pipelines.dataset.folds import Division, divide
from pipelines.dataset.manifest import Manifest
from pipelines.demo_faces import render_database
from pipelines.faces import alignment
from pipelines.job import spill
from pipelines.job.beam_options import pipeline_options
from pipelines.job.finish import finish
from pipelines.job.steps import write_result, write_shard
from pipelines.job.tasks import plan
from pipelines.media import images
from pipelines.preprocess import preprocess
from tests.support.corpus import measure

EXPECTED = {
    "beam": "expected beforehand: a second of start and under a millisecond an image, so some 5 %",
    "workers": "expected beforehand: 1.8 times, the second process costing a start of 2 s",
    "memory": "expected beforehand: the same within 10 %: no image stays in memory, a few "
    "hundred bytes of list an image do",
}


def photographs(folder: Path, count: int, small: bool = False) -> Path:
    """`count` JPEG images in the layout of `images`: rendered people, each elsewhere in an image
    of 640×480, or (`small`) filling one of 192×192."""
    side = 192 if small else 360
    faces = folder / "faces"
    render_database(faces, 4, seed=300, frames=3, size=side, pose=20, light=True)
    rendered = sorted(faces.glob("*/*.png"))
    for number in tqdm(range(count), desc="images", unit="image"):
        path = rendered[number % len(rendered)]
        face = images.read(path)
        name = f"{path.stem.split('_')[0]}_{number:06d}.jpg"
        target = folder / "in" / path.parent.name / name
        target.parent.mkdir(parents=True, exist_ok=True)
        image = face if small else onto_canvas(face, side, number)
        Image.fromarray(image).save(target, quality=92)
    return folder / "in"


def bare(database: Database, division: Division, output: Path) -> Manifest:
    """The job without Beam: one loop over the same functions, the same bytes."""
    aligner = alignment.FaceAligner()
    with folder_whole(output) as folder:
        part, outcomes = spill.Part(folder), defaultdict(list)
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
            ref = part.append(sample.key, payload, face.scale, fingerprint(face.chip))
            outcomes[task.shard].append((0.0, tuple(ref)))
        part.close()
        names = [write_shard(item, str(folder), division.folds)[1] for item in outcomes.items()]
        write_result(("", names), str(folder), division.folds)
        remove_folder(folder / spill.FOLDER)
        return finish(folder, database, division)


def alternately(runs: int, first: Callable[[], object], second: Callable[[], object]) -> np.ndarray:
    """Wall seconds (2, runs) of two functions that are called in turn."""
    seconds = np.empty((2, runs))
    for run in range(runs):
        for row, work in enumerate((first, second)):
            began = time.perf_counter()
            work()
            seconds[row, run] = time.perf_counter() - began
    return seconds


def ratio(seconds: np.ndarray) -> str:
    """The first over the second: the median of the runs, and their range."""
    ratios = seconds[0] / seconds[1]
    return f"{np.median(ratios):.3f} ({ratios.min():.3f} to {ratios.max():.3f})"


def beam_share(source: Path, scratch: Path, runs: int) -> None:
    """Prints the job's time over the bare loop's."""
    database = open_database("images", source)
    division = divide(database)
    digests = {}

    def with_beam() -> None:
        manifest, *_ = preprocess(database, division, scratch / "beam", pipeline_options([]))
        digests["beam"] = manifest.digest

    def without() -> None:
        digests["bare"] = bare(database, division, scratch / "bare").digest

    seconds = alternately(runs, with_beam, without)
    job, loop = np.median(seconds, axis=1)
    print(
        f"beam: {len(database.samples)} images, {runs} runs in turn; the job {job:.1f} s, the bare "
        f"loop {loop:.1f} s (medians); job / loop {ratio(seconds)}; the same bytes: "
        f"{'yes' if digests['beam'] == digests['bare'] else 'NO'}"
    )


def second_worker(source: Path, scratch: Path, runs: int) -> None:
    """Prints one worker process's time over two's."""
    database = open_database("images", source)
    division = divide(database)

    def with_workers(count: int) -> Callable[[], object]:
        mode = ["--direct_running_mode=multi_processing", f"--direct_num_workers={count}"]
        options = pipeline_options(mode)
        return lambda: preprocess(database, division, scratch / "workers", options)

    seconds = alternately(runs, with_workers(1), with_workers(2))
    one, two = np.median(seconds, axis=1)
    print(
        f"workers: {len(database.samples)} images, {runs} runs in turn; one process {one:.1f} s, "
        f"two {two:.1f} s (medians); one / two {ratio(seconds)}"
    )


def memory(scratch: Path, count: int) -> None:
    """Prints the peak for `count` and for ten times as many images of 192×192."""
    few, many = photographs(scratch / "few", count, small=True), scratch / "many"
    for path in few.glob("*/*.jpg"):
        for copy in range(10):
            subject, rest = path.stem.split("_")
            target = many / path.parent.name / f"{subject}_{copy}{rest}.jpg"
            write_whole(target, path.read_bytes())
    peaks = []
    for source in (few, many):
        words = ["--db", "images", "--input", source, "--output", scratch / f"out-{source.name}"]
        outcome = measure.run(["-m", "pipelines.preprocess", *words], scratch / "log", 86_400)
        if outcome.code:
            raise FailedWork(f"the job on {source} failed: {outcome.err.strip()[-300:]}")
        peaks.append(outcome.peak)
    small, large = peaks
    print(
        f"memory: peak {small / 1e6:.0f} MB for {count} images, {large / 1e6:.0f} MB for "
        f"{10 * count} ({large / small:.3f} times; {(large - small) / (9 * count):.0f} bytes an "
        "image)"
    )


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.alignment.job", __doc__)
    options.add_argument("--part", choices=(*EXPECTED, "all"), default="all")
    options.add_argument("--images", type=int, default=2000, help="[2000]")
    options.add_argument("--runs", type=int, default=3, help="runs of each [3]")
    args = options.parse_args(argv)
    print(heading(options, argv))
    parts = EXPECTED if args.part == "all" else (args.part,)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if {"beam", "workers"} & set(parts):
            source = photographs(scratch / "images", args.images)
        for part in parts:
            print(EXPECTED[part], flush=True)
            if part == "beam":
                beam_share(source, scratch, args.runs)
            elif part == "workers":
                second_worker(source, scratch, args.runs)
            else:
                memory(scratch, args.images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
