"""Warns when the training signals of a run look like a collapse.

The signals are those of `fesr_tf.model.collapse_signals`, smoothed. A warning is printed once, and
again only after the signal has recovered for as long as it had to be bad. It stops and changes
nothing: the user decides whether to continue. The means are not part of a checkpoint; a resumed
run starts new ones.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tqdm import tqdm

from fesr_tf.model.fesr import FESR
from fesr_tf.training.callbacks import StepCallback

# Weights of a new value in the two running means: over about 50 and 1,000 steps.
FAST, SLOW = 1 / 50, 1 / 1000
# Steps before the short mean is compared with the long one: until then both hold the same values.
SETTLED = 100
# Steps for which a signal must be bad. The first generated images of a run are all the same gray,
# and D_z wins the first hundred steps: a successful demo run was past both after 200.
PATIENCE = 300
# Shorter: bad gradients ruin the weights soon, and the long mean follows them.
GRADIENT_PATIENCE = 25
# Below this share of the real images' variance, faces hardly differ. The demo's lowest is 0.2, at
# step 20; later x_hat has 0.9 and x^{p,f} 0.5.
LOWEST_SPREAD = 0.05
# At 0.5 codes look like the prior. The demo stays at 0.6 to 0.9 after its first 200 steps; with
# lambda2 = 10 and a learning rate of 1e-3, where codes pile up, it is 0.95 to 0.99 from 500 on.
HIGHEST_ACCURACY = 0.95
# The penalty keeps D_img's slope from x_hat to x at 1. The demo's stays below 0.25, and at 0.52
# where codes pile up. Below zero D_img rates generated images as more real: noise, if slight.
HIGHEST_SLOPE, LOWEST_SLOPE = 1.0, -0.05
# Times the long mean. The demo's largest swing is 2.0 (D_z); it was 1.9 where codes piled up.
HIGHEST_GRADIENT, LOWEST_GRADIENT = 10.0, 0.01
# Replaces a gradient of 0 in a logarithm.
TINY = 1e-30


@dataclass(frozen=True)
class Sign:
    """A signal that is bad below `low` or above `high` for `patience` steps, with its message.

    relative: the bounds hold for the ratio of its short mean to its long mean.
    """

    signal: str
    low: float
    high: float
    message: str
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
        "the images that G generates from a batch hardly differ, so all people get one face; "
        "raise lambda2, or restart with a lower learning_rate",
    ),
    Sign(
        "spread_synthetic",
        LOWEST_SPREAD,
        NO_BOUND,
        "the images generated for R hardly differ, so R learns from one face many times; train "
        "stage 1 longer (pretrain_iterations), or raise lambda2",
    ),
    Sign(
        "accuracy_D_z",
        -NO_BOUND,
        HIGHEST_ACCURACY,
        "D_z separates nearly every code from the prior, so images generated from z differ from "
        "those that G was trained on; raise lambda1 or lambda2, or lower learning_rate",
    ),
    Sign(
        "slope_D_img",
        LOWEST_SLOPE,
        HIGHEST_SLOPE,
        "D_img's difference between real and generated images does not fit its gradient penalty, "
        "so it no longer guides G; raise penalty_weight, or lower learning_rate",
    ),
    *(
        Sign(
            f"gradient_{network}",
            LOWEST_GRADIENT if network == "G" else 0.0,
            HIGHEST_GRADIENT,
            f"the gradient of {network} is far from its long-term size; inspect the losses, and "
            "lower learning_rate if they oscillate",
            relative=True,
            patience=GRADIENT_PATIENCE,
        )
        for network in ("G", "D_img", "D_z", "R")
    ),
)


class Watched:
    """One signal over time: its two means, and how long it has been bad or good."""

    def __init__(self, sign: Sign):
        self.sign = sign
        self.count = 0
        self.fast = self.slow = 0.0
        self.streak = 0  # steps for which it has been bad or good, unlike `warned`
        self.warned = False

    def update(self, value: float, steps: int) -> str | None:
        """Takes the value of the last of `steps` steps. Returns a message, if one is due."""
        self.count += steps
        # A mean of logarithms, so that a few huge gradients do not dominate it.
        value = math.log(max(value, TINY)) if self.sign.relative else value
        for mean, rate in (("fast", FAST), ("slow", SLOW)):
            # The weight of the old mean; a plain mean as long as values are few.
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
            return f"{self.sign.message} (signals/{self.sign.signal} is {now:.2g}{unit})"
        return f"signals/{self.sign.signal} is {now:.2g}{unit}, back within bounds"


def to_stderr(line: str) -> None:
    """Prints beside a progress bar without breaking it."""
    tqdm.write(line, file=sys.stderr)


class WarnOfCollapse(StepCallback):
    """Watches `SIGNS` and prints a line when one of them becomes bad or recovers."""

    def __init__(self, fesr: FESR, output: Callable[[str], None] = to_stderr):
        super().__init__(fesr)
        self.output = output
        self.watched = {f"signals/{sign.signal}": Watched(sign) for sign in SIGNS}
        self.last = int(fesr.fesgan.step.numpy())

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        for name, watched in self.watched.items():
            if name in logs and (text := watched.update(logs[name], max(1, step - self.last))):
                self.output(f"{'warning' if watched.warned else 'note'}: step {step}: {text}")
        self.last = step
