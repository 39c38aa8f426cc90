"""Runs the jobs of a cross-validation, alone or together with other hosts, and shows their
progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from fesr_tf import runs
from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.crossvalidation.plan import FIRST, Plan, evaluation_of, finished, jobs_of
from fesr_tf.crossvalidation.record import Record, config_digest
from fesr_tf.processes import INTERRUPTED, jobs, locks
from fesr_tf.processes.console import ProgressLine, clock_time
from fesr_tf.processes.jobs import DONE, FAILED, RUNNING, SKIPPED, Job, Outcome
from pipelines.common.errors import FailedWork
from pipelines.common.text import listed
from pipelines.dataset.subjects import cautions


class SharedJobs:
    """`jobs.Claims` on the runs of a plan that processes on several hosts execute together.

    A job is locked in its run's folder while it runs. One that failed in another process since
    this one began is not tried again here.
    """

    def __init__(self, plan: Plan, dead_after: float):
        self.plan, self.dead_after = plan, dead_after
        firsts = [Unit(FIRST, fold, seed) for seed in plan.seeds for fold in plan.folds]
        self.units = {str(unit): unit for unit in [*plan.units(), *firsts]}
        self.locks: dict[str, locks.Lock] = {}
        plan.output.mkdir(parents=True, exist_ok=True)
        self.began = locks.now(plan.output)

    def take(self, job: Job) -> str | None:
        if status := self._ended(job):
            return status
        folder = self.plan.folder(self.units[job.name])
        # A process that outlived its cross-validation, or one of `fesr_tf.train` alone.
        if runs.in_training(folder) or not (lock := locks.take(folder, self.dead_after)):
            return None
        self.locks[job.name] = lock
        if status := self._ended(job):  # before the lock was taken, after it was looked for
            self.locks.pop(job.name).release(status)
        return status or RUNNING

    def keep(self, job: Job) -> bool:
        return self.locks[job.name].beat()

    def release(self, job: Job, outcome: Outcome) -> None:
        self.locks.pop(job.name).release(
            outcome.status,
            seconds=[round(value, 1) for value in outcome.seconds],
            config_digest=config_digest(self.plan.folder(self.units[job.name])),
        )

    def _ended(self, job: Job) -> str | None:
        unit = self.units[job.name]
        if finished(self.plan, unit):
            return DONE
        attempts = locks.series(self.plan.folder(unit))
        recent = (path for path in attempts if path.stat().st_mtime >= self.began)
        failed = any(locks.read(path).get("status") == FAILED for path in recent)
        return FAILED if failed else None


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
    return " | ".join([*parts, f"running {', '.join(state.running) or 'nothing here'}"])


def cross_validate(plan: Plan, at_once: int, dead_after: float = locks.DEAD_AFTER) -> int:
    """Trains and evaluates what is left, `at_once` jobs at a time; writes and prints the results.

    Other processes may do the same meanwhile, on this host or others: each job runs in one of
    them, and this one returns when all have ended. dead_after: see `locks.held`. Returns 0, or 130
    where a signal stopped it. Raises `FailedWork` where a job failed, after all others ended.
    """
    todo = jobs_of(plan)
    record, shared = Record(plan), SharedJobs(plan, dead_after)
    done = sum(evaluation_of(plan, unit) is not None for unit in plan.units())
    line, started = ProgressLine(), time.monotonic()
    failed: list[str] = []

    def report(state: jobs.State) -> None:
        if line.due():
            line.show(status(todo, done, state, time.monotonic() - started))

    def ended(job: Job, outcome: Outcome) -> None:
        seconds = ", ".join(f"{value:.0f} s" for value in outcome.seconds)
        line.print(f"{job.name}: {outcome.status} ({seconds or 'by another process'})")
        if outcome.status == FAILED:
            failed.append(job.name)
            log = job.commands[max(len(outcome.seconds) - 1, 0)].log
            tail = (
                f"; the last lines of {log}:\n{outcome.tail}" if outcome.seconds else f": see {log}"
            )
            line.print(f"error: {job.name} failed{tail}")
        record.write()

    try:
        outcomes, stopped = jobs.run(todo, at_once, report, ended, shared) if todo else ({}, False)
    finally:
        line.close()
    merge(plan, record)
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


def merge(plan: Plan, record: Record | None = None) -> int:
    """Writes and prints the results of all runs that stand in the plan's folder. Returns 0."""
    record = record or Record(plan)
    result = record.write()
    print(results.table(result))
    for text in cautions(plan.manifest):
        print(f"note: {text}")
    if record.left_out:
        print(f"note: left out: {listed(record.left_out, 5)}")
    print(f"\nwritten: {record.path}, {record.path.with_suffix('.csv')}")
    return 0
