"""Charts for people: bars with intervals, points of two kinds, sheets joined into one.

Pure functions to uint8 (H,W,3) arrays, drawn with Pillow like `fesr_tf.plots.image_grids`,
at four times their size and halved, so that edges are smooth and letters large enough to print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fesr_tf.plots.image_grids import FAINT, INK, PAPER

# Okabe and Ito (2008): told apart with the common kinds of colour blindness, and printed.
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (204, 121, 167),
    (0, 114, 178),
    (213, 94, 0),
    (0, 0, 0),
    (240, 228, 66),
)
BAR = (143, 178, 222)  # light enough for the line of its interval
SCALE, SHRUNK = 4, 2
TEXT, SMALL, TITLE = 14, 12, 18


@dataclass(frozen=True)
class Bar:
    """One bar. Shares in [0, 1]; `value` is None where there is nothing to show."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    dots: Sequence[float]
    note: str  # below the name


class _Sheet:
    """A white sheet of width × height units to draw on, (0, 0) at its top left."""

    def __init__(self, width: float, height: float):
        size = (round(width) * SCALE, round(height) * SCALE)
        self.canvas = Image.new("RGB", size, PAPER)
        self.draw = ImageDraw.Draw(self.canvas)

    def text(self, x: float, y: float, text: str, size: float = TEXT, anchor: str = "mm") -> None:
        self.draw.text((x * SCALE, y * SCALE), text, INK, _font(size), anchor=anchor)

    def line(self, *ends: float, colour=INK, width: float = 1) -> None:
        self.draw.line([end * SCALE for end in ends], colour, round(width * SCALE))

    def box(self, *corners: float, fill=None, outline=None) -> None:
        self.draw.rectangle([each * SCALE for each in corners], fill, outline, SCALE)

    def circle(self, x: float, y: float, radius: float, fill=None, outline=None) -> None:
        corners = [(each + by) * SCALE for by in (-radius, radius) for each in (x, y)]
        self.draw.ellipse(corners, fill, outline, SCALE)

    def triangle(self, x: float, y: float, radius: float, colour) -> None:
        """A hollow one: white inside a colour inside a thin dark edge."""
        for size, fill in ((radius, INK), (radius - 1, colour), (radius - 3.6, PAPER)):
            corners = [
                (x, y - size),
                (x - 0.87 * size, y + size / 2),
                (x + 0.87 * size, y + size / 2),
            ]
            self.draw.polygon([(a * SCALE, b * SCALE) for a, b in corners], fill)

    def picture(self) -> np.ndarray:
        return np.asarray(self.canvas.reduce(SCALE // SHRUNK))


def bars(
    shown: Sequence[Bar], title: str, level: float | None = None, named: str = ""
) -> np.ndarray:
    """Shares as bars from 0 to 100 %, with their intervals and a dot for each part of them.

    `level`, a dashed line over all bars, is called `named`.
    """
    slot, high, left, top, margin = 108, 300, 56, 64, 14
    width = left + slot * len(shown) + margin + (_width(named, SMALL) + 6 if named else 0)
    sheet = _Sheet(max(width, _width(title, TITLE) + 2 * margin), top + high + 62)
    right, bottom = left + slot * len(shown), top + high

    def y(share: float) -> float:
        return bottom - high * share

    sheet.text(margin, margin, title, TITLE, "la")
    for per_cent in range(0, 101, 20):
        sheet.line(left, y(per_cent / 100), right, y(per_cent / 100), colour=FAINT)
        sheet.text(left - 6, y(per_cent / 100), f"{per_cent} %", SMALL, "rm")
    for i, bar in enumerate(shown):
        x = left + slot * (i + 0.5)
        sheet.text(x, bottom + 16, bar.name)
        sheet.text(x, bottom + 36, bar.note, SMALL)
        if bar.value is None:
            sheet.text(x, bottom - 14, "not run")
            continue
        sheet.box(x - 30, y(bar.value), x + 30, bottom, fill=BAR)
        for j, dot in enumerate(bar.dots):
            across = x + 40 * ((j + 0.5) / len(bar.dots) - 0.5)
            sheet.circle(across, y(dot), 3.5, PAPER, INK)
        ends = bar.interval or (bar.value, bar.value)
        if bar.interval:
            sheet.line(x, y(ends[0]), x, y(ends[1]), width=2)
            for end in ends:
                sheet.line(x - 8, y(end), x + 8, y(end), width=2)
        highest = max(bar.value, ends[1], *bar.dots) if bar.dots else max(bar.value, ends[1])
        sheet.text(x, y(highest) - 14, f"{100 * bar.value:.1f}")
    if level is not None:
        for x in np.arange(left, right, 10):
            sheet.line(x, y(level), min(x + 5, right), y(level))
        sheet.text(right + 6, y(level), named, SMALL, "lm")
    sheet.line(left, bottom, right, bottom)
    return sheet.picture()


def points(
    places: np.ndarray, labels: np.ndarray, drawn: np.ndarray, title: str, notes: Sequence[str] = ()
) -> np.ndarray:
    """A square of points without axes: places (N,2), coloured by labels int (N,).

    bool (N,) `drawn` makes a hollow triangle of a point, the others are discs. The colours repeat
    after as many labels as `PALETTE` has. Below stand `notes`, a line each.
    """
    side, margin, top = 380, 12, 40
    sheet = _Sheet(side + 2 * margin, top + side + 20 * len(notes) + margin)
    sheet.text(margin, margin, title, TEXT, "la")
    sheet.box(margin, top, margin + side, top + side, outline=FAINT)
    places = np.asarray(places, np.float64)
    low, high = places.min(0), places.max(0)
    unit = (side - 28) / max(float((high - low).max()), 1e-9)
    middle = np.array([margin + side / 2, top + side / 2])
    spots = middle + (places - (low + high) / 2) * unit
    # Neither kind always lies on top of the other.
    for i in np.random.default_rng(0).permutation(len(spots)):
        _mark(sheet, *spots[i], bool(drawn[i]), PALETTE[labels[i] % len(PALETTE)])
    for i, note in enumerate(notes):
        sheet.text(margin, top + side + 16 + 20 * i, note, SMALL, "lm")
    return sheet.picture()


def legend(
    classes: Sequence[str], kinds: tuple[str, str], columns: int, width: float
) -> np.ndarray:
    """What the marks of `points` mean: a colour a class, then disc and triangle, in `columns`."""
    entries = len(classes) + len(kinds)
    sheet = _Sheet(width, 22 * -(-entries // columns) + 8)
    for i, name in enumerate([*classes, *kinds]):
        x, y = 18 + (i % columns) * (width - 18) / columns, 15 + 22 * (i // columns)
        if i < len(classes):
            sheet.box(x - 6, y - 6, x + 6, y + 6, fill=PALETTE[i % len(PALETTE)])
        else:
            _mark(sheet, x, y, i > len(classes), INK)
        sheet.text(x + 14, y, name, TEXT, "lm")
    return sheet.picture()


def stacked(sheets: Sequence[np.ndarray], title: str = "", size: int = TITLE) -> np.ndarray:
    """uint8 (H,W,3) pictures below each other, at the left, under a title of `size` pixels."""
    head = 2 * size + 4 if title else 0
    width = max([*(sheet.shape[1] for sheet in sheets), _width(title, size) + 20 if title else 0])
    canvas = Image.new("RGB", (width, head + sum(len(sheet) for sheet in sheets)), PAPER)
    if title:
        font = ImageFont.load_default(size)
        ImageDraw.Draw(canvas).text((10, head // 2), title, INK, font, anchor="lm")
    y = head
    for sheet in sheets:
        canvas.paste(Image.fromarray(sheet), (0, y))
        y += len(sheet)
    return np.asarray(canvas)


def beside(sheets: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 (H,W,3) pictures beside each other, at the top."""
    height, width = max(map(len, sheets)), sum(sheet.shape[1] for sheet in sheets)
    canvas = Image.new("RGB", (width, height), PAPER)
    x = 0
    for sheet in sheets:
        canvas.paste(Image.fromarray(sheet), (x, 0))
        x += sheet.shape[1]
    return np.asarray(canvas)


def _mark(sheet: _Sheet, x: float, y: float, drawn: bool, colour) -> None:
    if drawn:
        sheet.triangle(x, y, 7.5, colour)
    else:
        sheet.circle(x, y, 4, colour, INK)


def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size * SCALE)


def _width(text: str, size: float) -> int:
    return round(ImageFont.load_default(size).getlength(text))
