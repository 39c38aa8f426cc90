"""Smooth fields over the face: steps, bumps and the noise that breaks up flat colour."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

NOISE_SIZE = 256
"""Noise textures are square, this wide, and tile."""


def smoothstep(x: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 before `start`, 1 after `end`, 3u² - 2u³ between; `start` > `end` gives a falling step."""
    u = np.clip((x - start) / (end - start), 0, 1)
    return u * u * (3 - 2 * u)


def bump(x: np.ndarray, centre: float | np.ndarray, width: float) -> np.ndarray:
    """A Gaussian of standard deviation `width`, 1 at `centre`."""
    u = (x - centre) / width
    return np.exp(-0.5 * u * u)


@dataclass(frozen=True)
class Noise:
    """Tiling textures of zero mean and unit variance, float32 (256, 256)."""

    broad: np.ndarray
    medium: np.ndarray
    fine: np.ndarray
    strands: np.ndarray  # hairs: correlated down a column, fresh across a row

    @staticmethod
    def sample(texture: np.ndarray, across: np.ndarray, along: np.ndarray) -> np.ndarray:
        """The texture at integer-truncated coordinates in texels, wrapping around."""
        column = across.astype(np.int32) & (NOISE_SIZE - 1)
        row = along.astype(np.int32) & (NOISE_SIZE - 1)
        return texture[row, column]


@functools.lru_cache(maxsize=1)
def noise() -> Noise:
    """The textures that every render shares; the same in every process."""
    random = np.random.default_rng(7)
    cycles = np.fft.fftfreq(NOISE_SIZE)
    radius = np.hypot(cycles[:, None], cycles[None])

    def filtered(response: np.ndarray) -> np.ndarray:
        white = random.standard_normal((NOISE_SIZE, NOISE_SIZE))
        field = np.real(np.fft.ifft2(np.fft.fft2(white) * response))
        return (field / field.std()).astype(np.float32)

    def band(centre: float) -> np.ndarray:
        return filtered(bump(radius, centre, centre / 2))

    across = bump(np.abs(cycles)[None], 0.16, 0.09)
    along = bump(cycles, 0, 0.02)[:, None]
    return Noise(band(0.02), band(0.08), band(0.25), filtered(across * along))
