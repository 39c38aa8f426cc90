"""Expressions: from a class and a person to action units over an intensity sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.demo_faces.action_units import ACTION_UNITS, SIDES, STRONGEST
from pipelines.demo_faces.identity import Identity

SAME, OPPOSITE = "same", "opposite"
"""Which side a one-sided movement of a variant takes, relative to the side sampled for it."""

Movement = int | tuple[int, str]
"""An action unit of both sides, or (unit, SAME or OPPOSITE)."""

PROTOTYPES: dict[str, tuple[dict[Movement, float], ...]] = {
    "neutral": ({},),
    "anger": (
        {4: 1.25, 5: 0.45, 7: 0.9, 23: 0.6, 24: 0.7, 17: 0.4, 9: 0.3},
        {4: 1.25, 7: 0.8, 5: 0.4, 10: 0.6, 25: 0.9, 16: 0.5, 9: 0.45},
    ),
    "contempt": (
        {(12, SAME): 0.55, (14, SAME): 1.2, (2, SAME): 0.45, (7, OPPOSITE): 0.25},
        {(14, SAME): 1.3, 24: 0.4, (12, SAME): 0.45, 17: 0.2},
    ),
    "disgust": (
        {9: 1.2, 10: 0.75, 4: 0.5, 7: 0.5, 6: 0.5, 17: 0.5, 15: 0.3},
        {9: 1.2, 10: 0.9, 25: 0.5, 16: 0.4, 4: 0.5, 7: 0.5, 6: 0.5},
    ),
    "fear": (
        {1: 1.3, 2: 0.6, 4: 0.4, 5: 1.1, 20: 1.0, 25: 0.8, 26: 0.3},
        {1: 1.3, 2: 0.5, 4: 0.45, 5: 1.0, 20: 0.9, 25: 0.7},
    ),
    "happiness": (
        {6: 1.0, 12: 0.95, 25: 0.5},
        {6: 1.0, 12: 1.0, 25: 1.1, 26: 0.4, 10: 0.3},
    ),
    "sadness": (
        {1: 1.4, 4: 0.5, 15: 1.15, 17: 0.75, 64: 0.25},
        {1: 1.3, 4: 0.4, 15: 1.0, 17: 0.4, 43: 0.2, 64: 0.3},
    ),
    "surprise": (
        {1: 1.2, 2: 1.2, 5: 1.0, 26: 1.15},
        {1: 1.2, 2: 1.2, 5: 0.9, 27: 0.75},
    ),
}
"""Two variants a class after EMFACS, with each movement's mean strength at the peak."""

CLASSES = tuple(PROTOTYPES)

ESSENTIAL: dict[str, tuple[Movement, ...]] = {
    "neutral": (),
    "anger": (4,),
    "contempt": ((14, SAME),),
    "disgust": (9,),
    "fear": (1, 5),
    "happiness": (12,),
    "sadness": (1, 15),
    "surprise": (2, 26, 27),
}
"""Movements without which the class is another: never dropped, never weaker than 0.8."""

GREATEST_PEAK = {12: 1.1, 27: 1.0}
"""Lip corners pulled further fold into the cheek; a jaw does not open further."""

DROP_OUT = 0.18
"""How often a person leaves out a movement that is not essential."""

IDLE_UNITS = tuple(unit for unit in ACTION_UNITS if unit not in (10, 16, 25, 26, 27, 43))
"""What may twitch in a face at rest: nothing that parts the lips."""


@dataclass(frozen=True)
class Component:
    """One action unit's course: 0 until `onset`, then straight up to `peak` at `apex`."""

    unit: int
    peak: dict[str, float]  # by side
    onset: float  # in [0, 0.1]
    apex: float  # in [0.92, 1]

    def at(self, time: float, side: str) -> float:
        """Strength at `time` in [0, 1]."""
        return self.peak[side] * min(max((time - self.onset) / (self.apex - self.onset), 0), 1)


@dataclass(frozen=True)
class Sequence:
    """A person's one performance of a class, from neutral at time 0 to the peak at 1."""

    components: tuple[Component, ...]
    rest: dict[tuple[int, str], float]  # small activity that stays throughout

    def at(self, time: float) -> dict[tuple[int, str], float]:
        """Activations at `time` in [0, 1]: never falling with it, and half way about half."""
        activation = dict(self.rest)
        for component in self.components:
            for side in component.peak:
                key = (component.unit, side)
                activation[key] = activation.get(key, 0.0) + component.at(time, side)
        return {key: min(strength, STRONGEST) for key, strength in activation.items()}


def perform(identity: Identity, label: str, random: np.random.Generator) -> Sequence:
    """Samples this person's performance of `label`: variant, drop-outs, strengths, sides, times."""
    variants = PROTOTYPES[label]
    variant = variants[random.integers(len(variants))]
    same = SIDES[random.integers(2)]
    opposite = SIDES[1 - SIDES.index(same)]
    components = []
    for movement, mean in variant.items():
        unit, where = movement if isinstance(movement, tuple) else (movement, None)
        sides = {None: SIDES, SAME: (same,), OPPOSITE: (opposite,)}[where]
        essential = movement in ESSENTIAL[label]
        dropped = random.random() < DROP_OUT
        gain = identity.expressiveness * identity.habit[unit] * np.exp(random.normal(0, 0.15))
        lean = identity.lean[unit] + random.normal(0, 0.05)
        onset, apex = random.uniform(0, 0.10), 1 - random.uniform(0, 0.08)
        if dropped and not essential:
            continue
        strength = mean * max(gain, 0.8 if essential else 0.3)
        limit = GREATEST_PEAK.get(unit, STRONGEST)
        peak = {
            side: min(strength * (1 + (lean if side == "l" else -lean)), limit) for side in sides
        }
        components.append(Component(unit, peak, onset, apex))
    return Sequence(tuple(components), at_rest(random))


def at_rest(random: np.random.Generator) -> dict[tuple[int, str], float]:
    """The small involuntary activity of a face that shows nothing: a few units, below 0.2."""
    rest = {}
    for unit in random.choice(IDLE_UNITS, 4, replace=False):
        strength = min(abs(random.normal(0, 0.05)), 0.15)
        rest.update({(int(unit), side): strength for side in SIDES})
    blink = min(abs(random.normal(0, 0.05)), 0.15)
    rest.update({(43, side): blink for side in SIDES})
    return rest
