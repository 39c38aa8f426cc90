"""The sizes at which an image is searched for faces, and the mapping of boxes back to the image.

dlib's detector searches a pyramid of sizes, each 5/6 of the one before; it commonly starts at
twice the image's size, and nearly all of the time goes into the largest levels. Here the
image is first searched from one of the small levels on. A box found there above its finest
level is the box that the whole pyramid gives; one at the finest is coarse, because a finer
level might have fitted better, so the face is searched once more, alone, one level further down.
All of it lies on the grid of places and sizes of the whole pyramid: landmarks depend on the box
to the pixel, and so they are mostly identical.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pipelines.faces.chips import Box, window
from pipelines.media.images import to_gray

# Longer sides, roughly, of the reduced copies. The detector finds faces some 62 pixels wide,
# a quarter of the first copy's width. Cost grows with the square.
REDUCED_SIDES = (250, 360, 640, 1280)
# A copy hardly smaller than the next one up would cost as much and find little more.
_WORTH_REDUCING = 1.4
# No face fits in less; and a strip of millions of pixels would take gigabytes.
_SMALLEST_SIDE = 16
# 16 million pixels take a second. Of a larger image the "full" copy is reduced to this, and
# faces under about 1.5 % of its width are lost.
_MAX_FULL = 2**24
# Upsampling beyond this would cost seconds and hundreds of megabytes.
_MAX_UPSAMPLED = 4_000_000
_SMALLEST_PADDED = 320
_PAD = 0.4

# Of dlib's detector: a level's size to the next one's; the pixels of a cell; the cells of a
# box, which starts 3 pixels before a cell.
_STEP, _CELL, _CELLS, _BEFORE = 1.2, 8, 9, 3
# Level 0 is twice the image's size, level 4 is 0.96 of it.
_FULL_LEVEL = 4
# The level above a crop's own stays on the grid if the crop starts at a multiple of this.
_ALIGNED = 48
# At the finest level a face is found up to two levels too large, and the score shows how far: of
# 205 rendered and photographed faces one level off, three quarters scored above 0.9; of 77 two
# levels off, three quarters below 0.7. A value too high costs a larger crop, one too low the box.
_FAINT = 1.0
# Half of a close look's width in boxes: less cuts the detector's margin, more costs time.
_REACH = 0.75
# The same around a proposal, which is less exact than a detected box: of a part of a copy, where
# the face is small in it, and else.
_REACH_SMALL, _REACH_NEAR = 1.3, 1.0
# A proposal is too small for a copy if its box times this is: the network's box is up to a third
# too narrow, and at the finest level a face is found up to two levels too large.
_WIDER = 1.6
# One that is this much wider than the smallest face of a copy was missed in a coarser one already.
_FINER = 2.5


@dataclass(frozen=True, eq=False)
class Rung:
    """One attempt. gray: uint8 (h,w), the image to search.

    level, origin: `gray` is that level of the pyramid, or the part of it that starts at `origin`
    (x, y). Where level is None it is the image scaled by `factor` with `pad` pixels of border
    added, which the detector doubles `upsample` times.
    """

    name: str
    gray: np.ndarray
    level: int | None = None
    origin: tuple[int, int] = (0, 0)
    factor: float = 1.0
    pad: int = 0
    upsample: int = 0

    def source_box(self, box: Box) -> Box:
        """A box (left, top, right, bottom; edges included) found on `gray`, in the image."""
        if self.level is None:
            left, top, right, bottom = (value - self.pad for value in box)
            return (
                round(left / self.factor),
                round(top / self.factor),
                round((right + 1) / self.factor) - 1,
                round((bottom + 1) / self.factor) - 1,
            )
        steps = _steps(box)
        scale = _STEP**steps
        x, y = (
            round(((near + start - 1.5 * (scale - 1)) / scale + _BEFORE) / _CELL)
            for near, start in zip(box[:2], self.origin, strict=True)
        )
        level = self.level + steps
        return (
            grid_edge(x, level, 0),
            grid_edge(y, level, 1),
            grid_edge(x + _CELLS, level, 0),
            grid_edge(y + _CELLS, level, 1),
        )

    def closer_level(self, box: Box, score: float) -> int | None:
        """The finest level that might fit better than a box found on `gray` with the detector's
        `score` (0 to about 3); None if this one was searched with finer ones beside it."""
        if not self.level or _steps(box) > 0:
            return None
        return max(0, self.level - (2 if score < _FAINT else 1))


def ladder(image: np.ndarray) -> Iterator[Rung]:
    """The attempts for one uint8 (H,W) or (H,W,3) image, cheapest first, computed lazily.

    small: longer side about 250, 360, 640, 1280, where the image is clearly larger; full: 96 %
    of its size, up to 16 million pixels; upsampled: twice as large, up to 4 million; padded:
    borders repeated by 40 % of the shorter side, for faces cut by them. None for an image less
    than 16 pixels high or wide.
    """
    height, width = image.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        return
    longer = max(height, width)
    *reduced, full = copy_levels((width, height))
    for level in reduced:
        yield Rung("small", scaled(image, level_size((width, height), level)), level)
    yield Rung("full", scaled(image, level_size((width, height), full)), full)
    if 4 * height * width <= _MAX_UPSAMPLED:
        yield Rung("upsampled", to_gray(image), upsample=1)
    border = 2 * _PAD * min(height, width)
    bound = math.sqrt(_MAX_UPSAMPLED / ((height + border) * (width + border)))
    factor = min(max(1.0, _SMALLEST_PADDED / longer), bound)
    copy = scaled(image, (max(1, round(width * factor)), max(1, round(height * factor))))
    pad = max(1, round(_PAD * min(copy.shape)))
    yield Rung("padded", np.pad(copy, pad, mode="edge"), factor=factor, pad=pad)


def copy_levels(size: tuple[int, int]) -> list[int]:
    """The pyramid's levels of the copies "small" and "full" of an image of (width, height)."""
    longer = max(size)
    reduced = [
        round(math.log(2 * longer / side, _STEP))
        for side in REDUCED_SIDES
        if longer >= _WORTH_REDUCING * side
    ]
    over = math.log(max(1.0, size[0] * size[1] / _MAX_FULL), _STEP**2)
    return [*reduced, _FULL_LEVEL + math.ceil(over)]


