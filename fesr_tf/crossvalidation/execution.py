"""Runs the jobs of a cross-validation and shows their progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation.plan import Plan, evaluation_of, jobs_of
from fesr_tf.crossvalidation.record import Record
from fesr_tf.processes import INTERRUPTED, jobs
from fesr_tf.processes.console import ProgressLine, clock_time
from fesr_tf.processes.jobs import SKIPPED, Job, Outcome
from pipelines.common.errors import FailedWork
from pipelines.dataset.subjects import cautions


def status(todo: Sequence[Job], done: int, state: jobs.State, seconds: float) -> str:
    """'3 of 9 done | step 70 of 200 | 1.4 steps/s | left 1:33 | running FESR_JL fold 1'.

    todo: the jobs of this command, which has run for `seconds`; done: those finished before it.
    """
    total = sum(job.ends - job.begins for job in todo)
    parts = [
        f"{done + state.ended} of {done + len(todo)} done",
        f"step {state.steps} of {total}",
    ]
    if state.steps and seconds > 0:
        rate = state.steps / seconds
        parts += [f"{rate:.2g} steps/s", f"left {clock_time((total - state.steps) / rate)}"]
    return " | ".join([*parts, f"running {', '.join(state.running) or 'nothing'}"])


def cross_validate(plan: Plan, at_once: int) -> int:
    """Trains and evaluates what is left, `at_once` jobs at a time; writes and prints the results.

    Returns 0, or 130 where a signal stopped it. Raises `FailedWork` where a job failed, after all
    others ended.
    """
    todo = jobs_of(plan)
    record = Record(plan)
    done = sum(evaluation_of(plan, unit) is not None for unit in plan.units())
    line, started = ProgressLine(), time.monotonic()
    failed: list[str] = []

    def report(state: jobs.State) -> None:
        if line.due():
            line.show(status(todo, done, state, time.monotonic() - started))

    def ended(job: Job, outcome: Outcome) -> None:
        seconds = ", ".join(f"{value:.0f} s" for value in outcome.seconds)
        line.print(f"{job.name}: {outcome.status} ({seconds})")
        if outcome.status == jobs.FAILED:
            failed.append(job.name)
            log = job.commands[len(outcome.seconds) - 1].log
            line.print(f"error: {job.name} failed; the last lines of {log}:\n{outcome.tail}")
        record.add(job, outcome)

    try:
        outcomes, stopped = jobs.run(todo, at_once, report, ended) if todo else ({}, False)
    finally:
        line.close()
    result = record.write()
    print(results.table(result))
    for text in cautions(plan.manifest):
        print(f"note: {text}")
    print(f"\nwritten: {record.path}, {record.path.with_suffix('.csv')}")
    if stopped:
        print("stopped: run the same command again to resume", file=sys.stderr)
        return INTERRUPTED
    left = [name for name, outcome in outcomes.items() if outcome.status == SKIPPED]
    if failed:
        skipped = f"; not run after that: {', '.join(left)}" if left else ""
        raise FailedWork(
            f"{len(failed)} of {len(todo)} jobs failed ({', '.join(failed)}){skipped}: see their "
            "logs, and run the same command again to resume"
        )
    return 0
