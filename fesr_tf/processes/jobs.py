"""Commands in several processes at once: each with its share of the cores, its log and its end.

Ctrl-C is passed on to every running process, once each time, so that a training saves itself; a
failed job leaves the others running.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOOK = 0.2  # seconds between two looks at the processes
TAIL = 15  # lines of a log that are shown
HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DONE, FAILED, STOPPED, SKIPPED = "done", "failed", "stopped", "not run"


@dataclass(frozen=True)
class Command:
    """`python <words>`, whose output is added to the file `log`."""

    words: tuple[str, ...]
    log: Path


@dataclass(frozen=True)
class Job:
    """Commands in a row under one name, begun once the job `after` is done.

    begins, ends: the training steps that its first command goes on from and ends at.
    """

    name: str
    commands: tuple[Command, ...]
    begins: int = 0
    ends: int = 0
    after: str | None = None


@dataclass
class Outcome:
    """How a job ended: its status, the seconds of each of its commands, and of a failed one the
    end of its log."""

    status: str = SKIPPED
    seconds: list[float] = field(default_factory=list)
    tail: str = ""


@dataclass
class _Running:
    """A job whose command number `index` runs in `child`; its log before that had `said` bytes."""

    job: Job
    slot: int
    outcome: Outcome
    index: int = -1
    child: subprocess.Popen | None = None
    said: int = 0
    began: float = 0.0

    @property
    def command(self) -> Command:
        return self.job.commands[self.index]

    def next(self, environment: Environment) -> bool:
        """Starts the next command; False where there is none."""
        self.index += 1
        if self.index == len(self.job.commands):
            return False
        log = self.command.log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            file.write(f"$ python {shlex.join(self.command.words)}\n".encode())
            file.flush()
            self.said = file.tell()
            self.child = environment.start(self.slot, self.command.words, file)
        self.began = time.monotonic()
        return True

    def log(self, last: int | None = None) -> str:
        """What the running command has said so far, or the `last` bytes of it."""
        with self.command.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(self.said if last is None else max(self.said, size - last))
            return file.read().decode(errors="replace")

    def steps(self) -> int:
        """How many training steps it has taken, as far as its log tells."""
        if self.index:
            return self.job.ends - self.job.begins
        found = re.findall(r"step (\d+) of", self.log(last=4096))
        reached = int(found[-1]) if found else self.job.begins
        return min(max(reached, self.job.begins), self.job.ends) - self.job.begins


class Environment:
    """What each of `at_once` places offers a process: its own cores, the same ones each time.

    TensorFlow takes as many threads as a process may use cores, so a job of one of J places has
    cores // J of them (at least one) from its beginning to its end, however many others run. Where
    the system has no such bounds (macOS), TensorFlow is told the number of threads instead.
    """

    def __init__(self, at_once: int):
        counted = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
        cores = sorted(counted(0))
        each = max(1, len(cores) // at_once)
        self.shares = [
            {cores[(place * each + i) % len(cores)] for i in range(each)}
            for place in range(at_once)
        ]
        self.variables = dict(os.environ)
        if at_once > 1:
            # A GPU's memory is else the first process's, all of it.
            self.variables.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
            if not hasattr(os, "sched_setaffinity"):
                self.variables["TF_NUM_INTRAOP_THREADS"] = str(each)
                self.variables["TF_NUM_INTEROP_THREADS"] = str(each)

    def start(self, slot: int, words: Sequence[str], log: object) -> subprocess.Popen:
        """Starts `python <words>` in this place, apart from the terminal's Ctrl-C."""
        bound = hasattr(os, "sched_setaffinity")
        if bound:
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, self.shares[slot])  # a child is born with its parent's
        try:
            # A session of its own: the signal comes from `run` alone, not a second time as well.
            return subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.variables,
                start_new_session=True,
            )
        finally:
            if bound:
                os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class State:
    """What is going on: jobs that have ended, those that run, steps of work done."""

    ended: int
    running: tuple[str, ...]
    steps: int


def run(
    jobs: Sequence[Job],
    at_once: int,
    tell: Callable[[State], None] = lambda _: None,
    ended: Callable[[Job, Outcome], None] = lambda *_: None,
) -> tuple[dict[str, Outcome], bool]:
    """Runs the jobs, in their order as far as `after` allows, `at_once` at a time.

    `tell` hears several times a second what is going on, `ended` of every job that was begun, when
    it ends. Returns every job's outcome by name and whether a signal ended it all. A job that
    follows one that failed is not run.
    """
    environment = Environment(at_once)
    outcomes = {job.name: Outcome() for job in jobs}
    waiting, running = list(jobs), []
    with _signals() as heard:
        passed = 0
        while waiting or running:
            if heard:
                waiting.clear()
            for number in heard[passed:]:
                for each in running:
                    each.child.send_signal(number)
            passed = len(heard)
            for job in _ready(waiting, outcomes)[: at_once - len(running)]:
                waiting.remove(job)
                free = set(range(at_once)) - {each.slot for each in running}
                begun = _Running(job, min(free), outcomes[job.name])
                begun.next(environment)
                running.append(begun)
            for each in [each for each in running if each.child.poll() is not None]:
                if _went_on(each, environment, bool(heard)):
                    continue
                running.remove(each)
                ended(each.job, each.outcome)
            gone = [job for job in jobs if outcomes[job.name].status != SKIPPED]
            steps = sum(job.ends - job.begins for job in gone)
            steps += sum(each.steps() for each in running)
            tell(State(len(gone), tuple(each.job.name for each in running), steps))
            if running:
                time.sleep(LOOK)
            elif waiting and not _ready(waiting, outcomes):
                break  # what is left follows a job that failed
    return outcomes, bool(heard)


def _ready(waiting: Sequence[Job], outcomes: dict[str, Outcome]) -> list[Job]:
    return [job for job in waiting if job.after is None or outcomes[job.after].status == DONE]


def _went_on(each: _Running, environment: Environment, stopping: bool) -> bool:
    """Whether the job, whose command has ended, goes on with another; its outcome where not."""
    each.outcome.seconds.append(time.monotonic() - each.began)
    code = each.child.returncode
    if code == 0 and not stopping and each.next(environment):
        return True
    last = each.index >= len(each.job.commands) - 1
    if code == 0 and last:
        each.outcome.status = DONE
    elif stopping:
        each.outcome.status = STOPPED
    else:
        each.outcome.status = FAILED
        each.outcome.tail = "\n".join(each.log().splitlines()[-TAIL:])
    return False


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that come while the block runs, as numbers to pass on, in order."""
    heard: list[int] = []

    def hear(number: int, _: object) -> None:
        heard.append(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    before = {number: signal.signal(number, hear) for number in HEARD}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
