"""The geometry of an aligned face: where its pixels lie in the image, also beyond the border.

An aligned face has 128×128 pixels, its eyes level at about row 40. Points are x y in pixels, whole
numbers at pixel centres. Nothing here detects a face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipelines.common.errors import FailedWork
from pipelines.media.images import resize

# Left, top, right, bottom in pixels, edges included.
Box = tuple[int, int, int, int]

# Side of an aligned face in pixels.
FACE_SIZE = 128
EYE_ROW = 40
# Centres of the eye on the image's left, of the other one, and of the mouth's corners:
# within 1.5 px of their places in dlib's chip.
TEMPLATE = np.array([[41.0, 40.0], [86.0, 40.0], [63.5, 88.0]])
# Eyes and mouth of a face seen at 60° still fit within 10 px; with the eyes swapped, 28.
_WORST_FIT = 20.0
_SMALLEST_EYE_DISTANCE = 2.0


class NoFaceFound(FailedWork):
    """No face was detected, or none can be where one is given; the message holds the reason."""


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """One face, located and aligned.

    chip: its pixels, uint8 (128,128) or (128,128,3) as the source. landmarks: float (68,2),
    (5,2) or, of anchors, (3,2), x y in source pixels. box: left, top, right, bottom in source
    pixels, edges included: the detector's, the reader's, or the extent of the given points.
    eyes: float (4,), centres of the eye on the image's left and right, x0 y0 x1 y1 in pixels of
    `chip`. scale: what located it: "small", "full", "upsampled", "padded", "box", "landmarks"
    or "anchors".
    """

    chip: np.ndarray
    landmarks: np.ndarray
    box: Box
    eyes: np.ndarray
    scale: str


def eye_centres(landmarks: np.ndarray) -> np.ndarray:
    """(4,) x0 y0 x1 y1, the image's left first: means of points 36–41 and 42–47 of a (68,2)
    array, of the corners 2, 3 and 0, 1 of a (5,2) one."""
    left, right = ([2, 3], [0, 1]) if len(landmarks) == 5 else (range(36, 42), range(42, 48))
    return np.concatenate([landmarks[list(left)].mean(0), landmarks[list(right)].mean(0)])


def to_face(
    points: np.ndarray, rect: tuple[float, float, float, float], angle: float, size: int = FACE_SIZE
) -> np.ndarray:
    """Maps (N,2) source points into the pixels of the aligned face cut from the rectangle `rect`
    (left, top, right, bottom) turned by `angle` radians about its centre; the face's corner
    pixels lie on the rectangle's corners, as in dlib."""
    left, top, right, bottom = rect
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    cosine, sine = np.cos(angle), np.sin(angle)
    unturned = (np.asarray(points, float) - centre) @ np.array([[cosine, -sine], [sine, cosine]])
    extent = np.array([right - left, bottom - top])
    return (unturned / extent + 0.5) * (size - 1)


