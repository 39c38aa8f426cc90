"""Colours of people and clothes, as sRGB in [0, 1] by name, and their linear values."""

from __future__ import annotations

import numpy as np

GAMMA = 2.2

SKIN = np.array(
    [
        [0.88, 0.72, 0.63],
        [0.83, 0.64, 0.52],
        [0.74, 0.54, 0.42],
        [0.62, 0.43, 0.31],
        [0.46, 0.31, 0.22],
        [0.33, 0.22, 0.16],
    ]
)
"""From the lightest tone, 0, to the darkest, 5."""

NATURAL_HAIR = np.array(
    [
        [0.06, 0.05, 0.045],
        [0.13, 0.09, 0.06],
        [0.25, 0.16, 0.09],
        [0.42, 0.29, 0.17],
        [0.60, 0.47, 0.30],
    ]
)
"""From black to blond; the first three occur in everyone."""

GREY_HAIR = np.array([0.56, 0.55, 0.53])

IRIS = np.array(
    [
        [0.22, 0.12, 0.06],
        [0.30, 0.18, 0.08],
        [0.30, 0.32, 0.16],
        [0.25, 0.40, 0.50],
        [0.38, 0.44, 0.47],
    ]
)
"""Brown, brown, green, blue, grey; the first two occur in everyone."""

LIPS = np.array([0.72, 0.33, 0.33])

CLOTHES = np.array(
    [
        [0.13, 0.16, 0.26],
        [0.20, 0.21, 0.23],
        [0.16, 0.32, 0.46],
        [0.10, 0.34, 0.33],
        [0.20, 0.36, 0.22],
        [0.40, 0.10, 0.17],
        [0.33, 0.22, 0.42],
        [0.45, 0.58, 0.70],
        [0.84, 0.85, 0.86],
        [0.50, 0.53, 0.57],
    ]
)
"""None near a skin tone, so that a shirt never reads as a bare shoulder."""

BACKDROP = np.array([0.62, 0.64, 0.66])


def linear(srgb: np.ndarray) -> np.ndarray:
    """Light proportional to radiance from display values in [0, 1]."""
    return np.asarray(srgb, float) ** GAMMA


def skin(tone: float) -> np.ndarray:
    """The linear skin colour of a tone in [0, 5], between the palette's steps."""
    steps = np.arange(len(SKIN))
    return linear(np.array([np.interp(tone, steps, channel) for channel in SKIN.T]))
