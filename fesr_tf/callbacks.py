"""What watches a run: progress, TensorBoard, sample grids. What guards it: `fesr_tf.guards`.

Each is an ordinary Keras callback. `step` always is the iteration of Algorithm 1 after the
batch, over both stages.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tqdm import tqdm

from fesr_tf.data import Faces
from fesr_tf.fesr import FESR

SHOWN = ("L_D_img", "L_G", "L_rec", "L_id", "L_R")


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the iteration of the FESR model it belongs to."""

    def __init__(self, fesr: FESR):
        super().__init__()
        self.fesr = fesr

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.on_step(int(self.fesr.fesgan.step.numpy()), logs or {})

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        """Called after iteration `step` with every loss by name."""


class Progress(StepCallback):
    """One line: iteration, stage, rate, time left, the main losses."""

    def __init__(self, fesr: FESR, total: int, begin: int):
        super().__init__(fesr)
        # A log file gets a line now and then, a terminal one that moves.
        often = 1.0 if sys.stderr.isatty() else 20.0
        self.bar = tqdm(
            total=total, initial=begin, unit="step", dynamic_ncols=True, mininterval=often
        )

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        self.bar.update(step - self.bar.n)
        if step % 10 == 0:
            losses = {name: f"{logs[name]:.3f}" for name in SHOWN if name in logs}
            stage = "FESGAN" if self.model is self.fesr.fesgan else "FESR"
            self.bar.set_description(stage, refresh=False)
            self.bar.set_postfix(losses, refresh=False)

    def close(self) -> None:
        self.bar.close()


class Scalars(StepCallback):
    """Every loss by its name, and steps and images a second, to TensorBoard."""

    def __init__(self, fesr: FESR, writer: tf.summary.SummaryWriter):
        super().__init__(fesr)
        self.writer = writer
        self.last: tuple[float, int] | None = None

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        if step % self.fesr.config.log_every:
            return
        now = time.perf_counter()
        with self.writer.as_default(step=step):
            for name, value in logs.items():
                tf.summary.scalar(f"losses/{name}", value)
            if self.last:
                rate = (step - self.last[1]) / (now - self.last[0])
                tf.summary.scalar("speed/steps_per_second", rate)
                tf.summary.scalar("speed/images_per_second", rate * self.fesr.config.batch_size)
        self.last = (now, step)


class Validation(StepCallback):
    """Accuracy of R on the validation part, to TensorBoard. It selects nothing by itself."""

    def __init__(self, fesr: FESR, faces: Faces, writer: tf.summary.SummaryWriter):
        super().__init__(fesr)
        self.faces = faces
        self.writer = writer
        self.latest: tuple[int, float] | None = None  # step and accuracy

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        if self.model is not self.fesr or step % self.fesr.config.validate_every:
            return
        predicted = predict_logits(self.fesr, self.faces).argmax(-1)
        accuracy = float(np.mean(predicted == self.faces.labels))
        self.latest = (step, accuracy)
        with self.writer.as_default(step=step):
            tf.summary.scalar("validation/accuracy", accuracy)


class Pictures(StepCallback):
    """Draws a sheet every `picture_every` iterations and after the last one."""

    def __init__(self, fesr: FESR, draw: Callable[[int], None]):
        super().__init__(fesr)
        self.draw = draw

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        if step % self.fesr.config.picture_every == 0:
            self.draw(step)


def predict_logits(fesr: FESR, faces: Faces, batch_size: int = 64) -> np.ndarray:
    """R's logits in inference mode, float32 (N, K)."""
    parts = [
        fesr(faces.floats(slice(begin, begin + batch_size))).numpy()
        for begin in range(0, len(faces), batch_size)
    ]
    return np.concatenate(parts)
