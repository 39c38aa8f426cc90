"""Runs commands one after the other and prints their purpose, elapsed time and time left."""

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

from fesr_tf.processes import INTERRUPTED, handled
from pipelines.common.files import write_whole


@dataclass(frozen=True)
class Stage:
    """A stage: its purpose, its commands (arguments after `python`), its minutes on two cores.

    It is skipped where `stamp` holds the very same commands and its output `makes` still exists,
    or where `done()` returns True.
    """

    about: str
    commands: list[list[str]]
    minutes: float
    stamp: Path | None = None
    makes: Path | None = None
    done: Callable[[], bool] | None = None

    def finished(self) -> bool:
        """Whether nothing is left to do."""
        if self.makes and not self.makes.exists():
            return False
        if self.stamp:
            return self.stamp.is_file() and self.stamp.read_text() == self._text()
        return bool(self.done and self.done())

    def mark(self) -> None:
        """Records that the stage succeeded."""
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
    """Runs the stages in order. Returns 0, or the exit code of the first one that fails.

    `call` runs one command; `fill` replaces those of its words that are known only by then.
    """
    started, planned, spent = clock(), 0.0, 0.0
    for number, stage in enumerate(todo, 1):
        head = f"[{number}/{len(todo)}]"
        if stage.finished():
            print(f"\n{head} {stage.about}: already done", flush=True)
            continue
        rest = sum(other.minutes for other in todo[number - 1 :] if not other.finished())
        # How much slower this machine is than planned, from the stages so far.
        slowdown = min(max(spent / planned, 0.2), 10.0) if planned else 1.0
        elapsed = (clock() - started) / 60
        print(
            f"\n{head} {stage.about} (about {minutes(stage.minutes * slowdown)}; "
            f"elapsed {minutes(elapsed)}, total left about {minutes(rest * slowdown)})",
            flush=True,
        )
        begin = clock()
        for words in stage.commands:
            words = [fill(word) for word in words]
            print(f"$ {shlex.join([shown_python(), *words])}", flush=True)
            code = call(words)
            if code:
                end = "was interrupted" if code == INTERRUPTED else f"failed with exit code {code}"
                print(
                    f"error: stage {number} of {len(todo)} ({stage.about}) {end}; "
                    "run the same command again to resume here",
                    file=sys.stderr,
                )
                return code
        stage.mark()
        planned += stage.minutes
        spent += (clock() - begin) / 60
    return 0


def minutes(value: float) -> str:
    """Minutes in words: '40 s', '12 min'."""
    return f"{max(1, round(value * 60))} s" if value < 1 else f"{round(value)} min"


def shown_python() -> str:
    """The interpreter as a user would type it."""
    path = Path(os.path.relpath(sys.executable))
    return "python" if path.parts[:1] == ("..",) else str(path)


def call(words: list[str]) -> int:
    """Runs `python <words>` and returns its exit code. The child handles Ctrl-C and SIGTERM."""
    child = subprocess.Popen([sys.executable, *words])
    # Set after the start: a child inherits ignored signals. Ctrl-C reaches the whole group, so
    # the training process saves its state, and this one only waits for it.
    ignored = handled(signal.SIG_IGN, signal.SIGINT)
    with ignored, handled(lambda *_: child.terminate(), signal.SIGTERM):
        code = child.wait()
    return 128 - code if code < 0 else code
