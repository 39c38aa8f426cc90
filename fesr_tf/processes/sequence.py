"""Commands run one after the other, with what each does, elapsed time and time left."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.common.files import write_whole


@dataclass(frozen=True)
class Stage:
    """A step of the demo: what it does, its commands (arguments after `python`) and the
    minutes it takes on two cores.

    It is not done again where `stamp` holds the very same commands and what it `makes` is
    still there, or where `done()` says so.
    """

    about: str
    commands: list[list[str]]
    minutes: float
    stamp: Path | None = None
    makes: Path | None = None
    done: Callable[[], bool] | None = None

    def finished(self) -> bool:
        """True where there is nothing left to do."""
        if self.makes and not self.makes.exists():
            return False
        if self.stamp:
            return self.stamp.is_file() and self.stamp.read_text() == self._text()
        return bool(self.done and self.done())

    def mark(self) -> None:
        """Notes that the stage has ended well."""
        if self.stamp:
            write_whole(self.stamp, self._text())

    def _text(self) -> str:
        return "".join(shlex.join(words) + "\n" for words in self.commands)


def run_stages(
    todo: Sequence[Stage],
    call: Callable[[list[str]], int],
    fill: Callable[[str], str] = str,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Runs the stages in order; 0, or the exit code of the first that fails.

    `call` runs one command; `fill` replaces words of it that are known only by then.
    """
    began, planned, spent = clock(), 0.0, 0.0
    for number, stage in enumerate(todo, 1):
        head = f"[{number}/{len(todo)}]"
        if stage.finished():
            print(f"\n{head} {stage.about}: done before", flush=True)
            continue
        rest = sum(other.minutes for other in todo[number - 1 :] if not other.finished())
        # This machine's pace, as far as it has shown itself.
        pace = min(max(spent / planned, 0.2), 10.0) if planned else 1.0
        elapsed = (clock() - began) / 60
        print(
            f"\n{head} {stage.about} (about {minutes(stage.minutes * pace)}; "
            f"elapsed {minutes(elapsed)}, left in all about {minutes(rest * pace)})",
            flush=True,
        )
        start = clock()
        for words in stage.commands:
            words = [fill(word) for word in words]
            print(f"$ {shlex.join([shown_python(), *words])}", flush=True)
            code = call(words)
            if code:
                end = "was interrupted" if code == 130 else f"failed with exit code {code}"
                print(
                    f"error: stage {number} of {len(todo)} ({stage.about}) {end}; "
                    "the same command goes on from here",
                    file=sys.stderr,
                )
                return code
        stage.mark()
        planned += stage.minutes
        spent += (clock() - start) / 60
    return 0


def minutes(value: float) -> str:
    """Minutes in words: '40 s', '12 min'."""
    return f"{max(1, round(value * 60))} s" if value < 1 else f"{round(value)} min"


def shown_python() -> str:
    """The interpreter as one would type it."""
    here = Path(os.path.relpath(sys.executable))
    return "python" if here.parts[:1] == ("..",) else str(here)


def call(words: list[str]) -> int:
    """Runs `python <words>` and returns its exit code; Ctrl-C and TERM are the child's to end."""
    child = subprocess.Popen([sys.executable, *words])
    # Set after the start: a child inherits ignored signals. Ctrl-C reaches the whole group, so
    # the training process saves itself and says so, and this one only waits for it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    ended = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        code = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, ended)
    return 128 - code if code < 0 else code
