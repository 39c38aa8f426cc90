"""Commands in their own processes; the cores, signals and progress line of this one."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

INTERRUPTED = 130
"""Exit code of a command that a signal stopped."""


def available_cores() -> list[int]:
    """The numbers of the cores that this process may use: TensorFlow starts a thread for each."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextlib.contextmanager
def handled(handler: Callable | signal.Handlers, *numbers: int) -> Iterator[None]:
    """Handles the signals `numbers` by `handler` inside the block, then as before.

    Python handles signals in the main thread only; in another one this does nothing.
    """
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in numbers if main}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
