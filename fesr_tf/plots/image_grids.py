"""Pictures for people: labelled grids, confusion matrices, annotated photographs.

Pure functions from arrays to uint8 (H,W,3) arrays; nothing here reads or writes a file.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, FAINT, PAPER = (34, 34, 34), (215, 219, 224), (255, 255, 255)
ACCENT = (31, 90, 166)
# Distinct on photographs and for the common kinds of colour blindness (Okabe and Ito).
BOX_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))


def png(image: np.ndarray) -> bytes:
    """uint8 (H,W), (H,W,1) or (H,W,3) -> the bytes of a PNG file."""
    buffer = io.BytesIO()
    _pillow(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H,W), (H,W,1) or (H,W,3) -> uint8 (size,size,3), bicubic."""
    picture = _pillow(image).convert("RGB")
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
    font, bold = _font(14), _font(18)
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
                canvas.paste(_pillow(enlarge(face, cell)), (left + j * (cell + gap), y))
    return np.asarray(canvas)


def confusion_figure(
    confusion: np.ndarray, classes: Sequence[str], title: str = "", note: str = ""
) -> np.ndarray:
    """int (K,K), rows true -> uint8 (H,W,3): counts, each row's shares, recall at the right."""
    confusion = np.asarray(confusion, np.int64)
    font, small, bold = _font(14), _font(12), _font(18)
    cell, margin = 64, 14
    longest = max(int(font.getlength(name)) for name in classes)
    left, top = margin + 26 + longest + 8, margin + 30 + 26 + 24
    size = cell * len(classes)
    texts = max(bold.getlength(title), small.getlength(note))
    width = max(left + size + cell + margin, int(texts) + 2 * margin)
    canvas = Image.new("RGB", (width, top + size + 30 + margin), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((margin, margin), title, INK, bold)
    draw.text((left + size / 2, top - 34), "predicted", INK, font, anchor="ms")
    draw.text((left + size + cell / 2, top - 10), "recall", INK, font, anchor="ms")
    _vertical_text(canvas, "true", (margin, top + size // 2), font)
    for k, name in enumerate(classes):
        middle = k * cell + cell / 2
        fitted = _fitted(name, cell - 2)
        draw.text((left + middle, top - 10), name, INK, fitted, anchor="ms")
        draw.text((left - 8, top + middle), name, INK, font, anchor="rm")
        total = confusion[k].sum()
        recall = f"{confusion[k, k] / total:.0%}" if total else "-"
        draw.text((left + size + cell / 2, top + middle), recall, INK, font, anchor="mm")
        for j, count in enumerate(confusion[k]):
            share = count / total if total else 0.0
            x, y = left + j * cell, top + k * cell
            fill = tuple(round(p + (a - p) * share) for p, a in zip(PAPER, ACCENT, strict=True))
            draw.rectangle((x, y, x + cell, y + cell), fill, FAINT)
            if count:
                ink = PAPER if share > 0.5 else INK
                draw.text((x + cell / 2, y + cell / 2 - 8), str(count), ink, font, anchor="mm")
                text = f"{share:.0%}"
                draw.text((x + cell / 2, y + cell / 2 + 11), text, ink, small, anchor="mm")
    draw.text((margin, top + size + 12), note, INK, small)
    return np.asarray(canvas)


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
    photo = _pillow(image).convert("RGB")
    scale = max(1.0, 480 / min(photo.size))
    if scale > 1:
        photo = photo.resize([round(side * scale) for side in photo.size])
    unit = max(14, min(photo.size) // 36)
    font, block = _font(unit), round(unit * (1.5 * len(classes) + 3))
    down = max(1, photo.height // block)
    across = columns if columns is not None else -(-len(boxes) // down)
    column = max((font.getlength(name) for name in classes), default=0) + 14 * unit
    height = max(photo.height, block if across else 0)
    canvas = Image.new("RGB", (photo.width + round(column) * across, height), PAPER)
    canvas.paste(photo, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for i, (box, shares) in enumerate(zip(boxes, np.asarray(probabilities), strict=True)):
        colour = BOX_COLOURS[i % len(BOX_COLOURS)]
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
    font = _font(unit)
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


def _vertical_text(canvas: Image.Image, text: str, at: tuple[int, int], font) -> None:
    """Text read from below, its left edge at x and its middle at y."""
    strip = Image.new("RGB", (int(font.getlength(text)) + 2, 18), PAPER)
    ImageDraw.Draw(strip).text((1, 9), text, INK, font, anchor="lm")
    strip = strip.rotate(90, expand=True)
    canvas.paste(strip, (at[0], at[1] - strip.height // 2))


def _pillow(image: np.ndarray) -> Image.Image:
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"pictures are uint8, not {image.dtype}")
    return Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image)


def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _fitted(text: str, width: float) -> ImageFont.FreeTypeFont:
    """The largest font of 8 to 14 pixels in which `text` is at most `width` pixels wide."""
    for size in range(14, 8, -1):
        if _font(size).getlength(text) <= width:
            return _font(size)
    return _font(8)
