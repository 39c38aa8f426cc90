"""A training run killed again and again, beside one that was never stopped.

    python -m benchmarks.kills [--kills 100] [--seed 0] [--data DIR]

Trains a small run by the real command, kills its process (SIGKILL) at random moments and starts
it again, until it has been killed often enough or has ended; then the next run. After every kill
the newest checkpoint on the disk is compared, bit for bit, with what the undisturbed run had at
that step, and the last and the best checkpoint of every run at its end. Exits with 1 where
anything differs, or where a run cannot go on.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.killed_run import LAST, MOMENTS, PRETRAIN, Trial, ended, newest, state, step_of
from benchmarks.machine import heading
from pipelines import preprocess
from pipelines.common.errors import FailedWork, command
from pipelines.common.text import table
from pipelines.demo_faces import render_database

# isort: split
import tensorflow as tf

# Steps between checkpoints, one run after the other: with 1 a kill falls into a checkpoint more
# often than not, with 5 there are steps to be done again.
EVERY = (1, 5, 2)
KILLS_A_RUN = 12
HEAD = ("run", "killed", "after s", "went on from", "newest", "next stage", "half", "state")


def kill(data: Path, place: Path, kills: int, seed: int) -> tuple[list[tuple], list[str]]:
    """Kills `kills` times. Returns the table's rows and what went wrong; prints as it goes."""
    whole = Trial(data, place / "whole", "checkpoint_every=1", "keep_checkpoints=1000")
    life = whole.live(lambda: False).seconds
    variables = len(state(newest(whole.folder / "checkpoints")))
    best = step_of(newest(whole.folder / "best"))
    print(
        f"undisturbed: {LAST} steps (P_pre = {PRETRAIN}) in {life:.0f} s, {variables} variables, "
        f"best at step {best}"
    )
    draw, rows, wrong, number = random.Random(seed), [], [], 0
    while len(rows) < kills:
        number += 1
        every = EVERY[number % len(EVERY)]
        trial = Trial(data, place / f"run-{number}", f"checkpoint_every={every}")
        killed, running = 0, True
        while running:
            enough = killed == KILLS_A_RUN or len(rows) == kills
            kind = "end" if enough else draw.choice(MOMENTS)
            until = (lambda: False) if enough else trial.moment(kind, draw, life)
            lived = trial.live(until, whole.folder)
            running = lived.killed
            if running:
                killed += 1
                stage = "FESGAN" if lived.newest < PRETRAIN else "FESR"
                life_of = (number, kind, f"{lived.seconds:.1f}", lived.began_at)
                found = (lived.newest, stage, lived.half, lived.wrong or "equal")
                rows.append(life_of + found)
                print(f"{len(rows)}: {rows[-1]}", file=sys.stderr, flush=True)
            elif not enough:
                life = lived.seconds  # the machine has got faster: any time is before this
            if lived.wrong:
                wrong.append(f"run {number}: {lived.wrong}")
        found = ended(trial, whole.folder)
        wrong += [f"run {number}: {each}" for each in found]
        print(
            f"run {number} (a checkpoint every {every}): killed {killed} times, ended at step "
            f"{step_of(newest(trial.folder / 'checkpoints'))}, "
            f"{'; '.join(found) or 'last and best equal to the undisturbed ones'}",
            flush=True,
        )
    return rows, wrong


def rendered(place: Path) -> Path:
    """A few rendered people, preprocessed, with a validation part."""
    render_database(place / "faces", 6, 11, frames=4, size=160, progress=False)
    words = ["--db", "demo", "--input", place / "faces", "--output", place / "data"]
    if preprocess.main([str(word) for word in (*words, "--folds", 2, "--valid-share", 0.34)]):
        raise FailedWork("the rendered people could not be preprocessed")
    return place / "data"


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="how many [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of the moments [%(default)s]")
    parser.add_argument("--data", type=Path, help="preprocessed demo faces [rendered anew]")
    args = parser.parse_args(argv)
    print(heading("benchmarks.kills", argv))
    print(f"TensorFlow {tf.__version__}")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        rows, wrong = kill(args.data or rendered(place), place, args.kills, args.seed)
    print(table(HEAD, rows))
    kinds = ", ".join(f"{sum(row[1] == kind for row in rows)} {kind}" for kind in MOMENTS)
    print(
        f"\n{len(rows)} kills ({kinds}; {sum(row[6] > 0 for row in rows)} left a checkpoint half "
        f"written or half removed): {len(wrong)} differences"
    )
    if wrong:
        raise FailedWork(f"{len(wrong)} differences; the first: {wrong[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
