"""Memory while a model is loaded, asked once and released, again and again, in TensorFlow's C++
loader: what a server does that gets version after version. `benchmarks.serving` starts it.

    python -m benchmarks.serving_reloads LIBRARY MODEL < request

A line of stdin is {"config", "feeds", "fetches"} as `fesr_tf.serving.cpp_loader` takes them, every
other line asks for one more reload; each is answered by the resident bytes after it.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

from fesr_tf.serving.cpp_loader import Session


def resident() -> int:
    """The bytes of memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(library: str, folder: str) -> None:
    request = json.loads(sys.stdin.readline())
    config = base64.b64decode(request["config"])
    print(json.dumps(resident()), flush=True)
    for _ in sys.stdin:
        session = Session(library, folder, config)
        session.run(request["feeds"], request["fetches"])
        session.close()
        print(json.dumps(resident()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
