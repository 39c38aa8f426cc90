"""Draws the contact sheets: a row of aligned faces for each class, and the rejects by reason."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

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

T = TypeVar("T")
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class _Cell(NamedTuple):
    image: Image.Image
    captions: Sequence[str]


def choose(
    keys_by_class: Mapping[str, Sequence[str]], classes: Sequence[str]
) -> dict[str, list[str]]:
    """Evenly spaced keys of every class, at most about a hundred in all.

    Keys carry the subject, so that even spacing in their order covers the subjects.
    """
    share = max(1, _MOST_FACES // max(1, len(classes)))
    keys = {name: sorted(keys_by_class.get(name, [])) for name in classes}
    return {name: _spaced(keys[name], share) for name in classes if keys[name]}


def draw(chosen: dict[str, list[str]], records: Mapping[str, Record], title: str) -> bytes:
    """PNG bytes of the sheet: labelled rows for each class, a line across every face at row
    40, where the eyes should be. records: by their keys."""
    rows = {
        name: [_Cell(_marked(records[key].image), [records[key].subject]) for key in keys]
        for name, keys in chosen.items()
    }
    return _sheet(rows, title, _FOOTER, captions=1, beside=True)


def choose_rejects(rejects: Sequence[Reject]) -> list[Reject]:
    """Rejects that have images, evenly spaced within each reason, at most about a hundred."""
    by_reason = defaultdict(list)
    for reject in rejects:
        if reject.picture:
            by_reason[reject.reason].append(reject)
    reasons = sorted(by_reason, key=lambda reason: (-len(by_reason[reason]), reason))[:_MOST_FACES]
    share = max(1, _MOST_FACES // max(1, len(reasons)))
    return [reject for reason in reasons for reject in _spaced(by_reason[reason], share)]


def draw_rejects(chosen: Sequence[Reject], thumbnails: Mapping[str, bytes], title: str) -> bytes:
    """PNG bytes of the sheet: a heading for each reason, then its images. thumbnails: PNG bytes
    by `Reject.picture`."""
    rows = defaultdict(list)
    for reject in chosen:
        cell = _Cell(_thumbnail(thumbnails[reject.picture]), [reject.class_name, reject.subject])
        rows[reject.reason].append(cell)
    return _sheet(rows, title, _REJECTED_FOOTER, captions=2, beside=False)


def _spaced(items: Sequence[T], count: int) -> list[T]:
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[int(place)] for place in places]


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
    columns = max(*(len(cells) for _, cells in lines), 0 if beside else 4)
    texts = max(large.getlength(title), small.getlength(footer))
    width = max(margin + columns * (FACE_SIZE + _GAP) + _GAP, int(texts) + 24)
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
            place = (8, y + EYE_ROW)
            pen.text(place, beside_names[name], fill=_INK, font=large, anchor="lm")
        elif name:
            pen.text((8, y), _shortened(name, small, width - 16), fill=_INK, font=small)
            y += heading
        for column, cell in enumerate(cells):
            x = margin + column * (FACE_SIZE + _GAP)
            sheet.paste(cell.image, (x, y))
            for index, caption in enumerate(cell.captions):
                place = (x, y + FACE_SIZE + 2 + index * (_SMALL_TEXT + 3))
                pen.text(place, _shortened(caption, small, FACE_SIZE), fill=_INK, font=small)
        y += pitch
    pen.text((8, height - _SMALL_TEXT), footer, fill=_INK, font=small, anchor="lm")
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _marked(png: bytes) -> Image.Image:
    face = Image.open(io.BytesIO(png)).convert("RGB")
    band = (0, EYE_ROW, FACE_SIZE, EYE_ROW + 1)
    line = Image.new("RGB", (FACE_SIZE, 1), _LINE)
    face.paste(Image.blend(face.crop(band), line, 0.55), band)
    return face


def _thumbnail(png: bytes) -> Image.Image:
    """At most 128 pixels a side, standing on the row's lower edge."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.thumbnail((FACE_SIZE, FACE_SIZE))
    cell = Image.new("RGB", (FACE_SIZE, FACE_SIZE), _BACKGROUND)
    cell.paste(image, (0, FACE_SIZE - image.height))
    return cell


def _shortened(text: str, font: Font, width: int) -> str:
    """`text` in one line, its end cut off where it would be wider than `width` pixels."""
    # A letter is a pixel wide at the least: measuring 10,000 of them would take minutes.
    shown = " ".join(text.split())[:width]
    while len(shown) > 1 and font.getlength(shown) > width:
        shown = shown[:-2] + "…"
    return shown
