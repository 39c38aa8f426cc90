"""Processes that a benchmark asks: a question is a line of JSON, and so is its answer."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from pipelines.common.errors import FailedWork


def thread_limits(threads: int) -> dict[str, str]:
    """Environment variables that give TensorFlow, OpenMP and BLAS as many threads."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS",
             "OPENBLAS_NUM_THREADS")  # fmt: skip
    return dict.fromkeys(names, str(threads))


class Asked:
    """A process that says that it is ready and then answers; a context manager that ends it.

    Raises `FailedWork` with the process's last words where it ends by itself.
    """

    def __init__(self, name: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | environment,
        )

    def __enter__(self) -> Asked:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def ask(self, question: Any) -> Any:
        """Sends a question and waits for its answer."""
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        return json.loads(self.line())

    def answer(self) -> Any:
        """The next line, as JSON; the first is what a process says when it is ready."""
        return json.loads(self.line())

    def line(self) -> str:
        """The next line as it is."""
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise FailedWork(f"{self.name} ended: {last[0] if last else 'no word'}")
        return line
