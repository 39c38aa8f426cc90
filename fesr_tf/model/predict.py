"""Inference of R on a set of faces."""

from __future__ import annotations

import numpy as np

from fesr_tf.data import Faces
from fesr_tf.model.fesr import FESR


def predict_logits(fesr: FESR, faces: Faces, batch_size: int = 64) -> np.ndarray:
    """R's logits in inference mode, float32 (N, K)."""
    parts = [
        fesr(faces.floats(slice(begin, begin + batch_size))).numpy()
        for begin in range(0, len(faces), batch_size)
    ]
    return np.concatenate(parts)


def predict(fesr: FESR, faces: Faces, batch_size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """R_ext's features and R's logits in inference mode, float32 (N, F) and (N, K)."""
    features, logits = [], []
    for begin in range(0, len(faces), batch_size):
        features.append(fesr.recognizer.features(faces.floats(slice(begin, begin + batch_size))))
        logits.append(fesr.recognizer.classify(features[-1]))
    return np.concatenate(features), np.concatenate(logits)
