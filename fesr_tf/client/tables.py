"""Faces as rows: for a terminal, as CSV, as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np

from fesr_tf.client.results import Face

BOX = ("left", "top", "right", "bottom")


def shares(faces: Sequence[Face], classes: Sequence[str]) -> np.ndarray:
    """float (N,K): the faces' probabilities in the order of `classes`."""
    rows = [[face.probabilities[name] for name in classes] for face in faces]
    return np.array(rows, float).reshape(len(rows), len(classes))


def text(faces: Sequence[Face], classes: Sequence[str]) -> str:
    """The distributions as text: a row a face, a column a class, in per cent."""
    widths = [max(6, len(name)) for name in classes]
    longest = max(len("label"), *(len(face.label) for face in faces))
    head = "  ".join(name.rjust(w) for name, w in zip(classes, widths, strict=True))
    lines = [f"  face  {'label'.ljust(longest)}  {head}  box (l, t, r, b)"]
    for i, (face, row) in enumerate(zip(faces, shares(faces, classes), strict=True), 1):
        percent = zip(100 * row, widths, strict=True)
        columns = "  ".join(f"{share:.1f}".rjust(width) for share, width in percent)
        box = ", ".join(map(str, face.box))
        lines.append(f"  {i:>4}  {face.label.ljust(longest)}  {columns}  {box}")
    return "\n".join(lines)


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
    """One line of it; without a face its columns are empty."""
    if face is None:
        return [*first, number, *[""] * (len(BOX) + 1 + len(classes)), *last]
    values = [f"{face.probabilities[name]:.6f}" for name in classes]
    return [*first, number, *face.box, face.label, *values, *last]


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as comma-separated values, RFC 4180 but for plain line ends."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def as_json(faces: Iterable[Face]) -> list[dict]:
    """The faces, ready for JSON."""
    return [
        {"box": list(face.box), "label": face.label, "probabilities": face.probabilities}
        for face in faces
    ]
