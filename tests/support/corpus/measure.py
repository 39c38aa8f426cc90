"""Runs commands as processes of their own, with a limit, and measures what they took."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]

# A process that is started counts its starter's memory as its own peak, so a small one starts
# the command and reports the peak of its child.
_STARTER = """
import json, os, resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(sys.argv[1], "w") as file:
    json.dump([code, peak * 1024], file)
"""

# Many requests in one process, each as a command answers it: a line of JSON in, one out. "read"
# goes as far as a job does before it begins.
_MANY = """
import contextlib, io, json, sys
from pipelines.databases import open_database
from pipelines.common.errors import command
from pipelines.dataset.folds import divide
from pipelines.preprocess import main
read = command(lambda argv: divide(open_database(*argv)) and 0)
for line in sys.stdin:
    what, argv = json.loads(line)
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = {"read": read, "job": main}[what](argv)
    print(json.dumps([code, err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What a command did. code: its exit status, None if it was ended for taking too long;
    peak: bytes of memory of its largest process."""

    code: int | None
    out: str
    err: str
    seconds: float
    peak: int

    @property
    def errors(self) -> list[str]:
        """The lines of stderr that begin with "error: "."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    def complaint(self) -> str | None:
        """Why this is no way for a command to end, or None: 0, or 1 or 2 with one sentence."""
        if self.code is None:
            return f"was not finished after {self.seconds:.0f} s"
        if "Traceback" in self.err:
            return f"gave a traceback: {self.err[-2000:]}"
        if self.code not in (0, 1, 2):
            return f"ended with {self.code}: {self.err[-2000:]}"
        if len(self.errors) != (self.code != 0):
            return f"ended with {self.code} and the errors {self.errors}"
        return None


def run(
    arguments: Sequence[object], folder: Path, seconds: float, given: str | None = None
) -> Outcome:
    """`python` with these arguments, for at most `seconds`; `folder` takes its output, `given`
    is its standard input."""
    folder.mkdir(parents=True, exist_ok=True)
    report, out, err = folder / "report.json", folder / "out.txt", folder / "err.txt"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-S", "-c", _STARTER, str(report), sys.executable]
    started = time.monotonic()
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            cwd=REPOSITORY,
            env=_environment(),
            text=True,
            start_new_session=True,
        )
        try:
            process.communicate(given or "", timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    took = time.monotonic() - started
    code, peak = json.loads(report.read_text()) if report.exists() else (None, 0)
    texts = (path.read_text(errors="replace") for path in (out, err))
    return Outcome(code, *texts, took, peak)


def run_many(
    requests: Sequence[tuple[str, Sequence[object]]], folder: Path, seconds: float
) -> tuple[list[Outcome], Outcome]:
    """One process for many requests: ("read", (database, path)) or ("job", arguments). Returns
    what became of each, as far as it came, and of the process as a whole."""
    lines = [json.dumps([what, list(map(str, argv))]) for what, argv in requests]
    whole = run(["-c", _MANY], folder, seconds, "\n".join(lines) + "\n")
    answers = [json.loads(line) for line in whole.out.splitlines()]
    return [Outcome(code, "", err, 0.0, 0) for code, err in answers], whole


def _environment() -> Mapping[str, str]:
    # The project's folder, wherever the command was started.
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONFAULTHANDLER": "1"}
