"""Memory while a model is loaded, used once and released, again and again, in TensorFlow's C++
loader, as in a server that gets version after version. `benchmarks.serving` starts it.

    python -m benchmarks.serving.reloads LIBRARY MODEL

The question `reload`, with feeds and fetches as
`fesr_tf.serving.cpp_loader` takes them, is answered by the resident bytes after one more reload.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path

from tests.support.workers import Questions, answer


def prepare(library: str, folder: str) -> tuple[str, Questions]:
    # By its path, like the loader's child process: without TensorFlow's Python.
    loader = runpy.run_path(importlib.util.find_spec("fesr_tf.serving.cpp_loader").origin)

    def reload(feeds: list, fetches: list[str]) -> int:
        session = loader["Session"](library, folder)
        session.run(feeds, fetches)
        session.close()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    return "ready", {"reload": reload}


if __name__ == "__main__":
    answer(lambda: prepare(*sys.argv[1:]))
