"""Shows the progress of a job, from files that its workers lengthen."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from pipelines.common.progress import bar

_SECONDS = 0.5


@contextlib.contextmanager
def watched(ticks: str | None, total: int, title: str) -> Iterator[None]:
    """Shows a bar of `total` while the block runs. The files in the folder `ticks`, one a worker
    process, have one byte per finished item, which works with every runner that shares the disk.
    None shows nothing: a cluster has its own page.
    """
    if ticks is None:
        yield
        return
    folder, done = Path(ticks), threading.Event()
    with bar(total=total, desc=title, unit="image") as shown:

        def follow() -> None:
            last = False
            while not last:
                last = done.wait(_SECONDS)
                shown.update(min(finished(folder), total) - shown.n)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def finished(ticks: Path) -> int:
    """The number of items that the workers finished with; an item that was computed twice, as
    after the death of a worker, counts twice."""
    return sum(file.stat().st_size for file in ticks.iterdir())
