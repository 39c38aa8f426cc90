"""kill -9 at any moment: no half-finished result, and the next run ends as if nothing had been."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipelines.common.text import table
from pipelines.dataset import manifest
from tests.support.inspection import contents

REPOSITORY = Path(__file__).parents[3]
SEED = 7
WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
_PATIENCE = 120


@dataclass(frozen=True)
class Job:
    """The command on one folder of pictures, always to the same output."""

    source: Path
    output: Path
    options: tuple[str, ...] = ()

    def start(self) -> subprocess.Popen:
        given = ("--db", "images", "--input", self.source, "--output", self.output)
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.preprocess", *map(str, given), *self.options],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def finish(self) -> float:
        """Runs to the end; seconds."""
        started = time.monotonic()
        assert self.start().wait(_PATIENCE) == 0
        return time.monotonic() - started

    def kill(self, when: Callable[[], bool], group: bool = True) -> int:
        """Starts, and sends SIGKILL as soon as `when()` holds, to the launcher or to its whole
        group. Returns the session's number."""
        process = self.start()
        try:
            while not when() and process.poll() is None:
                time.sleep(0.001)
        finally:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
            process.wait()
        return process.pid

    def beside(self) -> list[str]:
        """Names of what lies beside the output and the pictures."""
        known = {self.source.name, self.output.name}
        return sorted(each.name for each in self.output.parent.iterdir() if each.name not in known)


