"""What keeps a run safe: saving it, keeping its best, and stopping before harm is saved.

Ordinary Keras callbacks. In a list of them `StopOnNonFinite` stands before `KeepBest` and
`Saves`, so that a state that went wrong is never saved.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable

import tf_keras as keras

from fesr_tf.model.fesr import FESR
from fesr_tf.runs.checkpoints import Checkpoints
from fesr_tf.training.callbacks import StepCallback
from pipelines.common.errors import FailedWork

SCORE = "validation_accuracy"
# Named in a message; the rest is counted.
NAMED = 3


class StopOnNonFinite(StepCallback):
    """Ends the run at the first loss, or gradient, that is not a finite number, naming it.

    The logs hold every loss, and of each network's gradients the norm (`signals/gradient_<net>`),
    which is not finite as soon as one entry is not. A bad gradient has moved the weights by the
    time it is seen, so nothing of that step may be saved.
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
                f"{_named(wrong)} at {when}: the run stops, nothing of it is saved and the last "
                "checkpoint stays good; lower learning_rate, or look at the run in TensorBoard"
            )
        self.last = step


def _named(wrong: dict[str, float]) -> str:
    """'L_rec became nan, the gradient of G became inf, and 4 more'."""
    # Losses first: a bad loss is why the gradients of its step are bad.
    names = sorted(wrong, key=lambda name: name.startswith("signals/"))
    said = [f"{_plain(name)} became {wrong[name]}" for name in names[:NAMED]]
    if len(names) > NAMED:
        said.append(f"and {len(names) - NAMED} more")
    return ", ".join(said)


def _plain(name: str) -> str:
    gradient = name.removeprefix("signals/gradient_")
    return name if gradient == name else f"the gradient of {gradient}"


class Saves(StepCallback):
    """A checkpoint every `checkpoint_every` iterations and at the end of each stage."""

    def __init__(self, fesr: FESR, checkpoints: Checkpoints):
        super().__init__(fesr)
        self.checkpoints = checkpoints
        self.last = int(fesr.fesgan.step.numpy())

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        # Several steps may have been taken in one call.
        every = self.fesr.config.checkpoint_every
        if step // every > self.last // every:
            self.checkpoints.save()
        self.last = step

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.checkpoints.save()


class KeepBest(StepCallback):
    """Keeps the state of R's best accuracy on the validation part, apart from the others.

    `latest()` gives the step of the last validation and its accuracy, None before the first. Of
    equal ones the earliest is kept. Stands after the validation and before `Saves`: every
    validation up to the last checkpoint is then accounted for, and a run that goes on from
    there, and validates the same states again, chooses what one never stopped chooses.
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
        # Not print(): the signal may have come in the middle of one.
        os.write(2, b"\nstopping after this step, then saving; once more stops at once, unsaved\n")