def reach(
    rect: tuple[float, float, float, float], angle: float
) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the upright box around a rectangle turned by `angle`."""
    left, top, right, bottom = rect
    half = np.array([right - left, bottom - top]) / 2
    centre = np.array([left + right, top + bottom]) / 2
    cosine, sine = abs(np.cos(angle)), abs(np.sin(angle))
    extent = np.array([half[0] * cosine + half[1] * sine, half[0] * sine + half[1] * cosine])
    return (*(centre - extent).tolist(), *(centre + extent).tolist())


def inside(box: tuple[float, float, float, float], shape: tuple[int, ...]) -> bool:
    """Whether a box (edges included) lies within an image of `shape` (H,W,…)."""
    return box[0] >= 0 and box[1] >= 0 and box[2] <= shape[1] - 1 and box[3] <= shape[0] - 1


def window(image: np.ndarray, box: Box) -> np.ndarray:
    """The part of the image in the box (edges included), whose border is repeated where the box
    leaves it; C-contiguous. The box must touch the image."""
    left, top, right, bottom = box
    height, width = image.shape[:2]
    part = image[max(0, top) : bottom + 1, max(0, left) : right + 1]
    sides = (max(0, -top), max(0, bottom - height + 1)), (max(0, -left), max(0, right - width + 1))
    if any(map(any, sides)):
        part = np.pad(part, [*sides, *[(0, 0)] * (image.ndim - 2)], mode="edge")
    return np.ascontiguousarray(part)


def resize_face(image: np.ndarray) -> np.ndarray:
    """An already cropped face, uint8 (H,W[,3]) of any size, as uint8 (128,128[,3])."""
    return resize(image, FACE_SIZE, FACE_SIZE)


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[complex, complex]:
    """The least-squares similarity (turn, scale, shift; no mirroring) of (N,2) points, as a, b
    of z → a·z + b with z = x + iy. The points must not all be one."""
    z, w = (np.asarray(points, float) @ np.array([1, 1j]) for points in (source, target))
    centred = z - z.mean()
    a = np.vdot(centred, w) / np.vdot(centred, centred).real
    return complex(a), complex(w.mean() - a * z.mean())


def cut_by_points(
    image: np.ndarray, points: np.ndarray, template: np.ndarray = TEMPLATE
) -> tuple[np.ndarray, np.ndarray]:
    """The aligned face in which (3,2) points of the image, two eyes and the mouth, lie on the
    template's as closely as a similarity allows, and their exact places, float (3,2).

    Raises `NoFaceFound` for points outside the image or where no face has them.
    """
    points = np.asarray(points, float)
    height, width = image.shape[:2]
    if not np.isfinite(points).all():
        raise NoFaceFound("its eyes and mouth are given as numbers that are not finite")
    if (points < -0.5).any() or (points > [width - 0.5, height - 0.5]).any():
        raise NoFaceFound(f"its eyes or mouth are given outside the image ({width}×{height})")
    if np.linalg.norm(points[1] - points[0]) < _SMALLEST_EYE_DISTANCE:
        raise NoFaceFound(f"its eyes are given less than {_SMALLEST_EYE_DISTANCE:.0f} pixels apart")
    a, b = similarity(points, template)
    placed = a * (points @ np.array([1, 1j])) + b
    placed = np.stack([placed.real, placed.imag], 1)
    if np.sqrt(((placed - template) ** 2).sum(1).mean()) > _WORST_FIT:
        raise NoFaceFound(
            "its eyes and mouth are given where no face has them; the order is left eye in the "
            "image, right eye, mouth"
        )
    return warp(image, a, b), placed


def warp(image: np.ndarray, a: complex, b: complex, size: int = FACE_SIZE) -> np.ndarray:
    """uint8 (size,size[,3]) face under the similarity z → a·z + b from source to face pixels.

    Shrinking averages over the area that a pixel covers; borders are repeated. The face must
    show some of the image.
    """
    corners = (np.array([0, size - 1, 1j * (size - 1), (1 + 1j) * (size - 1)]) - b) / a
    low = np.floor([corners.real.min(), corners.imag.min()]).astype(int) - 3
    high = np.ceil([corners.real.max(), corners.imag.max()]).astype(int) + 3
    limit = np.array(image.shape[1::-1]) - 1
    # Shrunk before borders are added: they may be far wider than the image.
    low_in, high_in = np.maximum(low, 0), np.minimum(high, limit)
    part = Image.fromarray(window(image, (*low_in.tolist(), *high_in.tolist())))
    scale = min(1.0, abs(a))
    small = np.maximum(1, np.ceil(np.array(part.size) * scale)).astype(int)
    shrink = small / np.array(part.size)
    if scale < 1:
        part = part.resize(tuple(small.tolist()), Image.Resampling.BOX)
    before = np.ceil((low_in - low) * shrink).astype(int) + 2
    after = np.ceil((high - high_in) * shrink).astype(int) + 2
    edges = (*(-before).tolist(), *(small - 1 + after).tolist())
    canvas = Image.fromarray(window(np.asarray(part), edges))
    # PIL counts from a pixel's corner: half a pixel is taken off before and put on after.
    turn = np.array([[(1 / a).real, -(1 / a).imag], [(1 / a).imag, (1 / a).real]])
    start = np.array([(-b / a).real, (-b / a).imag]) - turn @ [0.5, 0.5] + 0.5
    turn, start = turn * shrink[:, None], (start - low_in) * shrink + before
    data = (*turn[0], start[0], *turn[1], start[1])
    shape, method = (size, size), Image.Transform.AFFINE
    return np.asarray(canvas.transform(shape, method, data, Image.Resampling.BICUBIC))
