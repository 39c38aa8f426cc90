"""Alignment of faces whose eyes and mouth are known beforehand, without a detector.

A least-squares similarity maps the eye centres and the mouth onto the template.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.faces.chips import AlignedFace, NoFaceFound, cut_by_points, eye_centres

POINTS = 68


def read_landmarks(text: str) -> np.ndarray:
    """CK+'s landmark file, 68 rows "x y" in the common order, as float64 (68,2).

    Raises `NoFaceFound` with the reason, since the image cannot be used.
    """
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    if len(rows) != POINTS:
        raise NoFaceFound(f"its landmark file has {len(rows)} rows instead of {POINTS}")
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise NoFaceFound(f"its landmark file's row {number} is not two numbers, x and y")
    try:
        points = np.array(rows, dtype=np.float64)
    except ValueError:
        raise NoFaceFound("its landmark file holds text that is not a number") from None
    if not np.isfinite(points).all():
        raise NoFaceFound("its landmark file holds numbers that are not finite")
    return points


def align_by_landmarks(image: np.ndarray, landmarks: np.ndarray) -> AlignedFace:
    """Aligns a uint8 (H,W) or (H,W,3) image by its 68 points, float (68,2) in its pixels: eye
    centres (means of 36–41, 42–47) and the mean of the mouth's corners (48, 54).

    Raises `NoFaceFound` where they lie outside the image or cannot be a face's.
    """
    landmarks = np.asarray(landmarks, float)
    if landmarks.shape != (POINTS, 2):
        raise NoFaceFound(f"{len(landmarks)} landmarks are given instead of {POINTS}")
    if not np.isfinite(landmarks).all():
        raise NoFaceFound("its landmarks are given as numbers that are not finite")
    mouth = (landmarks[48] + landmarks[54]) / 2
    return _aligned(image, landmarks, [*eye_centres(landmarks), *mouth], "landmarks")


def align_by_anchors(image: np.ndarray, anchors: Sequence[float]) -> AlignedFace:
    """The same by three points, six floats: the centre of the eye on the image's left, of the
    other eye and of the mouth, x y each, in the image's pixels."""
    if len(anchors) != 6:
        raise NoFaceFound(f"{len(anchors)} numbers are given for eyes and mouth instead of 6")
    return _aligned(image, np.reshape(anchors, (3, 2)).astype(float), anchors, "anchors")


def _aligned(
    image: np.ndarray, landmarks: np.ndarray, anchors: Sequence[float], scale: str
) -> AlignedFace:
    chip, placed = cut_by_points(image, np.reshape(anchors, (3, 2)))
    low, high = np.floor(landmarks.min(0)), np.ceil(landmarks.max(0))
    left, top, right, bottom = (int(value) for value in (*low, *high))
    return AlignedFace(chip, landmarks, (left, top, right, bottom), placed[:2].ravel(), scale)
