"""Removes frowns and droops from a sampled shape, so that a neutral face looks neutral.

Random features easily add up to low inner brows, hanging mouth corners or heavy lids,
which look like anger, sadness or boredom in every image of that person. Four measures of
the face are therefore moved into a band around the template's by targets that act on
little else. Targets are linear, so one step is exact up to the choice of sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.demo_faces.head import BODY, LEFT_EYE, Head

Measure = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Rule:
    """Keeps `measure` within `band` of the template's value by `raising` or `lowering`."""

    measure: Measure
    band: tuple[float, float]  # allowed difference from the template, in the head's unit
    raising: dict[str, float]  # targets that together enlarge the measure …
    lowering: dict[str, float]  # … and that make it smaller


def relax(head: Head, shape: dict[str, float], random: np.random.Generator) -> dict[str, float]:
    """`shape` with corrections added; where inside its band a measure falls stays personal."""
    relaxed = dict(shape)
    for rule in _rules(head):
        here = rule.measure(head.morphs.add(head.vertices.copy(), relaxed))
        difference = here - rule.measure(head.vertices)
        low, high = rule.band
        softness = random.uniform(0, 0.3) * (high - low)
        wanted = float(np.clip(difference, low + softness, high - softness))
        step = rule.raising if wanted > difference else rule.lowering
        moved = rule.measure(head.morphs.add(head.vertices.copy(), step))
        amount = (wanted - difference) / (moved - rule.measure(head.vertices))
        for name, share in step.items():
            relaxed[name] = relaxed.get(name, 0.0) + amount * share
    return relaxed


def _rules(head: Head) -> tuple[Rule, ...]:
    """In order: brow height, brow tilt, mouth corners, upper lids."""
    inner, outer = _pair(head, 0.13, 7.46), _pair(head, 0.48, 7.48)
    middle = _pair(head, 0.32, 7.50)
    corners, lips = _pair(head, 0.255, 6.60), _pair(head, 0.01, 6.605)
    upper, lower = _pair(head, 0.31, 7.345), _pair(head, 0.31, 7.205)

    def height(vertices: np.ndarray, pair: np.ndarray) -> float:
        return float(vertices[pair, 1].mean())

    both = ("l", "r")
    return (
        Rule(
            lambda v: height(v, middle) - float(v[head.part == LEFT_EYE, 1].mean()),
            (0.0, 0.05),
            {"eyebrows/eyebrows-trans-up": 1.0},
            {"eyebrows/eyebrows-trans-down": 1.0},
        ),
        Rule(
            lambda v: height(v, inner) - height(v, outer),
            (0.005, 0.04),
            {"eyebrows/eyebrows-angle-up": 1.0, "fu/browInnerUp": 0.5},
            {"eyebrows/eyebrows-angle-down": 1.0},
        ),
        Rule(
            lambda v: height(v, corners) - height(v, lips),
            (0.0, 0.035),
            {"mouth/mouth-angles-up": 1.0},
            {"mouth/mouth-angles-down": 1.0},
        ),
        Rule(
            lambda v: height(v, upper) - height(v, lower),
            (-0.01, 0.035),
            {"fu/eyeWideLeft": 1.0, "fu/eyeWideRight": 1.0},
            {f"eyes/{side}-eye-height2-decr": 1.0 for side in both},
        ),
    )


def _pair(head: Head, x: float, y: float) -> np.ndarray:
    """The front skin vertices nearest (x, y) and (-x, y) on the template."""
    skin = (head.part == BODY) & (head.vertices[:, 2] > 1.0)
    found = []
    for side in (1, -1):
        distance = np.hypot(head.vertices[:, 0] - side * x, head.vertices[:, 1] - y)
        found.append(int(np.argmin(np.where(skin, distance, np.inf))))
    return np.array(found)
