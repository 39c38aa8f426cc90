"""The base of every callback here: `fesr_tf.training.monitoring` and `fesr_tf.training.guards`.

Each is an ordinary Keras callback. `step` always is the iteration of Algorithm 1 after the
batch, over both stages.
"""

from __future__ import annotations

import tf_keras as keras

from fesr_tf.model.fesr import FESR


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the iteration of the FESR model it belongs to."""

    def __init__(self, fesr: FESR):
        super().__init__()
        self.fesr = fesr

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.on_step(int(self.fesr.fesgan.step.numpy()), logs or {})

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        """Called after iteration `step` with every loss by name."""
