"""The two aligners that the benchmarks compare, dlib's customary use and ours; their images."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dlib
import numpy as np

from fesr_tf.client.detector import BLAZEFACE, FaceFinder
from pipelines.faces.alignment import AlignedFace, FaceAligner, Proposal
from pipelines.faces.chips import Box, eye_centres
from pipelines.faces.scales import Rung, area
from pipelines.media import images

WIDTH, HEIGHT = 640, 480
# The part of aligning; the other stages of `TimedAligner` are the detection of the face.
ALIGN = ("landmarks", "chip")


def onto_canvas(face: np.ndarray, side: int, seed: int) -> np.ndarray:
    """A square image (S,S,3), `side` wide, somewhere on a canvas (480,640,3) of its corner's
    colour."""
    random = np.random.default_rng(seed)
    canvas = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    canvas[:] = face[0, 0]
    x, y = random.integers(0, WIDTH - side + 1), random.integers(0, HEIGHT - side + 1)
    canvas[y : y + side, x : x + side] = images.resize(face, side, side)
    return canvas


class UsualAligner:
    """What most people write with dlib. Both aligners share the landmark model (100 MB): two
    would push each other out of the processor's caches."""

    def __init__(self, model: dlib.shape_predictor) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = model

    def align(self, image: np.ndarray) -> tuple[Box, np.ndarray, np.ndarray] | None:
        """The largest face's box, landmarks (68,2) and chip; None if none is found."""
        found = [(b.left(), b.top(), b.right(), b.bottom()) for b in self._detector(image, 1)]
        if not found:
            return None
        box = max(found, key=area)
        shape = self._predictor(image, dlib.rectangle(*box))
        return box, _points(shape), dlib.get_face_chip(image, shape, size=128, padding=0.25)

    def landmarks(self, image: np.ndarray, box: Box) -> np.ndarray:
        """The landmarks (68,2) for another box."""
        return _points(self._predictor(image, dlib.rectangle(*box)))


class TimedAligner(FaceAligner):
    """`FaceAligner` that sums the seconds of its stages by `clock`, inner stages apart."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        super().__init__()
        self._clock = clock
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @property
    def model(self) -> dlib.shape_predictor:
        """The landmark model in use."""
        return self._predictor

    def align(self, image: np.ndarray, box: Box | None = None) -> AlignedFace:
        with self.stage("gray, copies"):
            return super().align(image, box)

    def find_all(
        self, image: np.ndarray, proposals: Sequence[Proposal] | None = None
    ) -> list[AlignedFace]:
        with self.stage("gray, copies"):
            return super().find_all(image, proposals)

    def _detect(self, rung: Rung) -> list:
        with self.stage("close look" if rung.name == "close" else "search"):
            return super()._detect(rung)

    def _closer(self, *arguments: object) -> object:
        with self.stage("close look"):
            return super()._closer(*arguments)

    def _landmarks(self, *arguments: object) -> object:
        with self.stage("landmarks"):
            return super()._landmarks(*arguments)

    def _cut(self, *arguments: object) -> object:
        with self.stage("chip"):
            return super()._cut(*arguments)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time within as that of a stage."""
        started = self._clock()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = self._clock() - started
            self.seconds[name] += spent - self._inner.pop()
            self._inner[-1] += spent


class TimedFinder(FaceFinder):
    """`FaceFinder` with a `TimedAligner`, the network as one of its stages."""

    def __init__(
        self, clock: Callable[[], float] = time.process_time, detector: str = BLAZEFACE
    ) -> None:
        super().__init__(detector)
        self.aligner = TimedAligner(clock)

    def find(self, image: np.ndarray) -> list[AlignedFace]:
        with self.aligner.stage("network"):
            return super().find(image)


def rms_share(points: np.ndarray, reference: np.ndarray) -> float:
    """RMS distance of two (68,2) sets of landmarks as a share of the reference's eye distance."""
    eyes = eye_centres(reference)
    distance = np.sqrt(((points - reference) ** 2).sum(1).mean())
    return float(distance / np.linalg.norm(eyes[2:] - eyes[:2]))


def _points(shape: dlib.full_object_detection) -> np.ndarray:
    return np.array([(point.x, point.y) for point in shape.parts()], float)
