"""Engines on loopback, their processes apart from the launcher's: a Dask cluster, a worker pool."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PATIENCE = 300


@dataclass(frozen=True)
class Cluster:
    """address: the scheduler's. workers: their processes, of one thread each."""

    address: str
    workers: list[subprocess.Popen]


@contextlib.contextmanager
def dask_cluster(folder: Path, workers: int = 3) -> Iterator[Cluster]:
    """A cluster whose processes run in `folder` and import `pipelines` from this clone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_LOGGING__DISTRIBUTED": "error"}
    found = folder / "scheduler.json"

    def start(stack: contextlib.ExitStack, module: str, *words: object) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *map(str, words)]
        process = stack.enter_context(
            subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        )
        stack.callback(process.kill)
        return process

    with contextlib.ExitStack() as stack:
        words = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", found)
        start(stack, "dask_scheduler", *words)
        words = ("--scheduler-file", found, "--nthreads", 1, "--no-nanny", "--no-dashboard")
        yield _ready(found, [start(stack, "dask_worker", *words) for _ in range(workers)])


def _ready(found: Path, workers: list[subprocess.Popen]) -> Cluster:
    from distributed import Client

    end = time.monotonic() + _PATIENCE
    while not found.exists() and time.monotonic() < end:
        time.sleep(0.1)
    with Client(scheduler_file=str(found), set_as_default=False) as client:
        client.wait_for_workers(len(workers), timeout=_PATIENCE)
        return Cluster(client.scheduler.address, workers)


@contextlib.contextmanager
def worker_pool(code: Path) -> Iterator[str]:
    """Beam's own pool of external workers, as beside a Flink or Spark task manager: other
    processes in another folder, whose `pipelines` is the one that lies in `code`."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    words = ["-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    # The pool starts its workers as `python`, whichever comes first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(code)}
    with subprocess.Popen(
        [sys.executable, *words], cwd=code, env=environment, stderr=subprocess.DEVNULL
    ) as pool:
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("localhost", port)):
                    break
                time.sleep(0.1)
            yield f"localhost:{port}"
        finally:
            pool.terminate()
