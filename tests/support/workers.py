"""Processes that answer questions: a question is a line of JSON, and so is its answer.

Imports the standard library only: `benchmarks.serving.peers` runs in an environment that has
nothing of this project's dependencies but numpy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.common.errors import FailedWork

Questions = Mapping[str, Callable[..., Any]]


def thread_limits(threads: int) -> dict[str, str]:
    """Environment variables that give TensorFlow, OpenMP and BLAS `threads` threads each."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS",
             "OPENBLAS_NUM_THREADS")  # fmt: skip
    return dict.fromkeys(names, str(threads))


class Worker:
    """A process that runs `command` and answers questions; a context manager that ends it.

    `line` and `ask` raise `FailedWork`, with the last line of its stderr, where it has ended.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | environment,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def line(self) -> str:
        """The next line of its stdout. The first of an `answer` loop is its greeting, as JSON."""
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise FailedWork(f"{self.name} ended: {last[0] if last else 'without a message'}")
        return line

    def ask(self, name: str, *arguments: Any) -> Any:
        """The answer to the question `name`."""
        try:
            self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        return json.loads(self.line())


def answer(prepare: Callable[[], tuple[Any, Questions]]) -> None:
    """The worker's side: prints the greeting that `prepare` returns, then answers the questions of
    stdin by the functions of the same names, until stdin ends."""
    # Libraries print: stdout is for answers, and what else is printed there goes to stderr.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    greeting, questions = prepare()
    print(json.dumps(greeting), file=out, flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(questions[name](*arguments)), file=out, flush=True)
