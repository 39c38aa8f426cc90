"""Runs the jobs of a cross-validation and shows their progress."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from tqdm import tqdm

from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation.plan import Plan, evaluation_of, jobs_of
from fesr_tf.crossvalidation.record import Record
from fesr_tf.processes import jobs
from fesr_tf.processes.jobs import SKIPPED, Job, Outcome
from fesr_tf.training.monitoring.console import LOGGED, MOVING, clock_time
from pipelines.common.errors import FailedWork

INTERRUPTED = 130


class Line:
    """One line over the whole: jobs done, which run, steps, rate and time left. It moves on a
    terminal, and is a new line now and then in a log file."""

    def __init__(
        self,
        todo: Sequence[Job],
        done: int,
        out: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.done, self.jobs = done, done + len(todo)
        self.total = sum(job.ends - job.begins for job in todo)
        self.out, self.clock = out, clock
        self.began = clock()
        self.shown = self.began - LOGGED
        self.moving = tqdm(bar_format="{desc}", file=out) if out.isatty() else None

    def text(self, state: jobs.State) -> str:
        """'3 of 9 done | step 70 of 200 | 1.4 steps/s | left 1:33 | running FESR_JL fold 1'."""
        seconds = self.clock() - self.began
        parts = [
            f"{self.done + state.ended} of {self.jobs} done",
            f"step {state.steps} of {self.total}",
        ]
        if state.steps and seconds > 0:
            rate = state.steps / seconds
            parts += [
                f"{rate:.2g} steps/s",
                f"left {clock_time((self.total - state.steps) / rate)}",
            ]
        return " | ".join([*parts, f"running {', '.join(state.running) or 'nothing'}"])

    def show(self, state: jobs.State) -> None:
        """Shows the state, if it is time to."""
        now = self.clock()
        if now - self.shown < (MOVING if self.moving is not None else LOGGED):
            return
        self.shown = now
        text = self.text(state)
        if self.moving is not None:
            self.moving.set_description_str(text[: shutil.get_terminal_size().columns - 1])
        else:
            print(text, file=self.out, flush=True)

    def say(self, text: str) -> None:
        """A line of its own, which does not break the moving one."""
        tqdm.write(text, file=self.out)

    def close(self) -> None:
        if self.moving is not None:
            self.moving.close()


def cross_validate(plan: Plan, at_once: int) -> int:
    """Trains and evaluates what is left, `at_once` at a time, writes and prints the results.

    0; 1 where a job failed, after all others ended; 130 where a signal stopped it.
    """
    todo = jobs_of(plan)
    record = Record(plan)
    ready = sum(evaluation_of(plan, unit) is not None for unit in plan.units())
    line = Line(todo, ready, sys.stderr)
    failed: list[str] = []

    def ended(job: Job, outcome: Outcome) -> None:
        seconds = ", ".join(f"{each:.0f} s" for each in outcome.seconds)
        line.say(f"{job.name}: {outcome.status} ({seconds})")
        if outcome.status == jobs.FAILED:
            failed.append(job.name)
            log = job.commands[len(outcome.seconds) - 1].log
            line.say(f"error: {job.name} failed; {log} ends with\n{outcome.tail}")
        record.add(job, outcome)

    try:
        outcomes, stopped = jobs.run(todo, at_once, line.show, ended) if todo else ({}, False)
    finally:
        line.close()
    result = record.write()
    print(results.table(result))
    print(f"\nwritten: {record.path}, {record.path.with_suffix('.csv')}")
    if stopped:
        print("stopped: run the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    left = [name for name, each in outcomes.items() if each.status == SKIPPED]
    if failed:
        after = f"; not run after that: {', '.join(left)}" if left else ""
        raise FailedWork(
            f"{len(failed)} of {len(todo)} jobs failed ({', '.join(failed)}){after}: see their "
            "logs, and run the same command again to go on"
        )
    return 0
