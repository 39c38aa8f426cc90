"""Base classes of the Keras callbacks in `fesr_tf.training` and its `monitoring`.

`step` is the iteration of Algorithm 1 after the batch, counted over both stages.
"""

from __future__ import annotations

import tf_keras as keras

from fesr_tf.model.fesr import FESR


class StepCallback(keras.callbacks.Callback):
    """A callback that receives the iteration of its FESR model."""

    def __init__(self, fesr: FESR):
        super().__init__()
        self.fesr = fesr

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.on_step(int(self.fesr.fesgan.step.numpy()), logs or {})

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        """Called after iteration `step` with every loss by name."""


class EverySteps(StepCallback):
    """Calls `act` whenever a multiple of `every` has been reached, and at `last`.

    If one call takes several steps (`steps_per_execution`), `act` is called at most once, after
    it. `every` = 0 never acts.
    """

    def __init__(self, fesr: FESR, every: int, last: int | None = None):
        super().__init__(fesr)
        self.every, self.last = every, last
        self.previous = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.previous = int(self.fesr.fesgan.step.numpy())

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        due = self.every and (step // self.every > self.previous // self.every or step == self.last)
        self.previous = step
        if due:
            self.act(step, logs)

    def act(self, step: int, logs: dict[str, float]) -> None:
        """Acts after iteration `step`, whose losses are `logs`."""
        raise NotImplementedError

    @property
    def in_second_stage(self) -> bool:
        """True while R learns."""
        return self.model is self.fesr
