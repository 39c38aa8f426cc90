"""Commands in their own processes, the cores available to this one, and its progress line."""

from __future__ import annotations

import os

INTERRUPTED = 130
"""Exit code of a command that a signal stopped."""


def available_cores() -> list[int]:
    """The numbers of the cores that this process may use: TensorFlow starts a thread for each."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
