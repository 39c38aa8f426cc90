"""How the process deals with memory that it no longer needs."""

from __future__ import annotations

import contextlib
import ctypes

# glibc's <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1


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
