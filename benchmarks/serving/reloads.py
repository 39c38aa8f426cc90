"""Memory while a model is loaded, used once and released, again and again, in TensorFlow's C++
loader, as in a server that gets version after version. `benchmarks.serving` starts it.

    python -m benchmarks.serving.reloads LIBRARY MODEL CONFIG

CONFIG: a session's configuration, base64. The question `reload`, with feeds and fetches as
`fesr_tf.serving.cpp_loader` takes them, is answered by the resident bytes after one more reload.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

from fesr_tf.serving.cpp_loader import Session
from tests.support.workers import Questions, answer


def prepare(library: str, folder: str, config: str) -> tuple[str, Questions]:
    def reload(feeds: list, fetches: list[str]) -> int:
        session = Session(library, folder, base64.b64decode(config))
        session.run(feeds, fetches)
        session.close()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    return "ready", {"reload": reload}


if __name__ == "__main__":
    answer(lambda: prepare(*sys.argv[1:]))