class Copies:
    """The parts of an image's copies in which the ladder would find a face near a proposed box.

    image: uint8 (H,W) or (H,W,3). Holds each copy that was needed.
    """

    def __init__(self, image: np.ndarray) -> None:
        self._image = image
        self._size = image.shape[1], image.shape[0]
        self._copies: dict[int, np.ndarray] = {}

    def near(self, box: Box) -> Iterator[Rung]:
        """The parts around a box (about as the detector would place it), coarsest copy first,
        those that may show its face large enough and no larger than they need to; the last is
        twice the image's size."""
        if min(self._size) < _SMALLEST_SIDE:
            return
        *reduced, full = copy_levels(self._size)
        coarsest, width = (*reduced, full)[0], box[2] - box[0]
        for level in (*reduced, full, 0):
            smallest = grid_edge(_CELLS, level, 0) - grid_edge(0, level, 0)
            too_small = level > 0 and smallest > _WIDER * width
            if too_small or (level != coarsest and width > _FINER * smallest):
                continue
            if level in reduced:
                yield self._part(box, level, fine=width < _STEP**2 * smallest)
            else:
                name = "full" if level else "upsampled"
                yield replace(closeup(self._image, box, level, _REACH_NEAR), name=name)

    def _part(self, box: Box, level: int, fine: bool) -> Rung:
        """Pixel for pixel a part of the copy."""
        if level not in self._copies:
            self._copies[level] = scaled(self._image, level_size(self._size, level))
        copy = self._copies[level]
        # The face of a wide box is found some levels above, which must stay on the grid.
        step = _ALIGNED if fine else 6 * _ALIGNED
        scale = (copy.shape[1] - 1) / max(1, self._size[0] - 1)
        reach = (_REACH_SMALL if fine else _REACH_NEAR) * (box[2] - box[0])
        low, high = [], []
        for near, far, side in zip(box[:2], box[2:], copy.shape[::-1], strict=True):
            centre = (near + far) / 2
            low.append(max(0, math.floor((centre - reach) * scale / step) * step))
            high.append(min(side, math.ceil((centre + reach) * scale)))
        part = copy[low[1] : high[1], low[0] : high[0]]
        return Rung("small", np.ascontiguousarray(part), level, (low[0], low[1]))


