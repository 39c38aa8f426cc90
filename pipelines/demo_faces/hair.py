"""Hair: where it grows on the scalp, and locks that hang and turn with the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.demo_faces.fields import smoothstep
from pipelines.demo_faces.head import BODY, Head
from pipelines.demo_faces.identity import Identity

BROW_HEIGHT = 7.46
"""Height of the brows' middle on the template, from which the hairline is measured."""


@dataclass(frozen=True)
class Locks:
    """Hair that hangs: an outer sheet, and the darker inner one that shows behind the neck."""

    vertices: np.ndarray  # float32 (L, 3), at rest
    normals: np.ndarray  # float32 (L, 3)
    triangles: np.ndarray  # int64 (K, 3)


def scalp_weight(head: Head, identity: Identity) -> np.ndarray:
    """How much hair grows at each head vertex, float (V,) in [0, 1]."""
    x, y, z = head.vertices.T
    side = np.abs(x)
    line = BROW_HEIGHT + identity.hairline - identity.temple * side**1.5 * 0.6
    line = line - 1.0 * np.clip(1.05 - z, 0, 2)
    grown = smoothstep(y, line - 0.03, line + 0.16) * smoothstep(y, 6.5, 6.7)
    if identity.bald:  # a fringe over the ears and round the back
        grown = grown * smoothstep(y, 7.85, 7.55) * smoothstep(z, 0.75, 0.45)
    return grown * (1 - np.clip(head.ears * 1.5, 0, 1)) * (head.part == BODY)


def hanging_hair(head_vertices: np.ndarray, identity: Identity) -> Locks:
    """A curtain from the sides and the back of the scalp down to `hair_length`."""
    if identity.hair_length < 0:
        return Locks(
            np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64)
        )
    around = np.radians(np.linspace(97, 263, 31))  # from the front, through the back
    level = np.linspace(0, 1, 15)
    temple = head_vertices[(np.abs(head_vertices[:, 1] - 7.6) < 0.1)]
    half_width = np.abs(temple[:, 0]).max()
    back, front = temple[:, 2].min(), temple[:, 2].max()
    centre, half_depth = (back + front) / 2 - 0.05, (front - back) / 2
    top, bottom = 7.95, 6.55 - 0.85 * identity.hair_length
    height = top + (bottom - top) * level
    flare = 0.80 + 0.30 * smoothstep(level, 0, 0.4) - 0.08 * level**2
    wave = 1 + 0.025 * np.sin(around * 9)[None] * level[:, None]
    radius = flare[:, None] * wave
    sheet = np.stack(
        [
            half_width * np.sin(around)[None] * radius,
            np.broadcast_to(height[:, None], radius.shape) + 0.03 * np.sin(around * 14),
            centre + half_depth * np.cos(around)[None] * radius,
        ],
        2,
    )
    normal = np.stack([np.sin(around), np.full(len(around), 0.15), np.cos(around)], 1)
    normal = np.broadcast_to(normal / np.linalg.norm(normal, axis=1)[:, None], sheet.shape)
    # The two sheets meet at the rim, so that no backdrop shows between them.
    rim = smoothstep(np.abs(np.linspace(-1, 1, len(around))), 1, 0.8)
    inner = sheet - normal * (0.07 * rim)[None, :, None]
    triangles = _grid(*sheet.shape[:2])
    count = sheet.shape[0] * sheet.shape[1]
    return Locks(
        np.concatenate([sheet.reshape(-1, 3), inner.reshape(-1, 3)]).astype(np.float32),
        np.concatenate([normal.reshape(-1, 3), -normal.reshape(-1, 3)]).astype(np.float32),
        np.concatenate([triangles, triangles[:, ::-1] + count]),
    )


def _grid(rows: int, columns: int) -> np.ndarray:
    """Triangles (K, 3) over a row-major grid of vertices, two a cell."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, below = corner + 1, corner + columns
    return np.concatenate(
        [np.stack([corner, below, right], 1), np.stack([right, below, below + 1], 1)]
    )
