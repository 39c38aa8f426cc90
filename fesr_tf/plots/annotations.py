"""Photographs annotated with face boxes and predicted probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from fesr_tf.plots.image_grids import font_of, pillow
from fesr_tf.plots.palette import BOXES, FAINT, INK, PAPER


def annotate(
    image: np.ndarray,
    boxes: Sequence[Sequence[float]],
    probabilities: np.ndarray,
    classes: Sequence[str],
    columns: int | None = None,
) -> np.ndarray:
    """A photograph, faces (left, top, right, bottom) and (N,K) probabilities -> uint8 (H,W,3).

    The copy (small photographs enlarged) carries numbered boxes with their labels; a panel at
    its right shows every face's distribution as bars. columns: so many columns of bars,
    whatever is found, so that the pictures of a film have one size; a face for which there is
    no room then has only its box.
    """
    photo = pillow(image).convert("RGB")
    scale = max(1.0, 480 / min(photo.size))
    if scale > 1:
        photo = photo.resize([round(side * scale) for side in photo.size])
    unit = max(14, min(photo.size) // 36)
    font, block = font_of(unit), round(unit * (1.5 * len(classes) + 3))
    down = max(1, photo.height // block)
    across = columns if columns is not None else -(-len(boxes) // down)
    column = max((font.getlength(name) for name in classes), default=0) + 14 * unit
    height = max(photo.height, block if across else 0)
    canvas = Image.new("RGB", (photo.width + round(column) * across, height), PAPER)
    canvas.paste(photo, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for i, (box, shares) in enumerate(zip(boxes, np.asarray(probabilities), strict=True)):
        colour = BOXES[i % len(BOXES)]
        best = int(np.argmax(shares))
        text = f"{i + 1}  {classes[best]} {shares[best]:.0%}"
        _box(draw, [v * scale for v in box], text, colour, font, photo.size)
        if i // down >= across:
            continue
        origin = (photo.width + round(column) * (i // down) + unit, (i % down) * block + unit)
        _bars(draw, origin, text, shares, classes, colour, unit)
    return np.asarray(canvas)


def _box(draw, box, text, colour, font, size) -> None:
    """A frame and its caption, kept inside the photograph of `size` (width, height)."""
    left, top, right, bottom = box
    line = max(2, round(font.size / 6))
    draw.rectangle((left, top, right, bottom), outline=colour, width=line)
    width, height = font.getlength(text) + font.size / 2, font.size * 1.4
    x = min(max(0, left), max(0, size[0] - width))
    y = top - height if top >= height else min(bottom, size[1] - height)
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    draw.text((x + font.size / 4, y + height / 2), text, INK, font, anchor="lm")


def _bars(draw, origin, text, shares, classes, colour, unit) -> None:
    """One face's distribution: a heading, then a bar and a percentage a class."""
    x, y = origin
    font = font_of(unit)
    draw.rectangle((x, y, x + unit * 0.7, y + unit), fill=colour)
    draw.text((x + unit, y + unit / 2), text, INK, font, anchor="lm")
    start = x + max(font.getlength(name) for name in classes) + unit / 2
    full = 8 * unit
    for k, (name, share) in enumerate(zip(classes, shares, strict=True)):
        middle = y + unit * (2.1 + 1.5 * k)
        draw.text((start - unit / 2, middle), name, INK, font, anchor="rm")
        half = unit * 0.5
        draw.rectangle((start, middle - half, start + full, middle + half), outline=FAINT)
        if share * full >= 1:
            draw.rectangle((start, middle - half, start + share * full, middle + half), colour)
        draw.text((start + full + unit / 3, middle), f"{share:.0%}", INK, font, anchor="lm")
