"""The progress line of a training: step, time left, rates, memory and losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from fesr_tf.model.fesr import FESR
from fesr_tf.processes.console import ProgressLine, clock_time
from fesr_tf.training.callbacks import StepCallback
from fesr_tf.training.memory import GIB, peak_memory

SHOWN = ("L_D_img", "L_advd_z", "L_G", "L_rec", "L_id", "L_R")


class Progress(StepCallback):
    """One line, overwritten on a terminal and repeated now and then in a log file.

    `stages` are the run's stages with the iterations at which they end. The rates cover the time
    since the last line, images and validation included. The time left is that of the present
    stage, from its mean step time so far.
    """

    def __init__(
        self,
        fesr: FESR,
        stages: Sequence[tuple[str, int]],
        out: TextIO | None = None,
        every: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(fesr)
        self.stages = list(stages)
        self.clock = clock
        self.line = ProgressLine(out, every, clock)
        self.shown = 0  # iteration of the last line
        self.logs: dict[str, float] = {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.shown = int(self.fesr.fesgan.step.numpy())
        self.before = (self.clock(), self.shown)
        self.begin: tuple[float, int] | None = None  # after the stage's first step: compiled

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        self.logs = logs
        first = self.begin is None
        if first or self.line.due():
            now = (self.clock(), step)
            if first:
                self.begin = self.before = now
            self._show(now)
            self.before = now

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        step = int(self.fesr.fesgan.step.numpy())
        if step > self.shown:
            self._show((self.clock(), step))
        self.close()

    def close(self) -> None:
        """Ends the line, so that the next output starts on its own."""
        self.line.close()

    def status(self, now: tuple[float, int]) -> str:
        """The line at `now`, a time of the callback's clock and the iteration reached by then."""
        step = now[1]
        name = "FESR" if self.model is self.fesr else "FESGAN"
        end = dict(self.stages)[name]
        later = [stage for stage, last in self.stages if last > end]
        left, rates = "", "compiling"
        if (mean := _step_time(self.begin, now)) is not None:
            left = f"left {clock_time((end - step) * mean)}"
            left += f", then {later[0]}" if later else ""
        if step_time := _step_time(self.before, now):
            speed = self.fesr.config.batch_size / step_time
            rates = f"{speed:.1f} images/s, {step_time:.3f} s/step"
        parts = [
            f"step {step} of {self.stages[-1][1]}  {name}",
            left,
            rates,
            f"{peak_memory() / GIB:.2f} GiB",
            # Last, as a narrow terminal cuts the line.
            "  ".join(f"{loss} {self.logs[loss]:.3f}" for loss in SHOWN if loss in self.logs),
        ]
        return " | ".join(part for part in parts if part)

    def _show(self, now: tuple[float, int]) -> None:
        self.line.show(self.status(now))
        self.shown = now[1]


def _step_time(earlier: tuple[float, int] | None, now: tuple[float, int]) -> float | None:
    """Seconds per step between two moments (time, step); None where no step lies between."""
    if earlier is None or now[1] == earlier[1] or now[0] <= earlier[0]:
        return None
    return (now[0] - earlier[0]) / (now[1] - earlier[1])
