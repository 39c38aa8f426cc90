"""Labelled grids of face images, pixel by pixel: pure functions on uint8 arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fesr_tf.plots.palette import INK, PAPER


def png(image: np.ndarray) -> bytes:
    """uint8 (H,W), (H,W,1) or (H,W,3) -> the bytes of a PNG file."""
    buffer = io.BytesIO()
    pillow(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H,W), (H,W,1) or (H,W,3) -> uint8 (size,size,3), bicubic."""
    picture = pillow(image).convert("RGB")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    title: str = "",
    cell: int = 128,
) -> np.ndarray:
    """Rows of uint8 faces (None leaves a gap) -> one labelled picture, uint8 (H,W,3).

    `columns` are written above the columns and `labels` left of the rows; each face is
    brought to `cell` pixels. Raises ValueError where the labels do not fit the rows.
    """
    width = max((len(row) for row in rows), default=0)
    if (columns and len(columns) != width) or (labels and len(labels) != len(rows)):
        raise ValueError(f"{len(columns)} × {len(labels)} labels for {width} × {len(rows)} faces")
    font, bold = font_of(14), font_of(18)
    gap, margin = 4, 10
    left = margin + (max(int(font.getlength(text)) for text in labels) + 10 if labels else 0)
    top = margin + (30 if title else 0) + (24 if columns else 0)
    canvas = Image.new(
        "RGB",
        (
            max(left + width * (cell + gap) + margin, int(bold.getlength(title)) + 2 * margin),
            top + len(rows) * (cell + gap) + margin,
        ),
        PAPER,
    )
    draw = ImageDraw.Draw(canvas)
    if title:
        draw.text((margin, margin), title, INK, bold)
    for j, text in enumerate(columns):
        middle = left + j * (cell + gap) + cell / 2
        draw.text((middle, top - 8), text, INK, font, anchor="ms")
    for i, row in enumerate(rows):
        y = top + i * (cell + gap)
        if labels:
            draw.text((left - 10, y + cell / 2), labels[i], INK, font, anchor="rm")
        for j, face in enumerate(row):
            if face is not None:
                canvas.paste(pillow(enlarge(face, cell)), (left + j * (cell + gap), y))
    return np.asarray(canvas)


def stacked(images: Sequence[np.ndarray], title: str = "") -> np.ndarray:
    """uint8 (H,W,3) images below each other, aligned at the left, under a title."""
    font, head = font_of(18), 40 if title else 0
    width = max(round(font.getlength(title)) + 20 if title else 0, *(i.shape[1] for i in images))
    canvas = Image.new("RGB", (width, head + sum(map(len, images))), PAPER)
    ImageDraw.Draw(canvas).text((10, head // 2), title, INK, font, anchor="lm")
    for image in images:
        canvas.paste(Image.fromarray(image), (0, head))
        head += len(image)
    return np.asarray(canvas)


def pillow(image: np.ndarray) -> Image.Image:
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"pictures are uint8, not {image.dtype}")
    return Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image)


def font_of(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
