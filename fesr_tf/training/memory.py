"""Memory of the training process: its peak, and the reuse of freed blocks by malloc."""

from __future__ import annotations

import contextlib
import ctypes
import re
import resource
import sys
from pathlib import Path

import tensorflow as tf

# glibc's <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1
GIB = 2**30


def keep_freed_memory() -> None:
    """Makes malloc keep freed blocks for the next step instead of returning them to the system.

    Every step frees and allocates the same hundreds of megabytes, and the system clears each page
    again (4 % of a step). The peak does not change. Without glibc this does nothing.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(parameter, LARGEST)


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would include the parent's size from before exec.
        peak = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        if peak:
            return 1024 * int(peak[1])
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest


def peak_gpu_memory() -> int | None:
    """The most memory that TensorFlow has held on one GPU, in bytes; None without a GPU."""
    devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    peaks = [tf.config.experimental.get_memory_info(name)["peak"] for name in devices]
    return max(peaks, default=None)
