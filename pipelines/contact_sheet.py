"""One picture of what was aligned: up to a hundred chips, a row of them for each class."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.alignment import EYE_ROW
from pipelines.examples import CHIP_SIZE, Record

NAME = "contact_sheet.png"
_MOST_FACES = 96
_COLUMNS = 12
_FOOTER = f"The line is at row {EYE_ROW} of {CHIP_SIZE}, where the eyes should be."
_GAP = 4
_TEXT, _SMALL_TEXT = 18, 12
_BACKGROUND, _INK, _LINE = "#ffffff", "#202020", "#00b4ff"


def choose(keys_by_class: dict[str, list[str]], classes: Sequence[str]) -> dict[str, list[str]]:
    """Evenly spaced keys of every class, at most about a hundred in all.

    Keys carry the subject, so that even spacing in their order spreads over the people.
    """
    share = max(1, _MOST_FACES // max(1, len(classes)))
    chosen = {}
    for name in classes:
        keys = sorted(keys_by_class.get(name, []))
        if keys:
            places = np.linspace(0, len(keys) - 1, min(share, len(keys)))
            chosen[name] = [keys[int(place)] for place in places]
    return chosen


def draw(chosen: dict[str, list[str]], records: Iterable[Record], title: str) -> bytes:
    """PNG bytes of the sheet: labelled rows for each class, a line across every chip at row
    40, where the eyes should be. `records` may hold more than was chosen."""
    wanted = {key for keys in chosen.values() for key in keys}
    found = {record.key: record for record in records if record.key in wanted}
    large, small = ImageFont.load_default(_TEXT), ImageFont.load_default(_SMALL_TEXT)
    rows = [
        (name if start == 0 else "", keys[start : start + _COLUMNS])
        for name, keys in chosen.items()
        for start in range(0, len(keys), _COLUMNS)
    ]
    margin = 16 + max(int(large.getlength(name)) for name in chosen)
    top, pitch = _TEXT + 5 * _GAP, CHIP_SIZE + _TEXT + _GAP
    columns = max(len(keys) for _, keys in rows)
    texts = (large.getlength(title), small.getlength(_FOOTER))
    width = max(margin + columns * (CHIP_SIZE + _GAP) + _GAP, int(max(texts)) + 24)
    height = top + len(rows) * pitch + 3 * _GAP + _SMALL_TEXT
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((8, 2 * _GAP), title, fill=_INK, font=large)
    for row, (name, keys) in enumerate(rows):
        y = top + row * pitch
        pen.text((8, y + EYE_ROW), name, fill=_INK, font=large, anchor="lm")
        for column, key in enumerate(keys):
            x = margin + column * (CHIP_SIZE + _GAP)
            sheet.paste(_marked(found[key].image), (x, y))
            caption = _shortened(found[key].subject, small)
            pen.text((x, y + CHIP_SIZE + 2), caption, fill=_INK, font=small)
    pen.text((8, height - _SMALL_TEXT), _FOOTER, fill=_INK, font=small, anchor="lm")
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _marked(png: bytes) -> Image.Image:
    chip = Image.open(io.BytesIO(png)).convert("RGB")
    band = (0, EYE_ROW, CHIP_SIZE, EYE_ROW + 1)
    line = Image.new("RGB", (CHIP_SIZE, 1), _LINE)
    chip.paste(Image.blend(chip.crop(band), line, 0.55), band)
    return chip


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """`text`, its end cut off where it would run under the next chip's caption."""
    shown = text
    while len(shown) > 1 and font.getlength(shown) > CHIP_SIZE:
        shown = shown[:-2] + "…"
    return shown
