"""When a callback acts: every so many iterations of Algorithm 1, and after the last one."""

from __future__ import annotations

from fesr_tf.model.fesr import FESR
from fesr_tf.training.callbacks import StepCallback


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
