"""The `fer` package's two models on aligned faces, in an environment of their own.

    PYTHON -E -s -m benchmarks.training.fer_peer FACES.npy…

`benchmarks.training.photo_model` starts it. FACES.npy: uint8 (N,S,S), gray.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import numpy as np

from tests.support.workers import Questions, answer

# The package's order, in this project's names.
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def prepare(*paths: str) -> tuple[str, Questions]:
    """The greeting, the package's version, and the questions `TFLite` and `Keras`: which of the
    files' faces -> float (N,7), the probabilities of `CLASSES`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import importlib.metadata

    import cv2
    from fer.fer import FER

    def classifier(use_tflite: bool) -> Callable[[int], list]:
        model = FER(use_tflite=use_tflite)

        def classify(index: int) -> list:
            faces = [cv2.resize(face, (64, 64)) for face in np.load(paths[index])]
            # As `FER.detect_emotions` scales a face that it has cut out.
            scaled = (np.array(faces, np.float32) / 255.0 - 0.5) * 2.0
            parts = [scaled[i : i + 64] for i in range(0, len(scaled), 64)]
            shaped = parts if use_tflite else [part[..., None] for part in parts]
            return np.concatenate(
                [np.asarray(model._classify_emotions(part)) for part in shaped]
            ).tolist()

        return classify

    version = importlib.metadata.version("fer")
    return version, {"TFLite": classifier(True), "Keras": classifier(False)}


if __name__ == "__main__":
    answer(lambda: prepare(*sys.argv[1:]))
