"""What the report shows: every value once, on the page, in figures.csv and in figures.json."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fesr_tf.results.sources import Document

FORMAT = 1
NOT_RUN = "not run"
PERCENT, POINTS, COUNT, SECONDS = "percent", "points", "count", "seconds"
Value = float | int | str | None


@dataclass(frozen=True)
class Figure:
    """A line of figures.csv. value, low and high are in the unit of their source and not rounded;
    value is None if nothing was run. low, high: the 95 % interval. n: the sample size. source:
    `FILE#/a/JSON/pointer` (RFC 6901), or how the value was computed, in words."""

    section: str
    item: str
    value: Value
    low: float | None
    high: float | None
    n: int | None
    unit: str
    source: str


@dataclass(frozen=True)
class Shown:
    """A figure as the page shows it: a `data` element with the figure's number and, unless '', its
    interval; if value is None, only `text`, which says why."""

    kind: ClassVar[str] = "figure"
    number: int
    value: Value
    text: str
    interval: str = ""


@dataclass(frozen=True)
class Text:
    """Text in a cell. kind: label (faint), none (not run), code, em, or br (a line break)."""

    text: str
    kind: str


Cell = str | Shown | Text | Sequence["str | Shown | Text"]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its heading. name: for screen readers, if there is no
    caption. head: None for a table of facts, which has no column headings."""

    head: Sequence[str] | None
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    name: str = ""

    @property
    def numeric(self) -> frozenset[int]:
        """Columns with a figure, which are set to the right."""
        return frozenset(
            column
            for row in self.rows if self.head
            for column, cell in enumerate(row)
            if any(isinstance(part, Shown) for part in (cell if isinstance(cell, list) else [cell]))
        )  # fmt: skip


class Book:
    """Collects the figures of the page, in its order."""

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
        interval: Sequence[float] | None = None,
        n: int | None = None,
        unit: str = "",
        missing: str = NOT_RUN,
    ) -> Shown:
        """Adds a figure. style: percent, points, count, seconds, or a format specification such as
        `.3f`. missing: the text for a value that is None."""
        low, high = interval or (None, None)
        self.figures.append(Figure(section, item, value, low, high, n, unit, source))
        number, ends = len(self.figures) - 1, ""
        if value is None:
            return Shown(number, None, missing)
        if low is not None:
            ends = f"{written(low, style, end=True)} to {written(high, style, end=True)}"
        return Shown(number, value, written(value, style), ends)


@dataclass(frozen=True)
class Part:
    """A part of a document, whose figures share a section and the beginnings of their items and
    paths."""

    book: Book
    section: str
    document: Document
    item: str
    path: tuple = ()

    def __call__(
        self, item: str, style: str, *path: str | int, interval: bool = False, **more: Any
    ) -> Shown:
        """Adds the figure under `path`. interval: with the 95 % interval that stands beside it,
        under the key "interval". more: `Book.show`'s keywords."""
        whole = (*self.path, *path)
        value, source = self.document.at(*whole), self.document.pointer(*whole)
        item = ", ".join(filter(None, (self.item, item)))
        if interval and value is not None:
            more["interval"] = self.document.at(*whole[:-1], "interval")
        return self.book.show(self.section, item, value, style, source, **more)


def written(value: Value, style: str, end: bool = False) -> str:
    """A value as text; `end`: of an interval, without its unit."""
    if isinstance(value, str):
        return value
    if style == PERCENT:
        return f"{100 * value:.1f}" + ("" if end else " %")
    if style == POINTS:
        return f"{100 * value:+.1f}"
    if style == COUNT:
        return f"{value:,g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if style == SECONDS:
        return f"{value:,.0f} s" if value >= 10 else f"{value:.2g} s"
    return format(value, style)


def as_csv(figures: Sequence[Figure]) -> str:
    """A line for each figure; an empty value was not run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(Figure))
    writer.writerows(dataclasses.astuple(figure) for figure in figures)
    return text.getvalue()


def as_json(figures: Sequence[Figure], about: dict) -> str:
    """`about`, then the figures in the order of the page: entry i is `data-figure="i"`."""
    whole = {"format": FORMAT, **about, "figures": [dataclasses.asdict(f) for f in figures]}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
