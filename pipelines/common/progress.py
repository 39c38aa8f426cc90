"""Progress with rate and time left: a lively bar on a terminal, one every half minute in a log."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

_LOG_SECONDS = 30


def bar(**options: Any) -> tqdm:
    """tqdm's bar on stderr. `options` are tqdm's own, as `iterable`, `total`, `desc` and `unit`."""
    if not sys.stderr.isatty():
        options |= {"mininterval": _LOG_SECONDS, "maxinterval": _LOG_SECONDS}
    return tqdm(**options)
