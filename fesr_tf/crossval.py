"""`python -m fesr_tf.crossval --db NAME`: every variant trained and tested on every fold.

Each training and each evaluation is a process of the usual command. What is finished is not done
again, training goes on where it stopped, and stage 1 is trained once a fold for all variants that
have it in common. Results: `<runs>/<db>/crossval.json` and `.csv`, and the table.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from fesr_tf import config as configs
from fesr_tf import crossval_results as results
from fesr_tf import jobs, runs
from fesr_tf.crossval_plan import Plan, evaluation_of, jobs_of
from fesr_tf.crossval_record import Record
from fesr_tf.jobs import SKIPPED, Job, Outcome
from fesr_tf.watching.progress import LOGGED, MOVING, clock_time
from pipelines import manifest as manifests
from pipelines.errors import BadUse, FailedWork, command

FIG_8 = ("BASELINE", "FESR_SL", "FESR_OneSt", "FESR_Real", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_JL")
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


def numbers(text: str, what: str) -> tuple[int, ...]:
    """'0,2,5' -> (0, 2, 5). Raises `BadUse` for anything else, and for one number twice."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise BadUse(f"{what} {text!r} is not a list of whole numbers such as 0,1,2")
    found = tuple(int(part) for part in parts)
    if len(set(found)) < len(found):
        raise BadUse(f"{what} {text!r} names a number twice")
    return found


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.crossval",
        description="Trains and tests every variant on every fold, and compares them.",
    )
    made.add_argument("--db", required=True, help="database: a file in configs/ names its settings")
    made.add_argument("--data", type=Path, help="preprocessed folder (default: data/<db>)")
    made.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs [runs]")
    made.add_argument(
        "--variants",
        nargs="+",
        default=FIG_8,
        metavar="V",
        help="the first is what the others are compared with [those of Fig. 8]",
    )
    made.add_argument("--folds", default="all", help="all, or as in 0,1 [all]")
    made.add_argument("--seeds", default="0", help="as in 0,1,2 [0]")
    made.add_argument("--jobs", type=int, default=1, help="processes at once [1]")
    runs.add_checkpoint_option(made)
    made.add_argument("overrides", nargs="*", metavar="key=value", help="settings of every run")
    return made


def split_overrides(options: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variants and overrides: argparse gives `key=value` after `--variants A B` to the variants."""
    variants = [text for text in options.variants if "=" not in text]
    overrides = [text for text in options.variants if "=" in text] + options.overrides
    if len(set(variants)) < len(variants):
        raise BadUse(f"--variants names one twice: {', '.join(variants)}")
    if not variants:
        raise BadUse("--variants names none")
    return tuple(variants), tuple(overrides)


@command
def main(argv: list[str] | None = None) -> int:
    """Cross-validates; exit code 0, 1 (a job failed), 2 (bad use) or 130 (stopped)."""
    options = parser().parse_args(argv)
    if options.jobs < 1:
        raise BadUse(f"--jobs must be at least 1, not {options.jobs}")
    variants, overrides = split_overrides(options)
    configs.resolve(options.db)  # a database that does not exist, before its folder is looked for
    data = options.data or Path("data") / options.db
    manifest = manifests.load(data)
    all_folds = tuple(range(manifest.folds))
    plan = Plan(
        database=options.db,
        data=data,
        runs=options.runs,
        manifest=manifest,
        variants=variants,
        folds=all_folds if options.folds == "all" else numbers(options.folds, "--folds"),
        seeds=numbers(options.seeds, "--seeds"),
        checkpoint=options.checkpoint,
        overrides=overrides,
    )
    for variant in variants:
        if withheld := plan.withheld(variant):
            print(f"note: not for {variant}, which it would make another: {', '.join(withheld)}")
    return cross_validate(plan, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
