"""The preprocessing job on every engine that can be started here, beside the local runner.

    python -m benchmarks.alignment.engines [--subjects 12] [--seed 5]

Each row is the command `python -m pipelines.preprocess` on the same rendered people and three files
that hold no image. *identical*: every file of the output folder is the local runner's to the byte.
*aligned*: how often an image was aligned or rejected, as the workers counted.
*CPU s*: of the launcher and of the workers, the start of a cluster included.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from benchmarks.heading import heading, parser
from pipelines.common.errors import command
from pipelines.common.files import write_whole
from pipelines.common.text import table
from pipelines.demo_faces import render_database
from pipelines.job.progress import Finished
from tests.support.engines import ROOT, dask_cluster, worker_pool
from tests.support.inspection import contents

EXPECTED = (
    "expected beforehand: every row identical, each image once except where a worker is killed; "
    "Dask takes more CPU than two processes, as four processes start"
)
HEAD = ("engine", "exit", "identical", "aligned", "seconds", "CPU s")
NOT_RUN = (
    ("Flink", "--runner FlinkRunner --flink_master HOST:8081"),
    ("Spark", "--runner SparkRunner --spark_master_url spark://HOST:7077"),
    ("Dataflow", "--runner DataflowRunner --project PROJECT --region REGION"),
)
_BESIDE = {
    "text.jpg": b"not an image",
    "empty.jpg": b"",
    "half.png": b"\x89PNG",
}
Started = tuple[list[str], Callable[[int], None]]
"""The options of the job, and what to do when some number of images is finished."""
Engine = contextlib.AbstractContextManager[Started]


def _nothing(done: int) -> None:
    pass


@contextlib.contextmanager
def options(*words: str) -> Iterator[Started]:
    """An engine that the command starts by itself."""
    yield list(words), _nothing


@contextlib.contextmanager
def on_dask(scratch: Path, kill: int | None) -> Iterator[Started]:
    """Three worker processes; one is killed after `kill` images."""
    with dask_cluster(Path(tempfile.mkdtemp(dir=scratch))) as cluster:

        def watch(done: int) -> None:
            if kill is not None and done >= kill and cluster.workers[0].poll() is None:
                cluster.workers[0].kill()

        yield ["--runner=dask", f"--dask_client_address={cluster.address}"], watch


@contextlib.contextmanager
def pool() -> Iterator[Started]:
    """Beam's pool of external workers."""
    with worker_pool(ROOT) as address:
        external = ["--environment_type=EXTERNAL", f"--environment_config={address}"]
        yield ["--runner=PortableRunner", "--job_endpoint=embed", *external], _nothing


def engines(scratch: Path, images: int) -> dict[str, Callable[[], Engine]]:
    """Every engine that can be started here, by name."""
    many = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    loopback = ("--job_endpoint=embed", "--environment_type=LOOPBACK")
    found: dict[str, Callable[[], Engine]] = {
        "local": lambda: options(),
        "local, two processes": lambda: options(*many),
    }
    if find_spec("distributed"):
        found["Dask, three processes"] = lambda: on_dask(scratch, None)
        found["Dask, one killed half-way"] = lambda: on_dask(scratch, images // 2)
    found["portable, LOOPBACK"] = lambda: options("--runner=PortableRunner", *loopback)
    found["portable, EXTERNAL pool"] = pool
    return found


def run(source: Path, output: Path, engine: Engine) -> tuple[int, int, float, float]:
    """Exit code, images finished with, seconds of the command, CPU seconds of all processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with engine as (words, watch), (output.parent / "log").open("w") as log:
        given = ("--db", "images", "--input", source, "--output", output, "--folds", 3)
        command = [sys.executable, "-m", "pipelines.preprocess", *map(str, given), *words]
        began, done = time.perf_counter(), 0
        job = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        while job.poll() is None:
            for ticks in output.parent.glob(f".{output.name}.*/.progress"):
                with contextlib.suppress(FileNotFoundError):
                    done = max(done, Finished(str(ticks))())
            watch(done)
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return job.returncode, done, seconds, cpu


@command
def main(argv: list[str] | None = None) -> int:
    chosen = parser("benchmarks.alignment.engines", __doc__)
    chosen.add_argument("--subjects", type=int, default=12, help="rendered people [12]")
    chosen.add_argument("--seed", type=int, default=5)
    args = chosen.parse_args(argv)
    print(f"{heading(chosen, argv)}\n{EXPECTED}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        source = scratch / "people"
        render_database(source, args.subjects, args.seed, frames=2)
        for file, content in _BESIDE.items():
            write_whole(source / "fear" / f"p000_{file}", content)
        (source / "faces.csv").unlink(missing_ok=True)
        images = len(list(source.glob("*/*")))
        print(f"{images} images; the load of this machine at the start: {os.getloadavg()[0]:.1f}")
        rows, first, output = [], {}, scratch / "out"
        for name, start in engines(scratch, images).items():
            code, done, seconds, cpu = run(source, output, start())
            found = contents(output) if code == 0 else {}
            first = first or found
            same = "yes" if found and found == first else "NO"
            rows.append((name, code, same, done, f"{seconds:.1f}", f"{cpu:.1f}"))
            shutil.rmtree(output, ignore_errors=True)
    print(table(HEAD, [*rows, *((name, "not run here", *"----") for name, _ in NOT_RUN)]))
    print("\n".join(f"{name}: {words}" for name, words in NOT_RUN))
    return 0


if __name__ == "__main__":
    sys.exit(main())
