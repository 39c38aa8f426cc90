"""Light on a figure: a key light with shadows, the sky, and the dimness of hollows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.demo_faces.raster import Fragments, rasterize
from pipelines.demo_faces.surface import Surface

SHADOW_SIZE = 144
SHADOW_SCALE = SHADOW_SIZE / 4
"""Shadow map: pixels a side, and pixels a unit of length."""

SHADOW_BIAS = 0.07
"""How far behind its caster a surface must lie to be in shadow."""


@dataclass(frozen=True)
class Light:
    """A distant key light in front of the face. Angles in degrees."""

    azimuth: float = 25.0  # above 0: from the image's right
    elevation: float = 32.0  # above 0: from above
    strength: float = 1.0
    ambient: float = 0.40
    warmth: float = 0.0  # -1 bluish … 1 reddish

    def direction(self) -> np.ndarray:
        """The unit vector towards the light."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        level = np.cos(elevation)
        return np.array([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level])


def hollows(fragments: Fragments, width: int, pixels_a_unit: float) -> np.ndarray:
    """Ambient light that reaches each fragment, (F,) in [0.3, 1], from depth around it."""
    depth = np.full(width * width, fragments.depth.min(), np.float32)
    depth[fragments.pixel] = fragments.depth
    depth = depth.reshape(width, width)
    open_share = np.ones(len(fragments.pixel), np.float32)
    for radius, strength in ((0.045, 1.1), (0.135, 0.45)):
        size = 2 * max(round(radius * pixels_a_unit), 1) + 1
        around = ndimage.uniform_filter(depth, size, mode="nearest").ravel()[fragments.pixel]
        open_share *= 1 - np.clip((around - fragments.depth) * strength, 0, 0.5)
    return open_share


def shadowed(
    position: np.ndarray,
    triangles: np.ndarray,
    at: np.ndarray,
    towards: np.ndarray,
) -> np.ndarray:
    """Share of the key light that `triangles` take from the fragments, (F,) in [0, 1].

    `position` (N, 3) are the casters' vertices, `at` (F, 3) the fragments' positions.
    """
    across = np.cross([0.0, 1.0, 0.0], towards)
    across /= np.linalg.norm(across)
    basis = np.stack([across, -np.cross(towards, across), towards], 1).astype(np.float32)
    half = np.float32(SHADOW_SIZE / 2)

    def project(points: np.ndarray) -> np.ndarray:
        seen = points @ basis
        seen[:, :2] = seen[:, :2] * np.float32(SHADOW_SCALE) + half
        return seen

    casters = rasterize(project(position), triangles, SHADOW_SIZE, SHADOW_SIZE)
    nearest = np.full(SHADOW_SIZE * SHADOW_SIZE, -9.0, np.float32)
    nearest[casters.pixel] = casters.depth
    seen = project(at)
    column, row = (np.rint(seen[:, axis] - 0.5).astype(np.int32) for axis in (0, 1))
    dark = np.zeros(len(at), np.float32)
    for down in (-1, 0, 1):
        rows = np.clip(row + down, 0, SHADOW_SIZE - 1) * SHADOW_SIZE
        for aside in (-1, 0, 1):
            columns = np.clip(column + aside, 0, SHADOW_SIZE - 1)
            dark += nearest[rows + columns] > seen[:, 2] + SHADOW_BIAS
    return dark / 9


def shade(
    surface: Surface, normal: np.ndarray, light: Light, open_share: np.ndarray, dark: np.ndarray
) -> np.ndarray:
    """Linear colour (F, 3) towards a viewer on the z axis."""
    towards = light.direction().astype(np.float32)
    facing = np.clip((normal @ towards + 0.15) / 1.15, 0, 1)
    sky = light.ambient * (0.75 + 0.25 * normal[:, 1]) * open_share
    azimuth = np.radians(light.azimuth)
    opposite = np.array([-0.8 * np.sin(azimuth), 0.1, 0.6], np.float32)
    sky += 0.15 * np.clip(normal @ opposite, 0, 1) * open_share
    key = light.strength * facing * (1 - 0.7 * dark) * (0.5 + 0.5 * open_share)
    tint = np.array([1 + 0.12 * light.warmth, 1, 1 - 0.15 * light.warmth], np.float32)
    lit = sky[:, None] * np.array([1, 1, 1.04], np.float32) + key[:, None] * tint
    middle = towards + np.array([0, 0, 1], np.float32)
    middle /= np.linalg.norm(middle)
    highlight = np.clip(normal @ middle, 0, 1) ** surface.sharpness
    highlight *= 0.55 * surface.gloss * light.strength * (1 - dark)
    return surface.albedo * lit + highlight[:, None]
