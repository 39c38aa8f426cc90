"""The database on disk: every person's images, and a table with the ground truth of each.

`<output>/<class>/<subject>_<frame>.png` and `<output>/faces.csv`.
"""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pipelines.common.cores import available_cores
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import folder_whole
from pipelines.common.progress import bar
from pipelines.demo_faces.expression import CLASSES
from pipelines.demo_faces.subject import COLUMNS, Request, Row, render_subject

TABLE = "faces.csv"


def render_database(
    output: str | os.PathLike,
    subjects: int,
    seed: int,
    frames: int = 5,
    size: int = 192,
    pose: float = 0.0,
    light: bool = False,
    jobs: int | None = None,
    progress: bool = True,
) -> int:
    """Renders `subjects` people into the folder `output`, atomically; returns the number of images.

    Each of the seven expressions is a sequence of `frames` images of `size` pixels a side,
    with intensities linspace(0, 1, frames); neutral is three images. `pose` is the largest
    yaw in degrees (pitch up to 0.4, roll up to 0.2 of it), sampled once a sequence; `light`
    varies light and backdrop likewise. The bytes do not depend on `jobs`, the number of
    processes (default: the cores this process may use). Raises BadUse for a request that
    is out of range and FailedWork when the disk refuses.
    """
    request = Request(subjects, seed, frames, size, pose, light)
    if jobs is not None and jobs < 1:
        raise BadUse(f"jobs has to be at least 1, and is {jobs}.")
    output = Path(output)
    if output.exists() and not _replaceable(output):
        raise BadUse(f"{output} exists and is not a demo database: name another output folder.")
    try:
        with folder_whole(output) as folder:
            for label in CLASSES:
                (folder / label).mkdir()
            rows = []
            total = subjects * request.images_per_subject
            with bar(total=total, desc="demo faces", unit="face", disable=not progress) as shown:
                for of_subject in _all_subjects(request, folder, jobs or len(available_cores())):
                    rows += of_subject
                    shown.update(len(of_subject))
            (folder / TABLE).write_text(_table(sorted(rows, key=lambda row: row["path"])))
    except OSError as error:
        raise FailedWork(
            f"the demo database could not be written to {output}: {error.strerror or error}."
        ) from error
    except BrokenProcessPool as error:
        raise FailedWork(
            "a rendering process ended early, perhaps for lack of memory: use fewer --jobs."
        ) from error
    return len(rows)


def _all_subjects(request: Request, folder: Path, jobs: int) -> Iterator[list[Row]]:
    """Rows subject by subject, in order; in this process where one is enough."""
    jobs = min(jobs, request.subjects)
    if jobs == 1:
        for index in range(request.subjects):
            yield render_subject(request, index, folder)
        return
    # Fresh processes: forking one that has threads (TensorFlow, Beam) can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _ignore_interrupts) as pool:
        try:
            waiting = [
                pool.submit(render_subject, request, index, folder)
                for index in range(request.subjects)
            ]
            for future in waiting:
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process; only the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _replaceable(output: Path) -> bool:
    """An empty folder, or an earlier demo database."""
    if not output.is_dir():
        return False
    if not any(output.iterdir()):
        return True
    # A folder of other images may have a table of that name.
    table = output / TABLE
    return table.is_file() and table.read_bytes().startswith(_table([]).encode())


def _table(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval=0, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
