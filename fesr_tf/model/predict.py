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
