"""A client's inputs: photographs to search, and aligned faces to check and send."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse, FailedWork
from pipelines.media import images

MAX_FACE_PIXELS = 2**22
"""The limit for an aligned face, sent or received."""
# The model decodes PNG and JPEG; every other format is sent as PNG.
_SENT_UNCHANGED = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")

Source = str | os.PathLike | bytes | np.ndarray
Aligned = bytes | np.ndarray
"""An aligned face: a file's bytes, or uint8 (H,W), (H,W,1) or (H,W,3) RGB."""


def pixels(source: Source) -> np.ndarray:
    """A photograph as uint8 (H,W) or (H,W,3). Raises `BadUse` for a missing file, `FailedWork` or
    `UnreadableImage` for an unreadable one."""
    if isinstance(source, np.ndarray):
        return _image(source)
    if isinstance(source, bytes):
        return images.decode(source)
    path = Path(source)
    if not path.exists():
        raise BadUse(f"no photograph at {path}")
    try:
        return images.read(path)
    except images.UnreadableImage as error:
        raise FailedWork(f"{path}: {error}") from None


def checked(faces: Sequence[Aligned]) -> list[Aligned | images.UnreadableImage]:
    """Faces in the form to send: an array as (H,W) or (H,W,3), a PNG or JPEG file unchanged, any
    other file as PNG, the error of a damaged file.

    Raises `BadUse` for a single face, whose bytes or rows would pass for faces, for anything but an
    image, and for an array larger than `MAX_FACE_PIXELS`.
    """
    shape = getattr(faces, "shape", None)
    single = shape is not None and (len(shape) < 3 or (len(shape) == 3 and shape[2] in (1, 3)))
    if single or isinstance(faces, (bytes, str)):
        raise BadUse("faces come in a list: put a single one in brackets")
    return [_checked(face) for face in faces]


def _checked(face: Aligned) -> Aligned | images.UnreadableImage:
    if isinstance(face, np.ndarray):
        face = _image(face)
        height, width = face.shape[:2]
        if height * width > MAX_FACE_PIXELS:
            raise BadUse(f"a face has at most {MAX_FACE_PIXELS:,} pixels, not {height}×{width}")
        return face
    if not isinstance(face, bytes):
        raise BadUse(f"a face is the bytes of a file or an array, not a {type(face).__name__}")
    try:
        pixels = images.decode(face, MAX_FACE_PIXELS)
    except images.UnreadableImage as error:
        return error
    return face if face.startswith(_SENT_UNCHANGED) else images.encode_png(pixels)


def files(faces: Sequence[Aligned | images.UnreadableImage]) -> np.ndarray:
    """Checked faces as files, (N,) of bytes: arrays as PNG. Raises the first error among them."""
    for face in faces:
        if isinstance(face, images.UnreadableImage):
            raise face
    return objects([face if isinstance(face, bytes) else images.encode_png(face) for face in faces])


def _image(array: np.ndarray) -> np.ndarray:
    """An image as uint8 (H,W) or (H,W,3). Raises `BadUse` for an array that is none."""
    shape = array.shape
    if array.dtype != np.uint8 or 0 in shape or shape[2:] not in ((), (1,), (3,)) or len(shape) < 2:
        raise BadUse(f"an image is uint8 (H,W), (H,W,1) or (H,W,3), not {array.dtype} {shape}")
    return array[..., 0] if shape[2:] == (1,) else array


def objects(values: Sequence[bytes]) -> np.ndarray:
    """Byte strings as an object array (N,), which keeps zeros at their end."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
