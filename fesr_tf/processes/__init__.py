"""Commands in their own processes; the signals and progress line of this one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

INTERRUPTED = 130
"""Exit code of a command that a signal stopped."""


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
