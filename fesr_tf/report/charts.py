"""Charts as inline SVG: text and axes in the page's own colour, so that they hold in the dark.

They are drawn 360 units wide, about a phone's width, and grow with the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

WIDTH = 360
# Told apart by the common kinds of colour blindness (Okabe and Ito), on white and on black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")
DASHES = ("", "5 2", "2 2", "7 2 2 2", "1 3", "9 3", "4 4")


class Bar(NamedTuple):
    """A bar of `intervals`: shares in [0, 1]; points: single ones, as folds; figure: its number
    in the book; text: what is written beside it."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    points: Sequence[float]
    figure: int | None
    text: str


def intervals(bars: Sequence[Bar], title: str) -> str:
    """Lying bars of shares with their intervals, and a circle a fold. Where everything is above
    a half the axis begins later, and dots stand for bars, which have to begin at 0."""
    left, right, row, top = 92, 40, 26, 6
    wide = WIDTH - left - right
    shown = [v for b in bars for v in (b.low, b.high, b.value, *b.points) if v is not None]
    zoomed = bool(shown) and min(shown) > 0.5
    ticks = nice_ticks(min(shown) if zoomed else 0.0, min(1.0, max([0.1, *shown])))
    base = top + row * len(bars)

    def x(value: float) -> float:
        return left + wide * (value - ticks[0]) / (ticks[-1] - ticks[0])

    shapes = []
    for tick in ticks:
        shapes.append(_line(x(tick), top, x(tick), base, "0.25"))
        shapes.append(_text(x(tick), base + 14, f"{100 * tick:.3g}", "middle"))
    since = f", from {100 * ticks[0]:.3g}" if zoomed else ""
    shapes.append(_text(left + wide / 2, base + 28, f"accuracy, %{since}", "middle"))
    for index, bar in enumerate(bars):
        middle = top + row * index + row / 2
        shapes.append(_text(left - 6, middle + 4, bar.label, "end"))
        if bar.value is None:
            shapes.append(_text(left + 6, middle + 4, bar.text, "start", bar.figure))
            continue
        shapes.append(_text(WIDTH, middle + 4, bar.text, "end", bar.figure))
        colour, end = COLOURS[index % len(COLOURS)], x(bar.value)
        if not zoomed:
            shapes.append(
                f'<rect x="{left}" y="{middle - 8:.1f}" width="{end - left:.1f}" height="16" '
                f'fill="{colour}" fill-opacity="0.7"/>'
            )
        if bar.low is not None and bar.high is not None:
            low, high = x(bar.low), x(bar.high)
            shapes.append(_line(low, middle, high, middle, "1", "1.5"))
            shapes += [_line(at, middle - 4, at, middle + 4, "1", "1.5") for at in (low, high)]
        if zoomed:
            shapes.append(f'<circle cx="{end:.1f}" cy="{middle:.1f}" r="5" fill="{colour}"/>')
        for point in bar.points:
            shapes.append(
                f'<circle cx="{x(point):.1f}" cy="{middle + 7:.1f}" r="2" fill="none" '
                'stroke="currentColor"/>'
            )
    return _svg(base + 34, title, shapes)


def curves(lines: Mapping[str, Sequence[tuple[float, float]]], order: Sequence[str], title: str,
           span: tuple[float, float] | None = None) -> str:  # fmt: skip
    """Lines over steps; `order` gives each name its colour and dashes. span: the ends of y where
    they are known, as of a share."""
    points = [point for line in lines.values() for point in line]
    height, left, right, top, bottom = 200, 54, 8, 8, 22
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    lowest, highest = min(p[1] for p in points), max(p[1] for p in points)
    ticks = nice_ticks(*(span or (lowest, highest)))
    low, high = ticks[0], ticks[-1]
    wide, tall = WIDTH - left - right, height - top - bottom

    def x(step: float) -> float:
        return left + (wide * (step - first) / (last - first) if last > first else wide / 2)

    def y(value: float) -> float:
        return top + tall * (1 - (value - low) / (high - low))

    shapes = []
    for tick in ticks:
        shapes.append(_line(left, y(tick), WIDTH - right, y(tick), "0.25"))
        shapes.append(_text(left - 5, y(tick) + 4, ticked(tick, ticks), "end"))
    if last > first:
        shapes.append(_text(left, height - 6, f"{first:,.0f}", "start"))
        shapes.append(_text(WIDTH - right, height - 6, f"{last:,.0f}", "end"))
    middle = "iteration" if last > first else f"iteration {first:,.0f}"
    shapes.append(_text(left + wide / 2, height - 6, middle, "middle"))
    for name, line in lines.items():
        colour, dash = stroke(order, name)
        if len(line) == 1:
            (step, value), *_ = line
            shapes.append(f'<circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>')
            continue
        path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in line)
        shapes.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'
        )
    return _svg(height, title, shapes)


def legend(order: Sequence[str]) -> str:
    """What the lines of `curves` are."""
    entries = []
    for name in order:
        colour, dash = stroke(order, name)
        mark = (
            '<svg width="28" height="10" viewBox="0 0 28 10" aria-hidden="true">'
            f'<line x1="0" y1="5" x2="28" y2="5" stroke="{colour}" stroke-width="2.5"{dash}/></svg>'
        )
        entries.append(f"<li>{mark}{escape(name)}</li>")
    return f'<ul class="legend">{"".join(entries)}</ul>'


def stroke(order: Sequence[str], name: str) -> tuple[str, str]:
    """The colour of a line and the attribute of its dashes."""
    index = order.index(name)
    dash = DASHES[index % len(DASHES)]
    return COLOURS[index % len(COLOURS)], f' stroke-dasharray="{dash}"' if dash else ""


def nice_ticks(low: float, high: float, parts: int = 5) -> list[float]:
    """Round numbers, evenly spaced, the first at most `low` and the last at least `high`."""
    room = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(room / parts))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * parts >= room)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def ticked(value: float, ticks: Sequence[float]) -> str:
    """A tick with as many places as tell it from its neighbour."""
    places = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return f"{value:,.{places}f}"


def _svg(height: float, title: str, shapes: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH * 2}" role="img" '
        f'aria-label="{escape(title)}">{"".join(shapes)}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, opacity: str, width: str = "1") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" '
        f'stroke-opacity="{opacity}" stroke-width="{width}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, figure: int | None = None) -> str:
    number = "" if figure is None else f' data-figure="{figure}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{number}>{escape(text)}</text>'
