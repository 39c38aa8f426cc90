"""What saves and guards a run. What shows it is in `fesr_tf.watching`.

Each is an ordinary Keras callback. `step` always is the iteration of Algorithm 1 after the
batch, over both stages.
"""

from __future__ import annotations

import math
import signal
import threading

import numpy as np
import tf_keras as keras

from fesr_tf.checkpoints import Checkpoints
from fesr_tf.data import Faces
from fesr_tf.fesr import FESR
from pipelines.errors import FailedWork


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the iteration of the FESR model it belongs to."""

    def __init__(self, fesr: FESR):
        super().__init__()
        self.fesr = fesr

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.on_step(int(self.fesr.fesgan.step.numpy()), logs or {})

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        """Called after iteration `step` with every loss by name."""


class Saves(StepCallback):
    """A checkpoint every `checkpoint_every` iterations and at the end of each stage."""

    def __init__(self, fesr: FESR, checkpoints: Checkpoints):
        super().__init__(fesr)
        self.checkpoints = checkpoints

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        if step % self.fesr.config.checkpoint_every == 0:
            self.checkpoints.save()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.checkpoints.save()


class StopOnNonFinite(StepCallback):
    """Ends the run at the first loss that is not a number, naming it."""

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            if not math.isfinite(value):
                raise FailedWork(
                    f"{name} became {value} at step {step}: the run stops and its last "
                    "checkpoint stays; lower learning_rate, or look at the run in TensorBoard"
                )


class StopOnSignal(keras.callbacks.Callback):
    """Ctrl-C (or SIGTERM) ends training after the running step; a second one at once."""

    def __init__(self):
        super().__init__()
        self.stopped = False
        self._before: dict[int, object] = {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        # Python takes signals in the main thread only; elsewhere the caller stops the run.
        if not self._before and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)

    def restore(self) -> None:
        """Gives the signals back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.stopped:
            self.model.stop_training = True

    def _stop(self, number: int, frame: object) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True


def predict_logits(fesr: FESR, faces: Faces, batch_size: int = 64) -> np.ndarray:
    """R's logits in inference mode, float32 (N, K)."""
    parts = [
        fesr(faces.floats(slice(begin, begin + batch_size))).numpy()
        for begin in range(0, len(faces), batch_size)
    ]
    return np.concatenate(parts)
