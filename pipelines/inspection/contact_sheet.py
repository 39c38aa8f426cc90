"""One picture of what was aligned, a row of chips for each class, and one of the rejects."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.common.records import Reject
from pipelines.dataset.examples import Record
from pipelines.faces.alignment import EYE_ROW
from pipelines.faces.chips import FACE_SIZE

NAME = "contact_sheet.png"
REJECTED_NAME = "rejected_sheet.png"
_MOST_FACES = 96
_COLUMNS = 12
_FOOTER = f"The line is at row {EYE_ROW} of {FACE_SIZE}, where the eyes should be."
_REJECTED_FOOTER = (
    "Rejected pictures under the reasons, with class and person. All are in index.html."
)
_GAP = 4
_TEXT, _SMALL_TEXT = 18, 12
_WIDEST_NAME = 220
_BACKGROUND, _INK, _LINE = "#ffffff", "#202020", "#00b4ff"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class _Cell(NamedTuple):
    picture: Image.Image
    captions: Sequence[str]


def choose(
    keys_by_class: Mapping[str, Sequence[str]], classes: Sequence[str]
) -> dict[str, list[str]]:
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


def draw(chosen: dict[str, list[str]], records: Mapping[str, Record], title: str) -> bytes:
    """PNG bytes of the sheet: labelled rows for each class, a line across every chip at row
    40, where the eyes should be. records: by their keys."""
    rows = {
        name: [_Cell(_marked(records[key].image), [records[key].subject]) for key in keys]
        for name, keys in chosen.items()
    }
    return _sheet(rows, title, _FOOTER, captions=1, beside=True)


def choose_rejects(rejects: Sequence[Reject]) -> list[Reject]:
    """Rejects that have pictures, evenly spaced within each reason, at most about a hundred."""
    by_reason = defaultdict(list)
    for reject in rejects:
        if reject.picture:
            by_reason[reject.reason].append(reject)
    reasons = sorted(by_reason, key=lambda reason: (-len(by_reason[reason]), reason))
    chosen = []
    for reason in reasons[:_MOST_FACES]:
        share = max(1, _MOST_FACES // min(len(reasons), _MOST_FACES))
        there = by_reason[reason]
        places = np.linspace(0, len(there) - 1, min(share, len(there)))
        chosen += [there[int(place)] for place in places]
    return chosen


def draw_rejects(chosen: Sequence[Reject], pictures: Mapping[str, bytes], title: str) -> bytes:
    """PNG bytes of the sheet: a heading for each reason, then its pictures. pictures: the
    thumbnails' bytes by `Reject.picture`."""
    rows: dict[str, list[_Cell]] = {}
    for reject in chosen:
        captions = [reject.class_name, reject.subject]
        cell = _Cell(_thumbnail(pictures[reject.picture]), captions)
        rows.setdefault(reject.reason, []).append(cell)
    return _sheet(rows, title, _REJECTED_FOOTER, captions=2, beside=False)


def _sheet(
    rows: dict[str, list[_Cell]], title: str, footer: str, captions: int, beside: bool
) -> bytes:
    """The rows one below the other, their names beside them or above them."""
    large, small = ImageFont.load_default(_TEXT), ImageFont.load_default(_SMALL_TEXT)
    lines = [
        (name if start == 0 else "", cells[start : start + _COLUMNS])
        for name, cells in rows.items()
        for start in range(0, len(cells), _COLUMNS)
    ]
    beside_names = {name: _shortened(name, large, _WIDEST_NAME) for name in rows}
    margin = 16 + max(int(large.getlength(name)) for name in beside_names.values()) if beside else 8
    columns = max(len(cells) for _, cells in lines)
    widest = [large.getlength(title), small.getlength(footer)]
    if not beside:
        columns = max(columns, 4)
    width = max(margin + columns * (FACE_SIZE + _GAP) + _GAP, int(max(widest)) + 24)
    pitch = FACE_SIZE + captions * (_SMALL_TEXT + 3) + 2 * _GAP
    heading = 0 if beside else _SMALL_TEXT + 2 * _GAP
    headings = sum(heading for name, _ in lines if name)
    top = _TEXT + 5 * _GAP
    height = top + len(lines) * pitch + headings + 3 * _GAP + _SMALL_TEXT
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((8, 2 * _GAP), _shortened(title, large, width - 16), fill=_INK, font=large)
    y = top
    for name, cells in lines:
        if name and beside:
            short = beside_names[name]
            pen.text((8, y + EYE_ROW), short, fill=_INK, font=large, anchor="lm")
        elif name:
            pen.text((8, y), _shortened(name, small, width - 16), fill=_INK, font=small)
            y += heading
        for column, cell in enumerate(cells):
            x = margin + column * (FACE_SIZE + _GAP)
            sheet.paste(cell.picture, (x, y))
            for index, caption in enumerate(cell.captions):
                place = (x, y + FACE_SIZE + 2 + index * (_SMALL_TEXT + 3))
                pen.text(place, _shortened(caption, small, FACE_SIZE), fill=_INK, font=small)
        y += pitch
    pen.text((8, height - _SMALL_TEXT), footer, fill=_INK, font=small, anchor="lm")
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _marked(png: bytes) -> Image.Image:
    chip = Image.open(io.BytesIO(png)).convert("RGB")
    band = (0, EYE_ROW, FACE_SIZE, EYE_ROW + 1)
    line = Image.new("RGB", (FACE_SIZE, 1), _LINE)
    chip.paste(Image.blend(chip.crop(band), line, 0.55), band)
    return chip


def _thumbnail(png: bytes) -> Image.Image:
    """At most 128 pixels a side, standing on the row's lower edge."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((FACE_SIZE, FACE_SIZE))
    cell = Image.new("RGB", (FACE_SIZE, FACE_SIZE), _BACKGROUND)
    cell.paste(picture, (0, FACE_SIZE - picture.height))
    return cell


def _shortened(text: str, font: Font, width: int) -> str:
    """`text` in one line, its end cut off where it would be wider than `width` pixels."""
    # A letter is a pixel wide at the least: measuring 10,000 of them would take minutes.
    shown = " ".join(text.split())[:width]
    while len(shown) > 1 and font.getlength(shown) > width:
        shown = shown[:-2] + "…"
    return shown
