"""Keeps what Apache Beam and Dask print that nobody asked for off the console.

To be imported before anything that imports Beam, which at every start warns of cloud libraries;
logging is as it was afterwards.
"""

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator

_before = logging.root.manager.disable
logging.disable(logging.WARNING)
import apache_beam  # noqa: E402, F401

logging.disable(_before)


@contextlib.contextmanager
def quiet_start(dask: bool) -> Iterator[None]:
    """While Dask starts processes on this machine: they ignore Ctrl-C, which the launcher handles,
    and the page of a second cluster moves to another port without a warning."""
    if not dask or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"\s*Port \d+ is already in use", UserWarning)
            yield
    finally:
        signal.signal(signal.SIGINT, before)


def quiet_end() -> None:
    """Once the job was interrupted: the threads that serve its workers end without a word."""
    logging.disable(logging.CRITICAL)
    threading.excepthook = lambda args: None
