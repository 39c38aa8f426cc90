"""Renders a figure with action units, a pose and a light to an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipelines.demo_faces import palette
from pipelines.demo_faces.action_units import Activation, target_weights
from pipelines.demo_faces.fields import smoothstep
from pipelines.demo_faces.figure import HANGING_HAIR, Figure
from pipelines.demo_faces.head import BODY, LOWER_TEETH, NECK_PIVOT, TONGUE, UPPER_TEETH
from pipelines.demo_faces.raster import rasterize
from pipelines.demo_faces.shading import Light, hollows, shade, shadowed
from pipelines.demo_faces.surface import paint

LOOK_AT = np.array([0.0, 7.20, 0.6], np.float32)
"""The point in the image's centre."""

CAMERA_DISTANCE = 13.0
SCALE = 0.34
"""Image widths per unit of length at `LOOK_AT`."""

SUPERSAMPLING = 1.5
INSIDE_MOUTH = (UPPER_TEETH, LOWER_TEETH, TONGUE)


@dataclass(frozen=True)
class Pose:
    """Head rotation in degrees: yaw to the image's right, pitch down, roll counter-clockwise."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def matrix(self) -> np.ndarray:
        """The rotation, float32 (3, 3): yaw first, then pitch, then roll."""
        angles = np.radians([self.yaw, self.pitch, self.roll])
        (cy, cp, cr), (sy, sp, sr) = np.cos(angles), np.sin(angles)
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        return (roll @ pitch @ yaw).astype(np.float32)


@dataclass(frozen=True)
class Backdrop:
    """A diagonal gradient between two linear colours."""

    near: np.ndarray
    far: np.ndarray

    @classmethod
    def studio(cls) -> Backdrop:
        """Plain grey."""
        grey = palette.linear(palette.BACKDROP)
        return cls(grey, grey * 0.8)

    def fill(self, width: int) -> np.ndarray:
        """Linear colour, float32 (width · width, 3)."""
        ramp = np.arange(width, dtype=np.float32) / (2 * width)
        share = (ramp[:, None] + ramp).reshape(-1, 1)
        near, far = self.near.astype(np.float32), self.far.astype(np.float32)
        return near + (far - near) * share


def deform(figure: Figure, activation: Activation) -> np.ndarray:
    """The head's vertices, float32 (V, 3), with the activation carried out, before any pose."""
    return figure.head.morphs.add(figure.vertices.copy(), target_weights(activation))


def render(
    figure: Figure,
    activation: Activation | None = None,
    pose: Pose | None = None,
    light: Light | None = None,
    backdrop: Backdrop | None = None,
    size: int = 192,
) -> np.ndarray:
    """An image, uint8 (size, size, 3), sRGB-like."""
    activation, pose, light = activation or {}, pose or Pose(), light or Light()
    backdrop = backdrop or Backdrop.studio()
    width = round(size * SUPERSAMPLING)
    turn = pose.matrix()
    vertices = deform(figure, activation)
    normals = np.concatenate([figure.head.normals(vertices), figure.locks.normals @ turn.T])
    position = _turned(np.concatenate([vertices, figure.locks.vertices]), turn, figure)
    # Turning the normals equals computing them on the turned mesh.
    share = figure.follows_head[: len(vertices)]
    upright = normals[: len(vertices)]
    normals[: len(vertices)] = (upright @ turn.T) * share + upright * (1 - share)

    screen = _project(position, width)
    fragments = rasterize(screen, figure.triangles, width, width)
    normal, at, template, skin, weights = fragments.interpolate(
        figure.triangles, normals, position, figure.template, figure.skin, figure.weights
    )
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + np.float32(1e-9)
    part = figure.part[fragments.triangle]
    surface = paint(figure, activation, part, template, skin, weights)

    casters = figure.triangles[(figure.part == BODY) | (figure.part == HANGING_HAIR)]
    dark = shadowed(position, casters, at, light.direction())
    dark[(part != BODY) & (part != HANGING_HAIR)] *= 0.5
    open_share = hollows(fragments, width, SCALE * width)
    colour = shade(surface, normal, light, open_share, dark)
    colour[np.isin(part, INSIDE_MOUTH)] *= 0.75

    canvas = backdrop.fill(width)
    canvas[fragments.pixel] = colour
    depth = np.full(width * width, -np.inf, np.float32)
    depth[fragments.pixel] = fragments.depth
    _paint_lashes(canvas, depth, figure, screen, width)
    return _develop(canvas.reshape(width, width, 3), size)


def _turned(points: np.ndarray, turn: np.ndarray, figure: Figure) -> np.ndarray:
    """Points (N, 3) about the neck's pivot, as far as each follows the head."""
    share = figure.follows_head
    centred = points - NECK_PIVOT
    moved = (centred @ turn.T) * share + centred * (1 - share)
    return moved + (NECK_PIVOT - LOOK_AT)


def _project(position: np.ndarray, width: int) -> np.ndarray:
    """Perspective: x right, y down in pixels, and depth, larger towards the camera."""
    size = (SCALE * width * CAMERA_DISTANCE) / (CAMERA_DISTANCE - position[:, 2])
    x, y = width / 2 + size * position[:, 0], width / 2 - size * position[:, 1]
    return np.stack([x, y, position[:, 2]], 1).astype(np.float32)


def _paint_lashes(
    canvas: np.ndarray, depth: np.ndarray, figure: Figure, screen: np.ndarray, width: int
) -> None:
    """Darkens `canvas` (width · width, 3) under the upper lashes, denser at their roots."""
    head = figure.head
    lashes = rasterize(screen, head.lashes, width, width, both_sides=True)
    height = np.einsum("fc,fc->f", lashes.weight, head.lash_v[head.lashes[lashes.triangle]])
    opacity = 0.75 * smoothstep(height, 0.9851, 0.9672)
    opacity *= lashes.depth > depth[lashes.pixel] - 0.01
    canvas[lashes.pixel] += opacity[:, None] * (np.float32(0.01) - canvas[lashes.pixel])


def _develop(canvas: np.ndarray, size: int) -> np.ndarray:
    """Tone curve, gamma and reduction to `size`, uint8 (size, size, 3)."""
    exposed = canvas / (1 + 0.25 * canvas) * 1.12
    shown = np.clip(exposed, 0, 1) ** (1 / palette.GAMMA)
    image = Image.fromarray((shown * 255 + 0.5).astype(np.uint8))
    if image.width != size:
        image = image.resize((size, size), Image.Resampling.HAMMING)
    return np.asarray(image)
