"""Trying again, with growing pauses, what failed because a server was not there yet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from fesr_tf.client.errors import NotAvailable, ServerDown

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0


def pauses(attempts: int) -> list[float]:
    """Seconds between `attempts` attempts: doubling from `FIRST_PAUSE` to `LONGEST_PAUSE`."""
    return [min(FIRST_PAUSE * 2**i, LONGEST_PAUSE) for i in range(attempts - 1)]


def retrying(call: Callable[[], T], attempts: int) -> T:
    """What `call` returns, asked up to `attempts` times while the server is down or still
    loading; its last error after that. Every other error ends it at once: asking again would
    not help, and a request that was too slow once would only load the server more."""
    for pause in pauses(attempts):
        try:
            return call()
        except (ServerDown, NotAvailable):
            # Spread, so that many clients do not come back at the same moment.
            time.sleep(pause * random.uniform(0.8, 1.2))
    return call()
