"""Keras callbacks that save a run, keep its best state, and stop it before it saves a bad one.

In a list of callbacks `StopOnNonFinite` precedes `KeepBest` and `Saves`, so that a state that
is not finite is never saved.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import tf_keras as keras

from fesr_tf.model.fesr import FESR
from fesr_tf.runs.checkpoints import Checkpoints
from fesr_tf.training.callbacks import StepCallback
from pipelines.common.errors import FailedWork
from pipelines.common.text import listed

SCORE = "validation_accuracy"
NAMED = 3
"""Values that a message names; the others are counted."""


class StopOnNonFinite(StepCallback):
    """Stops the run at the first loss or gradient that is not finite, and names it.

    The logs hold every loss and the norm of each network's gradients (`signals/gradient_<net>`),
    which is not finite if one entry is not. By then the gradient has changed the weights, so
    that step must not be saved.
    """

    def __init__(self, fesr: FESR):
        super().__init__(fesr)
        self.last: int | None = None

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        wrong = {name: value for name, value in logs.items() if not math.isfinite(value)}
        if wrong:
            first = 1 + (step - 1 if self.last is None else self.last)
            when = f"step {step}" if first >= step else f"one of the steps {first} to {step}"
            raise FailedWork(
                f"{_named(wrong)} at {when}: the run stops without saving this state, and the last "
                "checkpoint remains valid; lower learning_rate, or inspect the run in TensorBoard"
            )
        self.last = step


def _named(wrong: dict[str, float]) -> str:
    """'L_rec became nan, the gradient of G became inf and 4 more'."""
    # Losses first: they cause the gradients of their step.
    names = sorted(wrong, key=lambda name: name.startswith("signals/"))
    return listed((f"{_plain(name)} became {wrong[name]}" for name in names), NAMED)


def _plain(name: str) -> str:
    gradient = name.removeprefix("signals/gradient_")
    return name if gradient == name else f"the gradient of {gradient}"


class Saves(StepCallback):
    """Saves a checkpoint every `checkpoint_every` iterations and at the end of each stage."""

    def __init__(self, fesr: FESR, checkpoints: Checkpoints):
        super().__init__(fesr)
        self.checkpoints = checkpoints
        self.last = int(fesr.fesgan.step.numpy())

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        # One call may have taken several steps.
        every = self.fesr.config.checkpoint_every
        if step // every > self.last // every:
            self.checkpoints.save()
        self.last = step

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.checkpoints.save()


class KeepBest(StepCallback):
    """Keeps the state with R's best accuracy on the validation part, separately from the others.

    `latest()` returns the step and accuracy of the last validation, None before the first. Of
    equal accuracies the earliest is kept. It runs after the validation and before `Saves`: a run
    that resumes from a checkpoint validates the later states again, and so keeps the same state
    as a run that was never stopped.
    """

    def __init__(
        self, fesr: FESR, best: Checkpoints, latest: Callable[[], tuple[int, float] | None]
    ):
        super().__init__(fesr)
        self.best = best
        self.latest = latest
        self.score: float = best.about().get(SCORE, -1.0)

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        validated, accuracy = self.latest() or (None, 0.0)
        if validated == step and accuracy > self.score:
            self.best.save(**{SCORE: accuracy})
            self.score = accuracy


class StopOnSignal(keras.callbacks.Callback):
    """Stops training after the current step on Ctrl-C or SIGTERM, and at once on a second one.

    agree: of this process's signal, whether all processes stop at this step; asked after each.
    """

    def __init__(self, agree: Callable[[bool], bool] = lambda stopped: stopped):
        super().__init__()
        self.agree = agree
        self.stopped = False

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.agree(self.stopped):
            self.model.stop_training = True

    def stop(self, number: int, frame: object) -> None:
        """The signals' handler."""
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        # Not print(): the signal may have interrupted one.
        os.write(2, b"\nstopping after this step, then saving; repeat to stop without saving\n")
