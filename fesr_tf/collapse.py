"""Says in plain words when the live signals of a run look like a collapse.

The signals are those of `fesr_tf.signals`, smoothed. A warning comes once; it may come again
after the signal has been good for as long as it had to be bad. It stops nothing: whether a run
is worth going on with is for a person to say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tqdm import tqdm

from fesr_tf.callbacks import StepCallback
from fesr_tf.fesr import FESR

# Steps that a smoothed signal must be bad, or good again, before anything is said: the first
# faces of a run are all the same gray until G has learnt something.
PATIENCE = 500
# Weight of a new value in the running means: about the last 50 and the last 1,000 steps.
FAST, SLOW = 1 / 50, 1 / 1000


@dataclass(frozen=True)
class Sign:
    """A signal that means trouble below `low` or above `high`.

    relative: compared with its own long running mean instead of as it is.
    """

    name: str
    words: str
    low: float = float("-inf")
    high: float = float("inf")
    relative: bool = False


SIGNS = ()


class WarnOfCollapse(StepCallback):
    pass
