"""DeepFace's emotion model and the `fer` package on aligned faces, timed where they are installed.

    PYTHON -I benchmarks/serving_peers.py deepface|fer FACES.npy

`benchmarks.serving` starts it by its path with the interpreter of another environment, so that it
takes nothing of this project. FACES.npy: uint8 (N,128,128,3), RGB. Each way is asked for by name:

deepface  analyze: `DeepFace.analyze` of arrays, emotion only, nothing detected
          predict: `predict` of its emotion client, on pictures of 224 pixels as analyze makes them
fer       detect_emotions: `FER().detect_emotions` of one picture, faces side by side, with their
          rectangles given, so that nothing is detected; keras: the same, `use_tflite=False`
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DEEPFACE_WEIGHTS = ".deepface/weights/facial_expression_model_weights.h5"


class Way(NamedTuple):
    """`prepare` makes a request of places of faces, which is not timed; `run` answers it, and
    may return what else was measured of it."""

    prepare: Callable[[list[int]], Any]
    run: Callable[[Any], list[float] | None]


class Turns:
    """The faces one after another, over and over, `batch` places at a time."""

    def __init__(self, count: int) -> None:
        self.count, self.next = count, 0

    def take(self, batch: int) -> list[int]:
        places = [(self.next + i) % self.count for i in range(batch)]
        self.next = (self.next + batch) % self.count
        return places


def timed(way: Way, turns: Turns, batch: int, seconds: float) -> list[list[float]]:
    """Requests of `batch` faces for as long as `seconds`, one at the least: for each, the seconds
    that it took, and what else `run` measured."""
    rows: list[list[float]] = []
    ends = time.perf_counter() + seconds
    while not rows or time.perf_counter() < ends:
        request = way.prepare(turns.take(batch))
        began = time.perf_counter()
        more = way.run(request)
        rows.append([time.perf_counter() - began, *(more or [])])
    return rows


def answer(prepare: Callable[[], tuple[Any, dict[str, Way], int]]) -> None:
    """Says what `prepare` says when the ways are ready, then answers questions until stdin ends:
    {"way", "batch", "seconds"} gives the rows of `timed`."""
    # Libraries print: stdout is for answers, and what else comes there goes to stderr.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    ready, ways, count = prepare()
    print(json.dumps(ready), file=out, flush=True)
    turns = Turns(count)
    for line in sys.stdin:
        asked = json.loads(line)
        rows = timed(ways[asked["way"]], turns, asked["batch"], asked["seconds"])
        print(json.dumps(rows), file=out, flush=True)


def versions(*names: str) -> str:
    """The installed packages with their versions."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def deepface(faces: np.ndarray, scratch: Path) -> tuple[Any, dict[str, Way], int]:
    """DeepFace's ways. Its weights are downloaded from elsewhere; where they are not there, the
    network keeps the random ones that it was built with, which take as long."""
    home = os.environ.get("DEEPFACE_HOME", str(Path.home()))
    trained = Path(home, DEEPFACE_WEIGHTS).is_file()
    if not trained:
        os.environ["DEEPFACE_HOME"] = str(scratch)
    import cv2
    from deepface import DeepFace
    from deepface.commons import weight_utils
    from deepface.modules import modeling

    if not trained:
        weight_utils.download_weights_if_necessary = lambda *_, **__: ""
        weight_utils.load_model_weights = lambda model, weight_file: model
    client = modeling.build_model(task="facial_attribute", model_name="Emotion")
    pictures = [np.ascontiguousarray(face[..., ::-1]) for face in faces]
    larger = [cv2.resize(picture, (224, 224)) for picture in pictures]

    def analyze(request: Any) -> None:
        found = DeepFace.analyze(
            request,
            actions=["emotion"],
            detector_backend="skip",
            enforce_detection=False,
            silent=True,
        )
        assert "dominant_emotion" in np.ravel(found)[0]

    def predict(request: list[np.ndarray]) -> None:
        client.predict(request)

    said = versions("deepface", "tensorflow", "tf-keras")
    ready = f"{said}; its network with {'its own' if trained else 'random'} weights"
    ways = {
        "analyze": Way(lambda places: _one_or_list(pictures, places), analyze),
        "predict": Way(lambda places: [larger[i] for i in places], predict),
    }
    return ready, ways, len(faces)


def _one_or_list(pictures: list[np.ndarray], places: list[int]) -> Any:
    return pictures[places[0]] if len(places) == 1 else [pictures[i] for i in places]


def fer(faces: np.ndarray, scratch: Path) -> tuple[Any, dict[str, Way], int]:
    """The ways of `fer`, its model from its own package."""
    from fer.fer import FER

    side = faces.shape[1]
    pictures = [np.ascontiguousarray(face[..., ::-1]) for face in faces]

    def prepare(places: list[int]) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
        boxes = [(i * side, 0, side, side) for i in range(len(places))]
        return np.concatenate([pictures[i] for i in places], axis=1), boxes

    def way(model: Any) -> Way:
        def run(request: tuple[np.ndarray, list]) -> None:
            found = model.detect_emotions(request[0], face_rectangles=request[1])
            assert len(found) == len(request[1])

        return Way(prepare, run)

    ways = {"detect_emotions": way(FER()), "keras": way(FER(use_tflite=False))}
    return versions("fer", "tensorflow", "keras"), ways, len(faces)


PEERS = {"deepface": deepface, "fer": fer}


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    peer, path = sys.argv[1], Path(sys.argv[2])
    answer(lambda: PEERS[peer](np.load(path), path.parent))


if __name__ == "__main__":
    main()
