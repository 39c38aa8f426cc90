"""Creases of the skin by action units and age, as a darkening of single pixels.

The mesh is too coarse for creases, and expressions differ much in them.
"""

from __future__ import annotations

import numpy as np

from pipelines.demo_faces.action_units import Activation
from pipelines.demo_faces.fields import bump, smoothstep

DEEPEST = 0.75
ABSORBED = np.array([0.55, 0.75, 0.8], np.float32)
"""How much of red, green and blue a full crease takes away."""


def creased(template: np.ndarray) -> np.ndarray:
    """Which fragments (F,) can carry a crease: the front of the face, chin to hairline."""
    _, y, z = template.T
    return (z > 0.6) & (y > 6.15) & (y < 8.05)


def creases(
    template: np.ndarray, patches: np.ndarray, activation: Activation, age: float, wrinkling: float
) -> np.ndarray:
    """Depth in [0, 0.75], float32 (F,), at template positions (F, 3).

    `patches` (F,) is noise of unit variance that dimples the chin; `age` is in [0, 1].
    """
    x, y, _ = template.T
    side = np.abs(x)
    left = x >= 0

    def unit(number: int) -> np.ndarray:
        strength = [activation.get((number, which), 0.0) for which in "lr"]
        return np.where(left, np.float32(strength[0]), np.float32(strength[1]))

    active = {number for (number, _), strength in activation.items() if strength > 0.02}
    depth = np.zeros(len(x), np.float32)
    if 4 in active:
        frown = bump(side, 0.055 + 0.02 * (y - 7.45), 0.012) * bump(y, 7.47, 0.07)
        depth += 0.75 * unit(4) * frown
    if active & {1, 2}:
        raised = np.maximum(unit(1) * bump(side, 0, 0.28), unit(2) * bump(side, 0.38, 0.2))
        for line in range(4):
            height = 7.64 + 0.095 * line + 0.02 * np.cos(side * 6 + line)
            depth += 0.42 * raised * bump(y, height, 0.010)
    fold = bump(side, 0.19 + 0.16 * np.clip((6.95 - y) / 0.35, 0, 1.2) ** 0.8, 0.017)
    fold *= smoothstep(y, 6.52, 6.66) * smoothstep(y, 7.02, 6.90)
    pull = 0.8 * unit(12) + 0.6 * unit(9) + 0.5 * unit(10) + 0.3 * unit(15) + 0.25 * unit(20)
    depth += (0.55 * np.clip(pull, 0, 1.2) + 0.25 * age) * fold
    if active & {6, 7}:
        squeeze = np.clip(unit(6) + 0.3 * unit(7), 0, 1.2) * smoothstep(side, 0.47, 0.51)
        squeeze *= smoothstep(side, 0.63, 0.57)
        for ray in (-1, 0, 1):
            height = 7.27 + ray * 0.045 + ray * 0.35 * (side - 0.5)
            depth += 0.35 * squeeze * bump(y, height, 0.008)
        pouch = bump(y, 7.175 - 0.05 * np.cos((side - 0.31) * 7), 0.012)
        pouch *= np.exp(-0.5 * ((side - 0.31) / 0.1) ** 4)
        depth += 0.3 * np.clip(unit(6) + 0.6 * unit(7), 0, 1.3) * pouch
    if 9 in active:
        bridge = unit(9) * smoothstep(side, 0.10, 0.06)
        for line in range(3):
            depth += 0.5 * bridge * bump(y, 7.30 + 0.05 * line + 0.25 * side, 0.010)
    if 17 in active:
        dimples = bump(side, 0, 0.12) * bump(y, 6.32, 0.08) * np.clip(patches, 0, 2)
        depth += 0.25 * unit(17) * dimples
    if active & {14, 15}:
        corner = bump(side, 0.275 + 0.12 * (6.6 - y), 0.016)
        corner *= smoothstep(y, 6.42, 6.5) * smoothstep(y, 6.64, 6.58)
        depth += 0.4 * np.clip(unit(15) + 0.5 * unit(14), 0, 1.2) * corner
    if age > 0.3:
        for line in range(3):
            height = 7.66 + 0.11 * line + 0.015 * np.cos(side * 7 + line)
            depth += 0.15 * age * bump(y, height, 0.010) * smoothstep(side, 0.5, 0.3)
    return np.clip(depth * wrinkling, 0, DEEPEST).astype(np.float32)
