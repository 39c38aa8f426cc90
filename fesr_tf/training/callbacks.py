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


class EverySteps(StepCallback):
    """Calls `act` whenever a multiple of `every` has been reached, and at `last`.

    Several steps may be one call (`steps_per_execution`): what falls due within one is done
    once, after it. `every` = 0 never acts.
    """

    def __init__(self, fesr: FESR, every: int, last: int | None = None):
        super().__init__(fesr)
        self.every, self.last = every, last
        self.seen = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.seen = int(self.fesr.fesgan.step.numpy())

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        due = self.every and (step // self.every > self.seen // self.every or step == self.last)
        self.seen = step
        if due:
            self.act(step, logs)

    def act(self, step: int, logs: dict[str, float]) -> None:
        """What is done after iteration `step`, whose losses are `logs`."""
        raise NotImplementedError

    @property
    def in_second_stage(self) -> bool:
        """True while R learns."""
        return self.model is self.fesr