def closeup(image: np.ndarray, box: Box, level: int, reach: float = _REACH) -> Rung:
    """The part of the pyramid's `level` (and, on it, of the one above) that shows the face in
    `box`, in the image's pixels, with the margin that the detector needs: `reach` boxes to each
    side of its centre."""
    left, top, right, bottom = box
    reach *= right - left
    size = image.shape[1], image.shape[0]
    origin, extent, edges, inner = [], [], [], []
    for near, far, side, scaled_side in zip(
        (left, top), (right, bottom), size, level_size(size, level), strict=True
    ):
        # dlib's resizing maps corner pixels onto corner pixels.
        scale = max(1, scaled_side - 1) / max(1, side - 1)
        centre = (near + far) / 2
        start = math.floor((centre - reach) * scale / _ALIGNED) * _ALIGNED
        length = math.ceil((centre + reach) * scale) - start
        # PIL counts from a pixel's corner, the grid from its centre.
        low = (start - 0.5) / scale + 0.5
        first = math.floor(low) - 2
        origin.append(start)
        extent.append(length)
        edges.append((first, math.ceil(low + length / scale) + 2))
        inner.append((low - first, low - first + length / scale))
    (x0, x1), (y0, y1) = edges
    part = Image.fromarray(to_gray(window(image, (x0, y0, x1, y1))))
    (x0, x1), (y0, y1) = inner
    crop = part.resize((extent[0], extent[1]), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
    return Rung("close", np.asarray(crop), level, (origin[0], origin[1]))


def level_size(size: tuple[int, int], level: int) -> tuple[int, int]:
    """Width and height of a level of dlib's pyramid over an image of (width, height)."""
    width, height = 2 * size[0], 2 * size[1]
    for _ in range(level):
        width, height = max(1, 5 * width // 6), max(1, 5 * height // 6)
    return width, height


def grid_edge(cell: int, level: int, axis: int) -> int:
    """Where, x (axis 0) or y (1), a box that starts at `cell` of a pyramid's level begins in
    the image, by the mappings and roundings of dlib's detector with upsampling 1."""
    scale = _STEP**level
    upsampled = math.floor((_CELL * cell - _BEFORE) * scale + 1.5 * (scale - 1) + 0.5)
    return math.floor(upsampled / 2 - (1.25, 0.75)[axis] + 0.5)


def scaled(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H,W[,3]) as gray (height, width) of `size` (width, height): whole-number averages,
    then bilinear. A third of Lanczos' cost, and the detector finds as many faces."""
    if image.shape[1::-1] == size:
        return to_gray(image)
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
    return np.asarray(small.convert("L"))


def area(box: Box) -> int:
    """In pixels, edges included."""
    left, top, right, bottom = box
    return max(0, right - left + 1) * max(0, bottom - top + 1)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    low, high = map(max, one[:2], other[:2]), map(min, one[2:], other[2:])
    common = area((*low, *high))
    return common / max(1, area(one) + area(other) - common)


def _steps(box: Box) -> int:
    """How many levels above the finest a box was found."""
    return round(math.log((box[2] - box[0] + 1) / (_CELL * _CELLS + 1), _STEP))
