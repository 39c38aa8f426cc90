"""A small training run by the real command, to be killed at any moment and compared to the bit."""

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
from pipelines.common.errors import FailedWork

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
# A life that comes to nothing in this time, on however busy a machine, has hung.
LONGEST = 600.0


@dataclass(frozen=True)
class Life:
    """One start of the command. began_at: the step that it said it went on from, "-" where it
    said nothing. Then what its end left: the `newest` checkpoint's step (0: none), how many are
    half written or half removed, and what of the newest is not as in the undisturbed run."""

    killed: bool
    seconds: float
    began_at: str
    newest: int
    half: int
    wrong: str


class Trial:
    """The run in `runs`, by the real command; `log.txt` there holds what it said."""

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
        said = self.log.stat().st_size
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
        words = self.log.read_bytes()[said:].decode(errors="replace")
        if code not in (0, -signal.SIGKILL) or seconds > LONGEST:
            raise FailedWork(f"the run could not go on (exit code {code}): {words}")
        on = re.search(r"going on at step (\d+)", words)
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
