"""What every callback here is made of. What shows a run: `fesr_tf.watching`; what guards it:
`fesr_tf.guards`.

Each is an ordinary Keras callback. `step` always is the iteration of Algorithm 1 after the
batch, over both stages.
"""

from __future__ import annotations

import numpy as np
import tf_keras as keras

from fesr_tf.data import Faces
from fesr_tf.fesr import FESR


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the iteration of the FESR model it belongs to."""

    def __init__(self, fesr: FESR):
        super().__init__()
        self.fesr = fesr

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.on_step(int(self.fesr.fesgan.step.numpy()), logs or {})

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        """Called after iteration `step` with every loss by name."""


def predict_logits(fesr: FESR, faces: Faces, batch_size: int = 64) -> np.ndarray:
    """R's logits in inference mode, float32 (N, K)."""
    parts = [
        fesr(faces.floats(slice(begin, begin + batch_size))).numpy()
        for begin in range(0, len(faces), batch_size)
    ]
    return np.concatenate(parts)
