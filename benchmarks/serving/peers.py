"""DeepFace's emotion model and the `fer` package on aligned faces, timed where they are installed.

    PYTHON -E -s -m benchmarks.serving.peers deepface|fer FACES.npy

`benchmarks.serving` starts it in a checkout with the interpreter of another environment, which has
none of this project's dependencies but numpy. FACES.npy: uint8 (N,128,128,3), RGB. The backends:

deepface  analyze: `DeepFace.analyze` of arrays, emotion only, nothing detected
          predict: `predict` of its emotion client, on images of 224 pixels as analyze makes them
fer       detect_emotions: `FER().detect_emotions` of one image, faces side by side, with their
          rectangles given, so that nothing is detected; keras: the same, `use_tflite=False`
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.request_times import Backend, timed_cpu, timer
from tests.support.workers import Questions, answer

DEEPFACE_WEIGHTS = ".deepface/weights/facial_expression_model_weights.h5"
Peer = tuple[str, dict[str, Backend]]


def versions(*names: str) -> str:
    """The installed packages with their versions."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def deepface(faces: np.ndarray, scratch: Path) -> Peer:
    """DeepFace's backends. Its weights are downloaded from elsewhere; where they are absent, the
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
    images = [np.ascontiguousarray(face[..., ::-1]) for face in faces]
    larger = [cv2.resize(image, (224, 224)) for image in images]

    def one_or_list(indices: list[int]) -> Any:
        return images[indices[0]] if len(indices) == 1 else [images[i] for i in indices]

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

    weights = "its own" if trained else "random"
    greeting = (
        f"{versions('deepface', 'tensorflow', 'tf-keras')}; its network with {weights} weights"
    )
    return greeting, {
        "analyze": Backend(one_or_list, timed_cpu(analyze)),
        "predict": Backend(lambda indices: [larger[i] for i in indices], predict),
    }


def fer(faces: np.ndarray, scratch: Path) -> Peer:
    """The backends of `fer`, its model from its own package."""
    from fer.fer import FER

    side = faces.shape[1]
    images = [np.ascontiguousarray(face[..., ::-1]) for face in faces]

    def prepare(indices: list[int]) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
        boxes = [(i * side, 0, side, side) for i in range(len(indices))]
        return np.concatenate([images[i] for i in indices], axis=1), boxes

    def backend(model: Any) -> Backend:
        def run(request: tuple[np.ndarray, list]) -> None:
            found = model.detect_emotions(request[0], face_rectangles=request[1])
            assert len(found) == len(request[1])

        return Backend(prepare, run)

    backends = {"detect_emotions": backend(FER()), "keras": backend(FER(use_tflite=False))}
    return versions("fer", "tensorflow", "keras"), backends


def prepare(peer: str, path: str) -> tuple[str, Questions]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    faces = np.load(path)
    greeting, backends = {"deepface": deepface, "fer": fer}[peer](faces, Path(path).parent)
    return greeting, {"time": timer(backends, len(faces))}


if __name__ == "__main__":
    answer(lambda: prepare(*sys.argv[1:]))
