"""Runs commands in several processes at once, each with its share of the cores and its log.

Every Ctrl-C is passed to each running process once, so that a training saves its state. A failed
job leaves the others running. Processes on several hosts may divide jobs among them (`Claims`).
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fesr_tf.processes import handled
from pipelines.common.cores import available_cores

POLL = 0.2  # seconds between two checks of the processes
TAIL = 15  # lines of a failed command's log that are reported
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DONE, FAILED, STOPPED, SKIPPED = "done", "failed", "stopped", "not run"
RUNNING, TAKEN_OVER = "running", "taken over by another process"
LOOK = 2.0  # seconds between two looks at the jobs that other processes hold


@dataclass(frozen=True)
class Command:
    """`python <words>`, whose output is appended to the file `log`."""

    words: tuple[str, ...]
    log: Path


@dataclass(frozen=True)
class Job:
    """Commands in a row under one name, started once the job `after` is done.

    begins, ends: the training steps at which its first command starts and ends.
    """

    name: str
    commands: tuple[Command, ...]
    begins: int = 0
    ends: int = 0
    after: str | None = None


@dataclass
class Outcome:
    """How a job ended: its status, the seconds of each command, and after a failure the last
    lines of its log."""

    status: str = SKIPPED
    seconds: list[float] = field(default_factory=list)
    tail: str = ""


class Claims(Protocol):
    """Divides jobs among several processes that run the same ones."""

    def take(self, job: Job) -> str | None:
        """`RUNNING`: this process is to run it; `DONE`, `FAILED`: it ended in another one; None: it
        runs in another one, and is to be asked for again."""

    def keep(self, job: Job) -> bool:
        """Called several times a second while a job runs here; False: another process took it
        over, and it has to end here."""

    def release(self, job: Job, outcome: Outcome) -> None:
        """A job that was taken ended here."""


class Alone:
    """`Claims` of a process that shares its jobs with no other."""

    def take(self, job: Job) -> str | None:
        return RUNNING

    def keep(self, job: Job) -> bool:
        return True

    def release(self, job: Job, outcome: Outcome) -> None:
        pass


@dataclass
class _Running:
    """A job whose command number `index` runs in `child`; its log had `log_start` bytes before."""

    job: Job
    slot: int
    outcome: Outcome
    index: int = -1
    child: subprocess.Popen | None = None
    log_start: int = 0
    started: float = 0.0
    lost: bool = False

    def start_next(self, environment: Environment) -> bool:
        """Starts the next command. Returns False where there is none."""
        self.index += 1
        if self.index == len(self.job.commands):
            return False
        command = self.job.commands[self.index]
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as file:
            file.write(f"$ python {shlex.join(command.words)}\n".encode())
            file.flush()
            self.log_start = file.tell()
            self.child = environment.start(self.slot, command.words, file)
        self.started = time.monotonic()
        return True

    def resumes(self, environment: Environment, stopping: bool) -> bool:
        """After a command's end: starts the next one, or else completes the outcome."""
        self.outcome.seconds.append(time.monotonic() - self.started)
        succeeded = self.child.returncode == 0
        last = self.index == len(self.job.commands) - 1
        if self.lost:
            self.outcome.status = TAKEN_OVER
            return False
        if succeeded and not last and not stopping:
            return self.start_next(environment)
        if succeeded and last:
            self.outcome.status = DONE
        elif stopping:
            self.outcome.status = STOPPED
        else:
            self.outcome.status = FAILED
            self.outcome.tail = "\n".join(self.log().splitlines()[-TAIL:])
        return False

    def log(self, last: int | None = None) -> str:
        """The output of the running command so far, or its `last` bytes."""
        with self.job.commands[self.index].log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(self.log_start if last is None else max(self.log_start, size - last))
            return file.read().decode(errors="replace")

    def steps(self) -> int:
        """The number of training steps taken so far, read from the log."""
        if self.index:
            return self.job.ends - self.job.begins
        numbers = re.findall(r"step (\d+) of", self.log(last=4096))
        reached = int(numbers[-1]) if numbers else self.job.begins
        return min(max(reached, self.job.begins), self.job.ends) - self.job.begins


