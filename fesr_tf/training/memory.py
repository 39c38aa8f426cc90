"""Memory of the training process: its peak, and freed blocks that malloc keeps."""

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
    """Makes malloc keep freed blocks for the next step instead of giving them to the system.

    A step frees and asks for the same hundreds of megabytes again and again; each time, the
    system clears every page of it (4 % of a step). The peak stays where it is. Elsewhere than on
    glibc this does nothing.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(parameter, LARGEST)


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the parent's size too, from before exec.
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return 1024 * int(found[1])
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest


def peak_gpu_memory() -> int | None:
    """The most that TensorFlow has held on any one GPU, in bytes; None without a GPU."""
    devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    peaks = [tf.config.experimental.get_memory_info(name)["peak"] for name in devices]
    return max(peaks, default=None)
