"""What a client gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipelines.common.errors import FesrError
from pipelines.media import images


@dataclass(frozen=True)
class Answer:
    """What the model says of one face: `label`, and `probabilities` of every class by name."""

    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Face:
    """A face found in a photograph: `box` (left, top, right, bottom) in its pixels, the
    model's `label` and `probabilities`, and the aligned face that was asked about, `pixels`,
    uint8 (128,128) or (128,128,3)."""

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
    """One picture of many. pixels: uint8 (H,W) or (H,W,3), None where it could not be read;
    faces: from left to right, none where there are none; error: why there is no answer."""

    pixels: np.ndarray | None
    faces: tuple[Face, ...] = ()
    error: FesrError | None = None
