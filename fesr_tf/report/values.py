"""Every figure that the page shows, once: on the page, in figures.csv and in figures.json."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from dataclasses import dataclass
from html import escape
from typing import Any

from fesr_tf.report.html import Raw
from fesr_tf.results.documents import Document

FORMAT = 1
NOT_RUN = "not run"
PERCENT, POINTS, COUNT, SECONDS = "percent", "points", "count", "seconds"
Value = float | int | str | None


@dataclass(frozen=True)
class Figure:
    """One figure. value, low and high are as the source has them, in no other unit and not
    rounded; value is None where nothing was run. low and high: its 95 % interval. n: how many it
    was counted on. source: `FILE#/a/JSON/pointer` (RFC 6901), or in words what it follows from."""

    section: str
    item: str
    value: Value
    low: float | None
    high: float | None
    n: int | None
    unit: str
    source: str


class Book:
    """Collects figures. What it returns is the HTML that shows one: a `data` element whose
    `data-figure` is the figure's number."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def show(
        self,
        section: str,
        item: str,
        value: Value,
        style: str,
        source: str,
        *,
        interval: tuple[float, float] | list[float] | None = None,
        n: int | None = None,
        unit: str = "",
        missing: str = NOT_RUN,
    ) -> Raw:
        """Notes a figure and shows it in a style: percent, points, count, seconds, or a format
        specification such as `.3f`. `missing` stands for a value that is None."""
        low, high = interval or (None, None)
        self.figures.append(Figure(section, item, value, low, high, n, unit, source))
        if value is None:
            return Raw(f'<span class="none">{escape(missing)}</span>')
        shown = written(value, style)
        if low is not None:
            ends = f"{written(low, style, ends=True)} to {written(high, style, ends=True)}"
            shown += f' <small class="i">{ends}</small>'
        number = len(self.figures) - 1
        return Raw(f'<data value="{escape(str(value))}" data-figure="{number}">{shown}</data>')

    def of(
        self, section: str, item: str, document: Document, path: tuple, style: str, **more: Any
    ) -> Raw:
        """The figure that a document holds under `path`; `show`'s keywords, and `around`: the
        path of its interval."""
        if around := more.pop("around", None):
            more["interval"] = document.at(*around)
        value = document.at(*path)
        return self.show(section, item, value, style, document.pointer(*path), **more)


def written(value: Value, style: str, ends: bool = False) -> str:
    """A value as the page has it; `ends`: of an interval, without its unit."""
    if isinstance(value, str):
        return escape(value)
    if style == PERCENT:
        return f"{100 * value:.1f}" + ("" if ends else " %")
    if style == POINTS:
        return f"{100 * value:+.1f}"
    if style == COUNT:
        return f"{value:,g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if style == SECONDS:
        return f"{value:,.0f} s" if value >= 10 else f"{value:.2g} s"
    return format(value, style)


def as_csv(figures: list[Figure]) -> str:
    """One line a figure; an empty value is one that was not run."""
    text = io.StringIO()
    names = [field.name for field in dataclasses.fields(Figure)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([getattr(each, name) for name in names] for each in figures)
    return text.getvalue()


def as_json(figures: list[Figure], about: dict) -> str:
    """`about`, then the figures in the order of the page: entry i is `data-figure="i"`."""
    whole = {"format": FORMAT, **about, "figures": [dataclasses.asdict(each) for each in figures]}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
