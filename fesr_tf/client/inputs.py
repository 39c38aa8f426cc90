"""What a client takes: photographs to search, and encoded faces to send, looked at first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse, FailedWork
from pipelines.media import images

MAX_FACE_PIXELS = 2**22
"""What an aligned face, sent or received, may have at most."""
# What the model decodes itself; every other format is sent as PNG.
_SENT_AS_IT_IS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")

Source = str | os.PathLike | bytes | np.ndarray
Aligned = bytes | np.ndarray
"""An aligned face: a file's bytes, or uint8 (H,W) or (H,W,3) RGB."""


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


def several(faces: Sequence[Aligned]) -> Sequence[Aligned]:
    """`faces`. Raises `BadUse` for a single face, whose bytes or rows would be taken for faces."""
    shape = getattr(faces, "shape", None)
    alone = shape is not None and (len(shape) < 3 or (len(shape) == 3 and shape[2] == 3))
    if alone or isinstance(faces, (bytes, str)):
        raise BadUse("faces come in a list: put a single one in brackets")
    return faces


def checked(face: Aligned) -> Aligned:
    """What to send of a face, an array as it is. Raises `UnreadableImage` for a file that is
    damaged, and `BadUse` for what is no picture, or an array larger than a face."""
    if isinstance(face, np.ndarray):
        height, width = _picture(face).shape[:2]
        if height * width > MAX_FACE_PIXELS:
            raise BadUse(f"a face has at most {MAX_FACE_PIXELS:,} pixels, not {height}×{width}")
        return face
    if not isinstance(face, bytes):
        raise BadUse(f"a face is the bytes of a file or an array, not a {type(face).__name__}")
    pixels = images.decode(face, MAX_FACE_PIXELS)
    return face if face.startswith(_SENT_AS_IT_IS) else images.encode_png(pixels)


def sendable(face: Aligned) -> Aligned | images.UnreadableImage:
    """`checked`, or what is wrong with a damaged file."""
    try:
        return checked(face)
    except images.UnreadableImage as error:
        return error


def files(faces: Sequence[Aligned]) -> np.ndarray:
    """Checked faces as files, (N,) of bytes: arrays as PNG."""
    return objects([each if isinstance(each, bytes) else images.encode_png(each) for each in faces])


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
