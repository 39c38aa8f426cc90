"""Says in plain words when the live signals of a run look like a collapse.

The signals are those of `fesr_tf.model.collapse_signals`, smoothed. A warning comes once, and
again only after the signal has been good for as long as it had to be bad. It stops and changes
nothing: a person decides whether a run is worth continuing. The means are no part of a
checkpoint; a run that goes on watches anew.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tqdm import tqdm

from fesr_tf.model.fesr import FESR
from fesr_tf.training.callbacks import StepCallback

# Weights of a new value in the two running means: about the last 50 and the last 1,000 steps.
FAST, SLOW = 1 / 50, 1 / 1000
# Steps before a mean is compared with the long one: until then they are made of the same values.
SETTLED = 100
# Steps that a signal must be bad. The first drawn faces of a run are all the same gray, and D_z
# wins the first hundred steps: a demo run that ended well had left both behind after 200.
PATIENCE = 300
# Shorter: weights are soon lost, and the long mean follows.
GRADIENT_PATIENCE = 25
# Below this share of the real images' variance, faces differ by shades. The demo's lowest is 0.2,
# at step 20; x_hat has 0.9 and x^{p,f} 0.5 later.
LOWEST_SPREAD = 0.05
# At 0.5 codes look like the prior. The demo stays at 0.6 to 0.9 after its first 200 steps; with
# lambda2 = 10 and a learning rate of 1e-3, where codes pile up, it is 0.95 to 0.99 from 500 on.
HIGHEST_ACCURACY = 0.95
# The penalty holds D_img's slope from x_hat to x at 1. The demo's stays below 0.25, and
# at 0.52 where codes pile up. Below zero drawn faces are the more real ones to D_img, which is
# noise only as long as it is little.
HIGHEST_SLOPE, LOWEST_SLOPE = 1.0, -0.05
# Times the long mean. The demo's largest swing is 2.0 (D_z); it was 1.9 where codes piled up.
HIGHEST_GRADIENT, LOWEST_GRADIENT = 10.0, 0.01
# Stands for a gradient of 0 where a logarithm is taken.
TINY = 1e-30


@dataclass(frozen=True)
class Sign:
    """A signal that is bad below `low` or above `high` for `patience` steps, and what that means.

    relative: it is compared with its own long mean, by their ratio.
    """

    signal: str
    low: float
    high: float
    words: str
    relative: bool = False
    patience: int = PATIENCE

    def bad(self, value: float) -> bool:
        """Whether a smoothed value, or ratio, is out of bounds."""
        return not self.low <= value <= self.high


NO_BOUND = float("inf")
SIGNS = (
    Sign(
        "spread_translated",
        LOWEST_SPREAD,
        NO_BOUND,
        "the faces that G draws of a batch hardly differ from each other, so everybody gets one "
        "face; raise lambda2, or begin anew with a lower learning_rate",
    ),
    Sign(
        "spread_synthetic",
        LOWEST_SPREAD,
        NO_BOUND,
        "the faces drawn for R hardly differ from each other, so R learns from one face many "
        "times; train stage 1 longer (pretrain_iterations), or raise lambda2",
    ),
    Sign(
        "accuracy_D_z",
        -NO_BOUND,
        HIGHEST_ACCURACY,
        "D_z tells nearly every code from the prior, so faces drawn from z are not like those "
        "that G was trained on; raise lambda1 or lambda2, or lower learning_rate",
    ),
    Sign(
        "slope_D_img",
        LOWEST_SLOPE,
        HIGHEST_SLOPE,
        "D_img's gap between real and drawn faces does not fit its gradient penalty, so its "
        "word guides G no more; raise penalty_weight, or lower learning_rate",
    ),
    *(
        Sign(
            f"gradient_{network}",
            LOWEST_GRADIENT if network == "G" else 0.0,
            HIGHEST_GRADIENT,
            f"the gradient of {network} has left the size it had for long; look at the losses, "
            "and lower learning_rate if they swing",
            relative=True,
            patience=GRADIENT_PATIENCE,
        )
        for network in ("G", "D_img", "D_z", "R")
    ),
)


class Watched:
    """One signal over time: its two means, and for how long it has been bad or good."""

    def __init__(self, sign: Sign):
        self.sign = sign
        self.count = 0
        self.fast = self.slow = 0.0
        self.streak = 0  # steps for which it has been the other of bad and good than `warned`
        self.warned = False

    def see(self, value: float, steps: int) -> str | None:
        """Takes the value of the last of `steps` steps. Returns what to say, if anything."""
        self.count += steps
        # A mean of logarithms, so that a few huge gradients do not become their own measure.
        value = math.log(max(value, TINY)) if self.sign.relative else value
        for mean, rate in (("fast", FAST), ("slow", SLOW)):
            # The share that is left of the old mean; a plain mean as long as values are few.
            old = 0.0 if self.count == steps else min(1 - rate, 1 - 1 / self.count) ** steps
            setattr(self, mean, old * getattr(self, mean) + (1 - old) * value)
        if self.sign.relative and self.count < SETTLED:
            return None
        now = math.exp(self.fast - self.slow) if self.sign.relative else self.fast
        self.streak = self.streak + steps if self.sign.bad(now) != self.warned else 0
        if self.streak < self.sign.patience:
            return None
        self.streak, self.warned = 0, not self.warned
        unit = " times its long mean" if self.sign.relative else ""
        if self.warned:
            return f"{self.sign.words} (signals/{self.sign.signal} is {now:.2g}{unit})"
        return f"signals/{self.sign.signal} is {now:.2g}{unit} and back within bounds"


def to_stderr(line: str) -> None:
    """Prints beside a progress bar without breaking it."""
    tqdm.write(line, file=sys.stderr)


class WarnOfCollapse(StepCallback):
    """Watches `SIGNS` and says, in one line each, which of them have gone bad or come back."""

    def __init__(self, fesr: FESR, say: Callable[[str], None] = to_stderr):
        super().__init__(fesr)
        self.say = say
        self.watched = {f"signals/{sign.signal}": Watched(sign) for sign in SIGNS}
        self.last = int(fesr.fesgan.step.numpy())

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        for name, watched in self.watched.items():
            if name in logs and (said := watched.see(logs[name], max(1, step - self.last))):
                self.say(f"{'warning' if watched.warned else 'note'}: step {step}: {said}")
        self.last = step
