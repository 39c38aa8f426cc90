"""Small training runs that are killed and resumed, compared bit for bit with one never stopped."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fesr_tf  # noqa: F401  (chooses Keras 2)
from pipelines import preprocess
from pipelines.common.errors import FailedWork
from pipelines.demo_faces import render_database

# isort: split
import tensorflow as tf

PRETRAIN, LAST = 16, 32
TINY = (
    "image_size=32",
    "width=0.0625",
    "batch_size=4",
    f"pretrain_iterations={PRETRAIN}",
    f"max_iterations={LAST}",
    "picture_every=1000",
    "validate_every=3",
    "log_every=1",
)
MOMENTS = ("any time", "training", "saving")
# A kill while training comes within so many seconds of the first new checkpoint.
TRAINING = 3.0
# A process that does not end in this time, on however busy a machine, hangs.
LONGEST = 600.0
# Steps between checkpoints, one run after the other: with 1 a kill falls into a checkpoint more
# often than not, with 5 there are steps to repeat.
EVERY = (1, 5, 2)
KILLS_A_RUN = 12
HEAD = ("run", "killed", "after s", "resumed from", "newest", "next stage", "half", "state")


@dataclass(frozen=True)
class Life:
    """One start of the command. began_at: the step that it printed that it resumed from, "-" where
    it printed none. Then what its end left: the `newest` checkpoint's step (0: none), how many
    are half written or half removed, and how the newest differs from the undisturbed run's."""

    killed: bool
    seconds: float
    began_at: str
    newest: int
    half: int
    wrong: str


class Trial:
    """The run in `runs`, by the real command; `log.txt` there holds its output."""

    def __init__(self, data: Path, runs: Path, *settings: str):
        self.command = [
            *(sys.executable, "-m", "fesr_tf.train", "--db", "demo", "--data", str(data)),
            *("--runs", str(runs), *TINY, *settings),
        ]
        self.folder = runs / "demo" / "FESR_JL" / "fold-00"
        self.log = runs / "log.txt"
        runs.mkdir(parents=True)
        self.log.touch()

    def live(self, until: Callable[[], bool], whole: Path | None = None) -> Life:
        """Starts the command and kills it as soon as `until()`, or lets it end before that.
        `whole`: the undisturbed run, to compare with. Raises `FailedWork` for any other end."""
        start = self.log.stat().st_size
        with self.log.open("ab") as log:
            child = subprocess.Popen(self.command, stdout=log, stderr=log)
        began = time.monotonic()
        try:
            while child.poll() is None and not until() and time.monotonic() < began + LONGEST:
                time.sleep(0.0005)
        finally:
            seconds = time.monotonic() - began
            child.send_signal(signal.SIGKILL)
            code = child.wait()
        words = self.log.read_bytes()[start:].decode(errors="replace")
        if code not in (0, -signal.SIGKILL) or seconds > LONGEST:
            raise FailedWork(f"the run could not go on (exit code {code}): {words}")
        on = re.search(r"(?:going on|resum\w+) at step (\d+)", words)
        last = newest(self.folder / "checkpoints")
        wrong = difference(last, whole / "checkpoints" / last.name) if last and whole else ""
        step = step_of(last) if last else 0
        return Life(code != 0, seconds, on[1] if on else "-", step, len(self.half()), wrong)

    def half(self) -> set[Path]:
        """Checkpoints that are being written, or were when the process was killed."""
        return {path for name in ("checkpoints", "best") for path in self.folder.glob(f"{name}/.*")}

    def moment(self, kind: str, draw: random.Random, life: float) -> Callable[[], bool]:
        """When to kill: `any time` within `life` seconds, within a few seconds of `training`, or
        `saving`: as soon as one of the next checkpoints begins, or some milliseconds later."""
        start = time.monotonic()
        if kind == "any time":
            end = start + draw.uniform(0, life)
            return lambda: time.monotonic() >= end
        old, seen, wanted = self.half(), set(), draw.randint(1, 4)
        before = newest(self.folder / "checkpoints")
        delay = draw.uniform(0, TRAINING) if kind == "training" else draw.uniform(0, 0.03)
        if kind == "saving" and draw.random() < 0.5:
            delay = 0.0
        end: float | None = None

        def now() -> bool:
            nonlocal end
            if end is not None:
                return time.monotonic() >= end
            if kind == "training":
                begun = newest(self.folder / "checkpoints") != before
            else:
                seen.update(self.half() - old)
                begun = len(seen) >= wanted
            if begun:
                end = time.monotonic() + delay
            return begun and not delay

        return now


def state(place: Path) -> dict[str, bytes]:
    """Every value in a checkpoint: networks, optimizers, iteration."""
    reader = tf.train.load_checkpoint(str(place / "weights"))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: np.asarray(reader.get_tensor(name)).tobytes() for name in names}


def difference(place: Path, whole: Path) -> str:
    """What differs between two checkpoints, to the bit; empty where nothing does."""
    if not whole.exists():
        return f"the undisturbed run has no {whole.name}"
    try:
        left, right = state(place), state(whole)
    except (tf.errors.OpError, ValueError) as error:
        return f"cannot be read: {error}"
    if left.keys() != right.keys():
        return "other variables"
    differing = [name for name in left if left[name] != right[name]]
    return f"{len(differing)} of {len(left)} variables differ" if differing else ""


def newest(folder: Path) -> Path | None:
    """The newest checkpoint in a folder of them."""
    return max(folder.glob("step-*"), default=None)


def step_of(place: Path) -> int:
    """The step that a checkpoint is of."""
    return int(place.name.removeprefix("step-"))


def ended(trial: Trial, whole: Path) -> list[str]:
    """What is wrong with a run that has come to its end."""
    wrong = []
    for name in ("checkpoints", "best"):
        last, other = newest(trial.folder / name), newest(whole / name)
        if last is None or other is None or last.name != other.name:
            wrong.append(f"{name}: {last} and not {other}")
        elif found := difference(last, other):
            wrong.append(f"{name}: {found}")
    if trial.half():
        wrong.append(f"left behind: {sorted(map(str, trial.half()))}")
    return wrong


def kill(data: Path, place: Path, kills: int, seed: int) -> tuple[list[tuple], list[str]]:
    """Kills `kills` times, run after run, by moments drawn with `seed`. Returns the rows of a table
    with `HEAD` and every difference to the undisturbed run; prints a line a run."""
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
    """The folder of a few rendered people, preprocessed, with a validation part."""
    render_database(place / "faces", 6, 11, frames=4, size=160, progress=False)
    words = ["--db", "demo", "--input", place / "faces", "--output", place / "data"]
    if preprocess.main([str(word) for word in (*words, "--folds", 2, "--valid-share", 0.34)]):
        raise FailedWork("the rendered people could not be preprocessed")
    return place / "data"
