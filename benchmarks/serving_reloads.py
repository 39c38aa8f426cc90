"""Memory while a model is loaded, asked once and released, again and again, in TensorFlow's C++
loader: what a server does that gets version after version. `benchmarks.serving` starts it.

    python -m benchmarks.serving_reloads LIBRARY MODEL < request

The first line of stdin is a request as `fesr_tf.serving.cpp_loader` takes them, every other line
requests one more reload; each answer is the resident bytes after it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import sys
from pathlib import Path


def resident() -> int:
    """The bytes of memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(library: str, folder: str) -> None:
    request = json.loads(sys.stdin.readline())
    # By its path, as the loader's child process runs it: without TensorFlow's Python.
    loader = runpy.run_path(importlib.util.find_spec("fesr_tf.serving.cpp_loader").origin)
    print(json.dumps(resident()), flush=True)
    for _ in sys.stdin:
        session = loader["Session"](library, folder)
        session.run(request["feeds"], request["fetches"])
        session.close()
        print(json.dumps(resident()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