class Environment:
    """The cores and variables of each of `at_once` places, the same from beginning to end.

    TensorFlow starts as many threads as a process may use cores, so a job in one of J places has
    cores // J of them (at least one), however many others run. Where the system cannot bind a
    process to cores (macOS), environment variables set TensorFlow's number of threads instead.
    """

    def __init__(self, at_once: int):
        cores = available_cores()
        count = max(1, len(cores) // at_once)
        self.shares = [
            {cores[(place * count + i) % len(cores)] for i in range(count)}
            for place in range(at_once)
        ]
        self.variables = dict(os.environ)
        if at_once > 1:
            # Otherwise the first process takes all of a GPU's memory.
            self.variables.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
            if not hasattr(os, "sched_setaffinity"):
                self.variables["TF_NUM_INTRAOP_THREADS"] = str(count)
                self.variables["TF_NUM_INTEROP_THREADS"] = str(count)

    def start(self, slot: int, words: Sequence[str], log: object) -> subprocess.Popen:
        """Starts `python <words>` in this place, out of reach of the terminal's Ctrl-C."""
        binds = hasattr(os, "sched_setaffinity")
        if binds:
            before = available_cores()
            os.sched_setaffinity(0, self.shares[slot])  # a child inherits its parent's cores
        try:
            # In its own session: the signal comes from `run` alone, not a second time as well.
            return subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.variables,
                start_new_session=True,
                preexec_fn=_end_with_parent if LIBC else None,
            )
        finally:
            if binds:
                os.sched_setaffinity(0, before)


# Loaded here, as little may happen between fork and exec.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1  # prctl(2)


def _end_with_parent() -> None:
    """Lets the kernel send SIGTERM to this child when its parent dies, even by SIGKILL: another
    process may then run the job."""
    LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True)
class State:
    """The present state: number of jobs that ended, names of those that run, steps taken."""

    ended: int
    running: tuple[str, ...]
    steps: int


def run(
    jobs: Sequence[Job],
    at_once: int,
    report: Callable[[State], None] = lambda _: None,
    ended: Callable[[Job, Outcome], None] = lambda *_: None,
    claims: Claims | None = None,
) -> tuple[dict[str, Outcome], bool]:
    """Runs the jobs, in their order as far as `after` allows, `at_once` at a time.

    `report` is called several times a second, `ended` when a job ends, here or in another process
    of `claims`; the latter is waited for. Returns the outcomes by name, and whether a signal
    stopped the jobs. A job that follows one that failed is not run.
    """
    claims = claims or Alone()
    environment = Environment(at_once)
    outcomes = {job.name: Outcome() for job in jobs}
    waiting, running = list(jobs), []
    look_at = 0.0

    def ready() -> list[Job]:
        return [job for job in waiting if not job.after or outcomes[job.after].status == DONE]

    def start(job: Job) -> None:
        free = set(range(at_once)) - {active.slot for active in running}
        running.append(_Running(job, min(free), outcomes[job.name]))
        running[-1].start_next(environment)

    received: list[int] = []  # the signals to pass on, in order
    passed = 0

    def receive(number: int, _: object) -> None:
        received.append(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    with handled(receive, *SIGNALS):
        while waiting or running:
            if received:
                waiting.clear()
            new = received[passed:]
            passed += len(new)
            for number in new:
                for active in running:
                    active.child.send_signal(number)
            for active in running:
                if not active.lost and not claims.keep(active.job):
                    active.lost = True
                    active.child.kill()  # it must not write beside the process that took it over
            if time.monotonic() >= look_at:
                elsewhere = False
                for job in ready():
                    if len(running) == at_once:
                        break
                    if (status := claims.take(job)) is None:
                        elsewhere = True
                        continue
                    waiting.remove(job)
                    if status == RUNNING:
                        start(job)
                    else:
                        outcomes[job.name].status = status
                        ended(job, outcomes[job.name])
                if elsewhere:
                    look_at = time.monotonic() + LOOK
            for active in [active for active in running if active.child.poll() is not None]:
                if active.resumes(environment, bool(received)):
                    continue
                running.remove(active)
                look_at = 0.0
                if active.lost:
                    outcomes[active.job.name] = Outcome()
                    waiting.append(active.job)
                else:
                    claims.release(active.job, active.outcome)
                ended(active.job, active.outcome)
            finished = [job for job in jobs if outcomes[job.name].status != SKIPPED]
            steps = sum(job.ends - job.begins for job in finished)
            steps += sum(active.steps() for active in running)
            report(State(len(finished), tuple(active.job.name for active in running), steps))
            if running or ready():
                time.sleep(POLL)
            elif waiting:
                break  # the remaining jobs follow one that failed
    return outcomes, bool(received)
