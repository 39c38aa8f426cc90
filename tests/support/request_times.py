"""Times of requests that several backends answer in turn: taken in a worker, then summarised.

Standard library and numpy only, as `tests.support.workers`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Backend(NamedTuple):
    """`prepare` makes a request from indices of faces, which is not timed; `run` answers it, and
    may return the seconds of its parts."""

    prepare: Callable[[list[int]], Any]
    run: Callable[[Any], list[float] | None]


def timer(backends: Mapping[str, Backend], count: int) -> Callable[..., list[list[float]]]:
    """A function `(name, batch, seconds)` that sends requests of `batch` faces, of `count` in
    turn, to a backend for `seconds`, but at least one. It returns a row a request: its seconds,
    then those of its parts."""
    following = 0

    def timed(name: str, batch: int, seconds: float) -> list[list[float]]:
        nonlocal following
        rows: list[list[float]] = []
        ends = time.perf_counter() + seconds
        while not rows or time.perf_counter() < ends:
            indices = [(following + i) % count for i in range(batch)]
            following = (following + batch) % count
            request = backends[name].prepare(indices)
            began = time.perf_counter()
            parts = backends[name].run(request)
            rows.append([time.perf_counter() - began, *(parts or [])])
        return rows

    return timed


def timed_cpu(run: Callable[[Any], Any]) -> Callable[[Any], list[float]]:
    """`run` as a backend's, its part the process's CPU seconds."""

    def timed(request: Any) -> list[float]:
        began = time.process_time()
        run(request)
        return [time.process_time() - began]

    return timed


@dataclass
class Times:
    """The rows of one backend: for each batch size a list of rounds, each a list of rows."""

    title: str
    rounds: dict[int, list[list[list[float]]]] = field(default_factory=dict)

    def rows(self, batch: int) -> np.ndarray:
        """(N, 1 + parts): every request of that size."""
        return np.array([row for rows in self.rounds[batch] for row in rows])

    def quantiles_ms(self, batch: int) -> np.ndarray:
        """Median and 0.99 quantile of a request; of fewer than 100 the latter is the slowest."""
        return 1e3 * np.quantile(self.rows(batch)[:, 0], (0.5, 0.99), method="inverted_cdf")

    def faces_a_second(self, batch: int) -> float:
        """Faces over the whole time of their requests."""
        rows = self.rows(batch)
        return batch * len(rows) / float(rows[:, 0].sum())

    def speedup(self, slow: Times, batch: int) -> tuple[float, float, float]:
        """How many times faster this is than `slow`, by medians: over all requests, and the
        lowest and the highest round."""
        mine, theirs = ([np.array(rows)[:, 0] for rows in each.rounds[batch]]
                        for each in (self, slow))  # fmt: skip
        rounds = [np.median(b) / np.median(a) for a, b in zip(mine, theirs, strict=False)]
        whole = np.median(np.concatenate(theirs)) / np.median(np.concatenate(mine))
        return float(whole), float(min(rounds)), float(max(rounds))


def growth(resident: Sequence[float], first: int) -> float:
    """Bytes a reload: the slope of the least-squares line from reload `first` on (from 1)."""
    later = np.asarray(resident[first - 1 :], float)
    return float(np.polyfit(np.arange(len(later)), later, 1)[0]) if len(later) > 1 else 0.0
