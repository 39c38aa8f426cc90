"""A Dask cluster on loopback: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PATIENCE = 120


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
