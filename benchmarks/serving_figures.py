"""What the rows of the serving benchmark come to: quantiles, rates, ratios, slopes, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

NOT_RUN = "not run"


@dataclass
class Timed:
    """What one way gave: for each batch size a list of rounds, each a list of rows; a row is the
    seconds of one request, and where it was split those of finding and of aligning faces."""

    title: str
    rounds: dict[int, list[list[list[float]]]] = field(default_factory=dict)

    def rows(self, batch: int) -> np.ndarray:
        """(N, 1) or (N, 3): every request of that size."""
        return np.array([row for rows in self.rounds[batch] for row in rows])

    def a_face(self, batch: int, round_: int | None = None) -> float:
        """Median seconds a face, of all rounds or of one."""
        rows = self.rows(batch) if round_ is None else np.array(self.rounds[batch][round_])
        return float(np.median(rows[:, 0])) / batch


def quantile(values: Sequence[float] | np.ndarray, share: float) -> float:
    """The smallest value that `share` of them do not exceed: of fewer than 100 the 0.99 quantile
    is the largest."""
    return float(np.quantile(np.asarray(values), share, method="inverted_cdf"))


def faces_a_second(rows: np.ndarray, batch: int) -> float:
    """Faces by the whole time of their requests."""
    return batch * len(rows) / float(rows[:, 0].sum())


def ratio(slow: Timed, fast: Timed, batch: int) -> tuple[float, float, float]:
    """How many times faster a face is: by all rounds, and the lowest and highest of the rounds."""
    rounds = min(len(slow.rounds[batch]), len(fast.rounds[batch]))
    single = [slow.a_face(batch, i) / fast.a_face(batch, i) for i in range(rounds)]
    return slow.a_face(batch) / fast.a_face(batch), min(single), max(single)


def growth(resident: Sequence[float], first: int) -> float:
    """Bytes a reload: the slope of the least-squares line from reload `first` on (from 1)."""
    later = np.asarray(resident[first - 1 :], float)
    return float(np.polyfit(np.arange(len(later)), later, 1)[0]) if len(later) > 1 else 0.0


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def whole_table(ways: Sequence[Timed], batches: Sequence[int]) -> str:
    """Photographs to answers, split; medians of the stages a face, quantiles of requests."""
    head = ("model, through", "batch", "detect", "align", "classify", "p50", "p99", "faces/s",
            "requests")  # fmt: skip
    rows = []
    for way in ways:
        for batch in batches:
            took = 1e3 * way.rows(batch)
            whole, detect, align = took.T
            stages = (detect, align, whole - detect - align)
            split = [f"{np.median(stage) / batch:.2f}" for stage in stages]
            ends = [f"{quantile(whole, share):.1f}" for share in (0.5, 0.99)]
            rate = f"{faces_a_second(way.rows(batch), batch):.1f}"
            rows.append((way.title, batch, *split, *ends, rate, len(took)))
    return markdown(head, rows)


def faces_table(
    ways: Sequence[Timed], missing: Sequence[str], batches: Sequence[int], base: Timed | None
) -> str:
    """Aligned faces to answers: for each batch p50 and p99 of a request and faces a second, and
    how many times faster than `base` a face is at the first batch; `missing` were not run."""
    head = ["way", *(f"batch {batch}: p50, p99 ms; faces/s" for batch in batches)]
    head += [f"times faster than {base.title}" if base else "times faster", "requests"]
    rows = []
    for way in ways:
        cells, counts = [], []
        for batch in batches:
            took = way.rows(batch)
            ends = ", ".join(f"{1e3 * quantile(took[:, 0], share):.2f}" for share in (0.5, 0.99))
            cells.append(f"{ends}; {faces_a_second(took, batch):.0f}")
            counts.append(str(len(took)))
        faster = "·"
        if base and base is not way:
            middle, low, high = ratio(base, way, batches[0])
            faster = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        rows.append((way.title, *cells, faster, ", ".join(counts)))
    rows += [(title, *[NOT_RUN] * (len(head) - 1)) for title in missing]
    return markdown(head, rows)


def memory_table(resident: dict[str, Sequence[int]], first: int) -> str:
    """Resident MB after some of the reloads, and what each after the `first` adds."""
    shown = (1, 10, 50, 100, 200)
    count = min(len(each) for each in resident.values())
    marks = [mark for mark in shown if mark < count] + [count]
    head = ["model", *(f"after {mark}" for mark in marks), f"KB a reload from {first} on"]
    rows = [
        (
            name,
            *(f"{each[mark - 1] / 1e6:.1f}" for mark in marks),
            f"{growth(each, first) / 1e3:+.2f}",
        )
        for name, each in resident.items()
    ]
    return markdown(head, rows)
