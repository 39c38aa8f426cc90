"""The report's charts by matplotlib, as SVG in the page's own colour: readable on dark pages too.

They are plotted for a phone's width and scale with the page. Markers and clipping are avoided:
they would need ids, which must differ between all charts of a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fesr_tf.plots.charts import styled, svg
from fesr_tf.plots.palette import COLOURS, INK

DASHES = ("-", (0, (5, 2)), (0, (2, 2)), (0, (7, 2, 2, 2)), (0, (1, 3)), (0, (9, 3)), (0, (4, 4)))


@dataclass(frozen=True)
class Row:
    """A variant's accuracy: value and interval are shares in [0, 1], or None if it was not run.
    points: the accuracies of its folds. figure: the value's number in the book. text: what is
    written beside it."""

    name: str
    value: float | None
    interval: Sequence[float] | None
    points: Sequence[float]
    figure: int
    text: str


@styled
def accuracies(rows: Sequence[Row], title: str) -> Markup:
    """A dot for each value with its interval, and a small dot for each fold below it. The axis
    begins at 0 unless everything exceeds a half."""
    figure, axes = _chart(4.4, 0.36 * len(rows) + 0.6)
    shares = [v for r in rows for v in (r.value, *(r.interval or ()), *r.points) if v is not None]
    low = 0 if not shares or min(shares) <= 0.5 else int(20 * min(shares)) * 5
    high = min(100, 100 * max(shares, default=1) + 5)
    for y, row in enumerate(rows):
        colour = COLOURS[y % len(COLOURS)]
        if row.interval:
            axes.hlines(y, *(100 * end for end in row.interval), INK, linewidth=1.4, clip_on=False)
        if row.value is not None:
            _dot(axes, 100 * row.value, y, 7, colour)
        for point in row.points:
            _dot(axes, 100 * point, y + 0.28, 3, INK)
        right = max((v for v in (row.value, *(row.interval or ())) if v is not None), default=0)
        number = axes.annotate(
            row.text, (100 * right, y), (7, 0), textcoords="offset points", va="center"
        )
        number.set_gid(f"value-{row.figure}")
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("accuracy, %" + (f" (the axis begins at {low})" if low else ""))
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    _grid(axes, "x")
    return _embedded(figure, title)


@styled
def curves(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    order: Sequence[str],
    title: str,
    span: tuple[float, float] | None = None,
) -> Markup:
    """Values over iterations, a line for each name; its place in `order` gives its colour and
    dashes. span: the ends of the y axis, as of a share."""
    figure, axes = _chart(3.6, 2.0)
    for name, points in lines.items():
        colour, dashes = stroke(order, name)
        if len(points) > 1:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=dashes, clip_on=False)
        else:
            _dot(axes, *points[0], 5, colour)
    axes.set_xlabel("iteration")
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    axes.yaxis.get_major_locator().set_params(nbins=5)
    axes.ticklabel_format(useOffset=False)
    axes.margins(x=0)
    if span:
        axes.set_ylim(span)
    _grid(axes, "y")
    return _embedded(figure, title)


@styled
def swatch(order: Sequence[str], name: str) -> Markup:
    """A short piece of a line of `curves`, for a legend."""
    colour, dashes = stroke(order, name)
    figure = Figure(figsize=(0.4, 0.12))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 1], [0, 0], color=colour, linestyle=dashes, linewidth=2.4, clip_on=False)
    return _embedded(figure, name)


def stroke(order: Sequence[str], name: str) -> tuple[str, str | tuple]:
    """The colour and the dashes of a line."""
    place = order.index(name)
    return COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]


def _chart(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _dot(axes: Axes, x: float, y: float, size: float, colour: str) -> None:
    """A line of length 0 with round ends."""
    axes.plot([x, x], [y, y], color=colour, linewidth=size, solid_capstyle="round", zorder=3,
              clip_on=False)  # fmt: skip


def _grid(axes: Axes, axis: str) -> None:
    # Ticks of length 0: those of matplotlib are markers.
    axes.tick_params(length=0)
    axes.grid(axis=axis, color=INK, alpha=0.2, clip_on=False)
    axes.spines[:].set_visible(False)


def _embedded(figure: Figure, title: str) -> Markup:
    """The chart; a `set_gid("value-7")` becomes data-figure="7", as on every value of the page."""
    return Markup(re.sub(r'id="value-(\d+)"', r'data-figure="\1"', svg(figure, title)))
