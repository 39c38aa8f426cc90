"""What a client takes: photographs to search, and encoded faces to send, looked at first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines import images
from pipelines.errors import BadUse, FailedWork

MAX_FACE_PIXELS = 2**22
"""What an aligned face, sent or received, may have at most."""
# What the model decodes itself; every other format is sent as PNG.
_SENT_AS_IT_IS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")

Source = str | os.PathLike | bytes | np.ndarray


def pixels(source: Source) -> np.ndarray:
    """A photograph as uint8 (H,W) or (H,W,3). Raises `BadUse` where there is none and
    `FailedWork` or `UnreadableImage` where it cannot be read."""
    if isinstance(source, np.ndarray):
        return _picture(source)
    if isinstance(source, bytes):
        return images.decode(source)
    path = Path(source)
    if not path.exists():
        raise BadUse(f"no photograph at {path}")
    try:
        return images.read(path)
    except images.UnreadableImage as error:
        raise FailedWork(f"{path}: {error}") from None


def checked(face: bytes) -> bytes:
    """The bytes to send of an encoded face. Raises `UnreadableImage`."""
    pixels = images.decode(face, MAX_FACE_PIXELS)
    return face if face.startswith(_SENT_AS_IT_IS) else images.encode_png(pixels)


def sendable(face: bytes | np.ndarray) -> bytes | np.ndarray | images.UnreadableImage:
    """`checked`, or what is wrong with it; an array as it is. Raises `BadUse` for one that is no
    picture, or larger than a face."""
    if isinstance(face, np.ndarray):
        height, width = _picture(face).shape[:2]
        if height * width > MAX_FACE_PIXELS:
            raise BadUse(f"a face has at most {MAX_FACE_PIXELS:,} pixels, not {height}×{width}")
        return face
    try:
        return checked(face)
    except images.UnreadableImage as error:
        return error


def _picture(array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if array.dtype != np.uint8 or 0 in shape or shape[2:] not in ((), (3,)) or len(shape) < 2:
        raise BadUse(f"a picture is uint8 (H,W) or (H,W,3), not {array.dtype} {shape}")
    return array


def objects(values: Sequence[bytes]) -> np.ndarray:
    """Strings of any length, zeros at their end included, as an array (N,)."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
