"""Runs commands in several processes at once, each with its share of the cores and its log.

Every Ctrl-C is passed to each running process once, so that a training saves its state. A failed
job leaves the others running.
"""

from __future__ import annotations

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

from fesr_tf.processes import handled
from pipelines.common.cores import available_cores

POLL = 0.2  # seconds between two checks of the processes
TAIL = 15  # lines of a failed command's log that are reported
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DONE, FAILED, STOPPED, SKIPPED = "done", "failed", "stopped", "not run"


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
            )
        finally:
            if binds:
                os.sched_setaffinity(0, before)


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
) -> tuple[dict[str, Outcome], bool]:
    """Runs the jobs, in their order as far as `after` allows, `at_once` at a time.

    `report` is called several times a second, `ended` when a job that was started ends. Returns
    the outcomes by name, and whether a signal stopped the jobs. A job that follows one that
    failed is not run.
    """
    environment = Environment(at_once)
    outcomes = {job.name: Outcome() for job in jobs}
    waiting, running = list(jobs), []

    def ready() -> list[Job]:
        return [job for job in waiting if not job.after or outcomes[job.after].status == DONE]

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
            for job in ready()[: at_once - len(running)]:
                waiting.remove(job)
                free = set(range(at_once)) - {active.slot for active in running}
                running.append(_Running(job, min(free), outcomes[job.name]))
                running[-1].start_next(environment)
            for active in [active for active in running if active.child.poll() is not None]:
                if not active.resumes(environment, bool(received)):
                    running.remove(active)
                    ended(active.job, active.outcome)
            finished = [job for job in jobs if outcomes[job.name].status != SKIPPED]
            steps = sum(job.ends - job.begins for job in finished)
            steps += sum(active.steps() for active in running)
            report(State(len(finished), tuple(active.job.name for active in running), steps))
            if running:
                time.sleep(POLL)
            elif waiting and not ready():
                break  # the remaining jobs follow one that failed
    return outcomes, bool(received)
