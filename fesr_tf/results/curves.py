"""Curves of losses, accuracy, speed and memory from a run's event files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from fesr_tf.runs import files
from fesr_tf.training.monitoring.events import PREFIX
from fesr_tf.training.monitoring.glossary import LOSSES

ACCURACY, SPEED, MEMORY = "validation/accuracy", "speed/seconds_per_step", "memory/peak_GiB"
WANTED = frozenset({*(f"losses/{name}" for name in LOSSES), ACCURACY, SPEED, MEMORY})
POINTS = 60

Curve = list[tuple[int, float]]


def curves(run: Path) -> dict[str, Curve]:
    """The finite values of a run's scalars in `WANTED`, by tag, in order of steps. Read event by
    event with TensorBoard's loader, because its accumulator would hold all images."""
    by_tag: dict[str, dict[int, float]] = {}
    for path in sorted((run / files.EVENTS).glob(f"{PREFIX}*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value if event.HasField("summary") else ():
                if value.tag not in WANTED or not value.HasField("tensor"):
                    continue
                number = float(tensor_util.make_ndarray(value.tensor))
                if np.isfinite(number):
                    by_tag.setdefault(value.tag, {})[int(event.step)] = number
    return {tag: sorted(points.items()) for tag, points in sorted(by_tag.items())}


def thinned(curve: Curve, points: int = POINTS) -> Curve:
    """At most `points` of the points, evenly spread, with the first and the last; no averaging."""
    if len(curve) <= points:
        return curve
    return [curve[int(i)] for i in np.linspace(0, len(curve) - 1, points).round()]
