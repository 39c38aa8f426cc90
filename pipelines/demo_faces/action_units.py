"""FACS action units, and the face-unit targets of the mesh that carry them out."""

from __future__ import annotations

from collections.abc import Mapping

SIDES = ("l", "r")
"""The person's own left and right."""

Activation = Mapping[tuple[int, str], float]
"""(action unit, side) -> strength, 0 at rest, 1 a full movement, at most `STRONGEST`."""

STRONGEST = 1.5

BOTH = "*"
"""Marks a target that exists once a side; an unmarked target is shared by both sides."""

ACTION_UNITS: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1},
    2: {"browOuterUp*": 1},
    4: {"browDown*": 1},
    5: {"eyeWide*": 1},
    6: {"cheekSquint*": 1},
    7: {"eyeSquint*": 1},
    9: {"noseSneer*": 1},
    10: {"mouthUpperUp*": 1},
    12: {"mouthSmile*": 1},
    14: {"mouthDimple*": 1},
    15: {"mouthFrown*": 1},
    16: {"mouthLowerDown*": 1},
    17: {"mouthShrugLower": 1, "mouthShrugUpper": 0.5},
    20: {"mouthStretch*": 1},
    23: {"mouthRollLower": 0.5, "mouthRollUpper": 0.5},
    24: {"mouthPress*": 1},
    25: {"jawOpen": 0.08, "mouthLowerDown*": 0.35, "mouthUpperUp*": 0.2},
    26: {"jawOpen": 0.45},
    27: {"jawOpen": 1},
    43: {"eyeBlink*": 1},
    64: {"eyeLookDown*": 1},
}

LARGEST_WEIGHT = 1.5
LARGEST_JAW = 1.0
"""Beyond these a target tears the mesh."""


def columns() -> list[str]:
    """Names of the columns of a table, in order: `au01_l`, `au01_r`, `au02_l`, …"""
    return [column(unit, side) for unit in ACTION_UNITS for side in SIDES]


def column(unit: int, side: str) -> str:
    """The column that holds one action unit of one side."""
    return f"au{unit:02d}_{side}"


def target_weights(activation: Activation) -> dict[str, float]:
    """Morph weights that carry out an activation; each grows with every activation it serves."""
    weights: dict[str, float] = {}
    for (unit, side), strength in activation.items():
        for name, share in ACTION_UNITS[unit].items():
            if name.endswith(BOTH):
                target = "fu/" + name[:-1] + ("Left" if side == "l" else "Right")
                weight = strength * share
            else:
                target = "fu/" + name
                weight = strength * share / 2
            weights[target] = weights.get(target, 0.0) + weight
    return {
        name: min(weight, LARGEST_JAW if name == "fu/jawOpen" else LARGEST_WEIGHT)
        for name, weight in weights.items()
    }
