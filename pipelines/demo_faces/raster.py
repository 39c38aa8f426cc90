"""A z-buffer in numpy: the visible triangle of each pixel, and the place inside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

EDGE_TOLERANCE = 1e-6
"""How far outside a triangle a pixel centre may lie: closes cracks between neighbours."""


@dataclass(frozen=True)
class Fragments:
    """The nearest surface at each covered pixel; F of them, in pixel order."""

    pixel: np.ndarray  # int64 (F,): row · width + column
    triangle: np.ndarray  # int64 (F,)
    weight: np.ndarray  # float32 (F, 3): barycentric, over the triangle's corners
    depth: np.ndarray  # float32 (F,)

    def interpolate(self, triangles: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
        """Each array per vertex (V, c) at the fragments (F, c), float32, by one sparse product."""
        joined = np.concatenate(arrays, 1).astype(np.float32)
        columns = triangles[self.triangle].ravel()
        starts = np.arange(0, len(columns) + 1, 3)
        shape = (len(self.pixel), len(joined))
        matrix = sparse.csr_matrix((self.weight.ravel(), columns, starts), shape)
        widths = np.cumsum([array.shape[1] for array in arrays])[:-1]
        return np.split(np.asarray(matrix @ joined), widths, axis=1)


def rasterize(
    screen: np.ndarray, triangles: np.ndarray, width: int, height: int, both_sides: bool = False
) -> Fragments:
    """Rasterizes `triangles` (T, 3) of vertices `screen` (V, 3): x right, y down, in pixels; depth.

    A pixel belongs to a triangle when its centre (column + ½, row + ½) lies inside; the
    largest depth is nearest and wins. Triangles that run clockwise on the screen (y down) face
    away and are left out unless `both_sides`.
    """
    corner = screen.astype(np.float32)[triangles]
    x, y = corner[:, :, 0], corner[:, :, 1]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    left, right = _pixel_range(x, width)
    top, bottom = _pixel_range(y, height)
    facing = (np.abs(area) if both_sides else -area) > 1e-9
    kept = np.nonzero(facing & (right >= left) & (bottom >= top))[0]
    # Far triangles first: nearly every later write is then the final one (see `_nearest`).
    kept = kept[np.argsort(corner[kept, :, 2].sum(1), kind="stable")]

    columns = (right - left + 1)[kept]
    counts = columns * (bottom - top + 1)[kept]
    owner = np.repeat(np.arange(len(kept)), counts)
    starts = np.cumsum(counts) - counts
    within = (np.arange(len(owner)) - starts[owner]).astype(np.int32)
    row, column = np.divmod(within, columns[owner])
    row += top[kept][owner]
    column += left[kept][owner]

    second, third, base = _planes(corner[kept], area[kept])
    px, py = column.astype(np.float32) + 0.5, row.astype(np.float32) + 0.5
    w1 = second[owner, 0] * px + second[owner, 1] * py + base[owner, 0]
    w2 = third[owner, 0] * px + third[owner, 1] * py + base[owner, 1]
    w0 = 1 - w1 - w2
    inside = np.nonzero(np.minimum(np.minimum(w0, w1), w2) >= -EDGE_TOLERANCE)[0]
    weight = np.stack([w0[inside], w1[inside], w2[inside]], 1)
    triangle = kept[owner[inside]]
    depth = np.einsum("fc,fc->f", weight, corner[triangle, :, 2])
    pixel = row[inside].astype(np.int64) * width + column[inside]
    covered, best = _nearest(pixel, depth, width * height)
    return Fragments(covered, triangle[best], weight[best], depth[best])


def _pixel_range(corners: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last pixel, int32 (T,), whose centre lies between the corners (T, 3)."""
    lowest = np.minimum(np.minimum(corners[:, 0], corners[:, 1]), corners[:, 2])
    highest = np.maximum(np.maximum(corners[:, 0], corners[:, 1]), corners[:, 2])
    first = np.maximum(np.ceil(lowest - 0.5), 0)
    last = np.minimum(np.floor(highest - 0.5), pixels - 1)
    return first.astype(np.int32), last.astype(np.int32)


def _planes(corner: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The affine maps from (x, y) to the second and third barycentric weight of each triangle."""
    x, y = corner[:, :, 0], corner[:, :, 1]
    inverse = (1 / area)[:, None]
    second = np.stack([y[:, 2] - y[:, 0], x[:, 0] - x[:, 2]], 1) * inverse
    third = np.stack([y[:, 0] - y[:, 1], x[:, 1] - x[:, 0]], 1) * inverse
    first = corner[:, 0, :2]
    base = -np.stack([(second * first).sum(1), (third * first).sum(1)], 1)
    return second, third, base


def _nearest(pixel: np.ndarray, depth: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Covered pixels in order, and for each the index of its deepest-valued candidate.

    Candidates compete in rounds instead of being sorted by depth: each round every
    candidate nearer than the buffer writes itself, and the losers try again.
    """
    buffer = np.full(pixels, -np.inf, depth.dtype)
    best = np.full(pixels, -1, np.int64)
    left = np.arange(len(pixel))
    while len(left):
        best[pixel[left]] = left
        buffer[pixel[left]] = depth[left]
        left = left[depth[left] > buffer[pixel[left]]]
    covered = np.nonzero(best >= 0)[0]
    return covered, best[covered]
