"""Shows the progress of a job, from files that its workers lengthen or the engine's counters."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from apache_beam.metrics import MetricsFilter
from apache_beam.runners.runner import PipelineResult

from pipelines.common.progress import bar

_SECONDS = 0.5
# The namespace of the job's Beam counters; that of its images.
METRICS, IMAGES = "preprocess", "images"


class Finished:
    """Counts the images that the workers finished with, when it is called.

    ticks: a folder with a file for each worker process, of one byte an image; it works on every
    runner that shares the disk. None: the engine's counters are read, once it runs as `result`.
    An image that is computed twice, as after the death of a worker, counts twice.
    """

    def __init__(self, ticks: str | None) -> None:
        self._ticks = ticks
        self.result: PipelineResult | None = None

    def __call__(self) -> int:
        if self._ticks is not None:
            return sum(file.stat().st_size for file in Path(self._ticks).iterdir())
        # An engine need not count while it runs, and Dask's does not at all.
        with contextlib.suppress(Exception):
            wanted = MetricsFilter().with_namespace(METRICS).with_name(IMAGES)
            return sum(each.result for each in self.result.metrics().query(wanted)["counters"])
        return 0


@contextlib.contextmanager
def watched(finished: Callable[[], int], total: int, title: str) -> Iterator[None]:
    """Shows a bar of `total` while the block runs."""
    done = threading.Event()
    with bar(total=total, desc=title, unit="image") as shown:

        def follow() -> None:
            last = False
            while not last:
                last = done.wait(_SECONDS)
                shown.update(max(0, min(finished(), total) - shown.n))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
