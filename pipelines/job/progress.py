"""Shows the progress of a job, from a file that its workers lengthen."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from pipelines.common.progress import bar

_SECONDS = 0.5


@contextlib.contextmanager
def watched(ticks: str | None, total: int, title: str) -> Iterator[None]:
    """Shows a bar of `total` while the block runs; the file `ticks` has one byte per finished
    item, which works with threads, processes and every runner. None shows nothing: a cluster has
    its own page.
    """
    if ticks is None:
        yield
        return
    file, done = Path(ticks), threading.Event()
    with bar(total=total, desc=title, unit="image") as shown:

        def follow() -> None:
            last = False
            while not last:
                last = done.wait(_SECONDS)
                with contextlib.suppress(FileNotFoundError):
                    shown.update(file.stat().st_size - shown.n)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
