"""The progress line of a long command, and durations as a clock shows them."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

MOVING, LOGGED = 1.0, 30.0
"""Seconds between two states of the line on a terminal, and between two lines of a log file."""


class ProgressLine:
    """One line, overwritten on a terminal and repeated now and then in a log file.

    every: seconds between two states, `MOVING` or `LOGGED` by default; out: standard error by
    default. tqdm prints it, so that a warning by `tqdm.write` does not break the line.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        every: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.out = out or sys.stderr
        self.moves = self.out.isatty()
        self.every = (MOVING if self.moves else LOGGED) if every is None else every
        self.clock = clock
        self._shown_at = -math.inf
        self._bar: tqdm | None = None

    def due(self) -> bool:
        """Whether the last state is older than `every`."""
        return self.clock() - self._shown_at >= self.every

    def show(self, text: str) -> None:
        """Shows a state, cut to the width of a terminal."""
        self._shown_at = self.clock()
        if not self.moves:
            print(text, file=self.out, flush=True)
            return
        if self._bar is None:
            self._bar = tqdm(bar_format="{desc}", file=self.out)
        self._bar.set_description_str(text[: shutil.get_terminal_size().columns - 1])

    def print(self, text: str) -> None:
        """Prints a separate line without breaking the progress line."""
        tqdm.write(text, file=self.out)

    def close(self) -> None:
        """Ends the line, so that the next output starts on its own."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def clock_time(seconds: float) -> str:
    """'0:07', '1:02:03', '2 d 1:02:03'."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{days} d {text}" if days else text
