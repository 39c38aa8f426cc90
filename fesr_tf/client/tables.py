"""A client's results: their classes, and faces as rows for a terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.common.errors import FesrError
from pipelines.common.text import table
from pipelines.media import images

BOX = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Answer:
    """The prediction for one face: `label`, and `probabilities` of every class by name."""

    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Face:
    """A face found in a photograph: `box` (left, top, right, bottom) in its pixels, the predicted
    `label` and `probabilities`, and the aligned face, `pixels`, uint8 (128,128) or (128,128,3)."""

    box: tuple[int, int, int, int]
    label: str
    probabilities: dict[str, float]
    pixels: np.ndarray = field(compare=False)

    @property
    def chip(self) -> bytes:
        """`pixels` as PNG."""
        return images.encode_png(self.pixels)


@dataclass(frozen=True)
class Photograph:
    """The result for one photograph. pixels: uint8 (H,W) or (H,W,3), None if unreadable; faces:
    from left to right, empty if none was found; error: the reason for a missing answer."""

    pixels: np.ndarray | None
    faces: tuple[Face, ...] = ()
    error: FesrError | None = None


def shares(faces: Sequence[Face], classes: Sequence[str]) -> np.ndarray:
    """float (N,K): the faces' probabilities in the order of `classes`."""
    rows = [[face.probabilities[name] for name in classes] for face in faces]
    return np.array(rows, float).reshape(len(rows), len(classes))


def text(faces: Sequence[Face], classes: Sequence[str]) -> str:
    """The distributions as text: one row per face, one column per class, in per cent."""
    rows = [
        (i, face.label, *(f"{100 * p:5.1f}" for p in row), ", ".join(map(str, face.box)))
        for i, (face, row) in enumerate(zip(faces, shares(faces, classes), strict=True), 1)
    ]
    return table(("face", "label", *classes, "box (l, t, r, b)"), rows)


def header(first: Sequence[str], classes: Sequence[str], last: Sequence[str] = ()) -> list[str]:
    """The columns of a CSV of faces."""
    return [*first, "face", *BOX, "label", *classes, *last]


def row(
    first: Sequence[object],
    number: int | str,
    face: Face | None,
    classes: Sequence[str],
    last: Sequence[object] = (),
) -> list[object]:
    """One row of it; without a face its columns are empty."""
    if face is None:
        return [*first, number, *[""] * (len(BOX) + 1 + len(classes)), *last]
    values = [f"{face.probabilities[name]:.6f}" for name in classes]
    return [*first, number, *face.box, face.label, *values, *last]


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as comma-separated values, RFC 4180 with \\n as the line end."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def as_json(faces: Iterable[Face]) -> list[dict]:
    """The faces, ready for JSON."""
    return [
        {"box": list(face.box), "label": face.label, "probabilities": face.probabilities}
        for face in faces
    ]
