"""The console's line: where a run is, how it does, how fast, how much memory, how long yet."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from tqdm import tqdm

from fesr_tf.model.fesr import FESR
from fesr_tf.training.callbacks import StepCallback
from fesr_tf.training.memory import GIB, peak_memory

SHOWN = ("L_D_img", "L_advd_z", "L_G", "L_rec", "L_id", "L_R")
MOVING, LOGGED = 1.0, 30.0
"""Seconds between two states of a terminal's line, and between two lines of a log file."""


@dataclass(frozen=True)
class Status:
    """What one line tells. Times in seconds, memory in bytes; None where it is not known yet."""

    stage: str
    step: int
    total: int
    losses: dict[str, float]
    images_per_second: float | None
    seconds_per_step: float | None
    memory: int
    left: float | None
    then: str | None  # the stage whose time `left` does not hold

    def __str__(self) -> str:
        losses = "  ".join(f"{name} {value:.3f}" for name, value in self.losses.items())
        if self.seconds_per_step is None:
            rates = "compiling"
        else:
            rates = f"{self.images_per_second:.1f} images/s, {self.seconds_per_step:.3f} s/step"
        left = f"left {clock_time(self.left)}" if self.left is not None else ""
        left += f", then {self.then}" if left and self.then else ""
        parts = [
            f"step {self.step} of {self.total}  {self.stage}",
            left,
            rates,
            f"{self.memory / GIB:.2f} GiB",
            losses,  # last: a narrow terminal cuts the line
        ]
        return " | ".join(part for part in parts if part)


def clock_time(seconds: float) -> str:
    """'0:07', '1:02:03', '2 d 1:02:03'."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{days} d {text}" if days else text


class Progress(StepCallback):
    """One line a tick: moving on a terminal, a new line now and then in a log file.

    `stages` are the run's stages with the iterations at which they end. The rates are of the
    time since the last line, pictures and validation included; the time left is that of the
    present stage, at the stage's own pace so far.
    """

    def __init__(
        self,
        fesr: FESR,
        stages: Sequence[tuple[str, int]],
        out: TextIO | None = None,
        often: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(fesr)
        self.stages = list(stages)
        self.out = out or sys.stderr
        self.moves = self.out.isatty()
        self.often = often if often is not None else (MOVING if self.moves else LOGGED)
        self.clock = clock
        self.shown = 0  # iteration of the last line
        self.line: tqdm | None = None  # the moving one on a terminal
        self.logs: dict[str, float] = {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        step = int(self.fesr.fesgan.step.numpy())
        self.begin: tuple[float, int] | None = None  # of the stage's second step: compiled by then
        self.before = (self.clock(), step)
        self.shown = step

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        now = self.clock()
        self.logs = logs
        if self.begin is None:
            self.begin = self.before = (now, step)
            self._show(step, now)
        elif now - self.before[0] >= self.often:
            self._show(step, now)
            self.before = (now, step)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        step = int(self.fesr.fesgan.step.numpy())
        if step > self.shown:
            self._show(step, self.clock())
        self.close()

    def close(self) -> None:
        """Ends a moving line, so that what is said next begins its own."""
        if self.line is not None:
            self.line.close()
        self.line = None

    def status(self, step: int, now: float) -> Status:
        """The state after iteration `step`, at `now` of the callback's clock."""
        second = self.model is self.fesr
        stage, end = next(
            each for each in self.stages if each[0] == ("FESR" if second else "FESGAN")
        )
        later = [name for name, after in self.stages if after > end]
        pace = _pace(self.before, (now, step))
        overall = _pace(self.begin, (now, step)) if self.begin else None
        return Status(
            stage=stage,
            step=step,
            total=self.stages[-1][1],
            losses={name: self.logs[name] for name in SHOWN if name in self.logs},
            images_per_second=self.fesr.config.batch_size / pace if pace else None,
            seconds_per_step=pace,
            memory=peak_memory(),
            left=(end - step) * overall if overall is not None else None,
            then=later[0] if later else None,
        )

    def _show(self, step: int, now: float) -> None:
        text = str(self.status(step, now))
        if self.moves:
            # tqdm, so that whoever warns by tqdm.write does not write into the line.
            if self.line is None:
                self.line = tqdm(bar_format="{desc}", file=self.out)
            width = shutil.get_terminal_size().columns - 1
            self.line.set_description_str(text[:width])
        else:
            print(text, file=self.out, flush=True)
        self.shown = step


def _pace(earlier: tuple[float, int], now: tuple[float, int]) -> float | None:
    """Seconds a step between two moments (time, step); None where no step lies between."""
    steps = now[1] - earlier[1]
    return (now[0] - earlier[0]) / steps if steps and now[0] > earlier[0] else None