def after(seconds: float) -> Callable[[], bool]:
    """Holds that long after it was made."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def seen(job: Job, pattern: str) -> Callable[[], bool]:
    """Holds once something of this name lies beside the output, or in what lies there."""
    return lambda: any(True for _ in job.output.parent.glob(pattern))


def moments(duration: float, count: int) -> list[float]:
    """Seeded moments, one in each of `count` equal parts of the duration."""
    rng = np.random.default_rng(SEED)
    return [float((part + rng.random()) * duration / count) for part in range(count)]


def state(job: Job, before: dict[str, bytes], good: dict[str, bytes]) -> str:
    """What a kill left, in a word; fails if it is neither all of the old nor all of the new."""
    if not job.output.exists():
        # Between the old folder's leaving and the new one's coming, the old waits beside.
        waiting = list(job.output.parent.glob(f".{job.output.name}.old[.-]*/{job.output.name}"))
        if waiting:
            assert contents(waiting[0]) == before
            return "old, put aside"
        assert not before
        return "nothing"
    found = contents(job.output)
    if found == good:
        return "new" if before != good else "whole"
    assert found == before
    return "old"


@pytest.fixture
def job(demo_people, tmp_path) -> Job:
    """51 pictures of three people."""
    shutil.copytree(demo_people, tmp_path / "in", ignore=shutil.ignore_patterns("*.csv"))
    return Job(tmp_path / "in", tmp_path / "out")


def earlier(job: Job) -> dict[str, bytes]:
    """Makes a finished result of fewer pictures at the output, and returns its contents."""
    few = job.source.parent / "few"
    for name in ("fear", "anger"):
        shutil.copytree(job.source / name, few / name)
    Job(few, job.output, job.options).finish()
    shutil.rmtree(few)
    return contents(job.output)


def place(job: Job, held: dict[str, bytes]) -> None:
    """Puts these contents, or nothing, at the output, and removes what lies beside it."""
    for name in (job.output.name, *job.beside()):
        shutil.rmtree(job.output.parent / name, ignore_errors=True)
    for name, data in held.items():
        path = job.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def killed(
    job: Job, when: Callable[[], bool], held: dict[str, bytes], good: dict[str, bytes]
) -> tuple[str, int]:
    """One kill and one rerun: what was left at the output, and how many things beside it."""
    place(job, held)
    job.kill(when)
    left, beside = state(job, held, good), len(job.beside())
    job.finish()
    assert contents(job.output) == good
    assert job.beside() == []
    return left, beside


def test_three_kills_and_then_a_run(job):
    """The quick one: killed thrice in a row, over what the kill before had left."""
    duration = job.finish()
    good = contents(job.output)
    place(job, {})
    for moment in moments(duration, 3):
        job.kill(after(moment))
        assert state(job, {}, good) in ("nothing", "new")
        if job.output.exists():
            place(job, {})
    job.finish()
    assert contents(job.output) == good
    assert job.beside() == []
    manifest.verify(job.output, manifest.load(job.output))


def twenty(job: Job, held: dict[str, bytes], start: str) -> Iterator[tuple[object, ...]]:
    place(job, {})
    duration = job.finish()
    good = contents(job.output)
    for moment in moments(duration, 20):
        left, beside = killed(job, after(moment), held, good)
        yield start, f"{moment:.2f} of {duration:.2f} s", left, beside, "equal"


@pytest.mark.slow
@pytest.mark.parametrize("start", ["nothing", "old result"])
def test_twenty_kills_each_with_a_rerun(job, start):
    held = earlier(job) if start == "old result" else {}
    rows = list(twenty(job, held, start))
    print("\n" + table(("at first", "killed after", "left", "beside it", "rerun"), rows))
    assert len({row[2] for row in rows} - {"new", "nothing", "old"}) == 0
    assert any(row[3] for row in rows), "no kill fell into the work"


@pytest.mark.slow
def test_twenty_kills_with_two_worker_processes(job):
    workers = Job(job.source, job.output, WORKERS)
    rows = list(twenty(workers, {}, "nothing"))
    print("\n" + table(("at first", "killed after", "left", "beside it", "rerun"), rows))
    assert any(row[3] for row in rows), "no kill fell into the work"


@pytest.mark.slow
def test_killed_as_soon_as_something_appears(job):
    """The moments that a clock hardly hits: each step of the last part, and the exchange."""
    held = earlier(job)
    place(job, {})
    job.finish()
    good = contents(job.output)
    name = f".{job.output.name}."
    rows = []
    for pattern in (
        f"{name}*",
        f"{name}*/.plan",
        f"{name}*/parts/*",
        f"{name}*/fold-*/.*",
        f"{name}*/fold-*/*.tfrecord",
        f"{name}*/job.json",
        f"{name}*/*.pb",
        f"{name}*/.contact_sheet*",
        f"{name}*/manifest.json",
        f"{name}old[.-]*",
        f"{name}old[.-]*/{job.output.name}",
    ):
        left, beside = killed(job, seen(job, pattern), held, good)
        rows.append((pattern, left, beside, "equal"))
    print("\n" + table(("killed when this was there", "left", "beside it", "rerun"), rows))


@pytest.mark.slow
def test_workers_left_alone_end_by_themselves_and_spoil_nothing(job):
    """kill -9 of the launcher alone, as a person does it: its workers live on for a moment."""
    workers = Job(job.source, job.output, WORKERS)
    duration = workers.finish()
    good = contents(job.output)
    rows = []
    for moment in moments(duration, 6)[1:]:
        place(job, {})
        session = workers.kill(after(moment), group=False)
        assert state(workers, {}, good) in ("nothing", "new")
        workers.finish()
        assert contents(job.output) == good
        lived = wait_for_the_end_of(session)
        rows.append(
            (f"{moment:.2f} of {duration:.2f} s", f"{lived:.1f} s after the rerun", "equal")
        )
        # What they wrote after the rerun had swept is gone with the next one.
        workers.finish()
        assert contents(job.output) == good
        assert job.beside() == []
    print("\n" + table(("launcher killed after", "workers gone", "rerun"), rows))


def wait_for_the_end_of(session: int) -> float:
    """Until no process is left of those that were started in a session; seconds."""
    started = time.monotonic()
    while any(_session(process) == session for process in Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < started + _PATIENCE, (
            "workers of a killed launcher are still there"
        )
        time.sleep(0.1)
    return time.monotonic() - started


def _session(process: Path) -> int | None:
    with contextlib.suppress(OSError):
        # The name, in brackets, may hold blanks; state, parent, group and session follow it.
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    return None
