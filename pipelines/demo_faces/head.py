"""The head: one mesh and its morph targets, read from `head_pack.npz` (CC0, see NOTICE).

Lengths are the mesh's own unit, about 10 cm. x grows towards the person's left, y upwards,
z out of the face. On the template the eyes lie at (±0.31, 7.28, 1.25), the mouth at y 6.60,
the chin at y 6.2, the crown at y 8.4.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from pipelines.demo_faces.fields import smoothstep

PACK = Path(__file__).with_name("head_pack.npz")

BODY, LEFT_EYE, RIGHT_EYE, UPPER_TEETH, LOWER_TEETH, TONGUE = range(6)
UPPER_LASHES = (6, 8)
EYES = (LEFT_EYE, RIGHT_EYE)

OFFSET_UNIT = 0.001
"""Morph offsets are stored as integers in this unit."""

NECK_PIVOT = np.array([0.0, 6.35, 0.25], np.float32)
"""The point about which the head turns."""


@dataclass(frozen=True)
class Morphs:
    """Sparse per-vertex offsets by name, e.g. `fu/mouthSmileLeft`."""

    slices: Mapping[str, slice]
    vertex: np.ndarray  # int64 (M,): the vertices that each target moves, end to end
    offset: np.ndarray  # float32 (M, 3)

    def __contains__(self, name: str) -> bool:
        return name in self.slices

    def names(self, *folders: str) -> list[str]:
        """Target names, of the given folders only where any are given."""
        return [name for name in self.slices if not folders or name.split("/")[0] in folders]

    def add(self, vertices: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
        """Adds Σ weight · offset to `vertices` (V, 3) in place and returns it."""
        for name, weight in weights.items():
            part = self.slices[name]
            vertices[self.vertex[part]] += np.float32(weight) * self.offset[part]
        return vertices


@dataclass(frozen=True)
class Head:
    """The template mesh with the data of the renderer; V vertices, T triangles."""

    vertices: np.ndarray  # float32 (V, 3)
    part: np.ndarray  # int (V,): BODY … TONGUE, lashes above
    triangles: np.ndarray  # int (T, 3) skin, eyes, teeth, tongue; counter-clockwise from outside
    triangle_part: np.ndarray  # int (T,)
    lashes: np.ndarray  # int (L, 3): upper lashes, seen from both sides
    lash_v: np.ndarray  # float32 (V,): texture height, which runs from a lash's root to its tip
    lips: np.ndarray  # float32 (V,) region weights in [0, 1] …
    ears: np.ndarray
    mouth_cavity: np.ndarray
    eye_cavity: np.ndarray
    follows_head: np.ndarray  # float32 (V, 1): 1 turns with the head, 0 stays with the shoulders
    eye_centre: Mapping[int, np.ndarray]
    morphs: Morphs
    gather: sparse.csr_matrix  # (V, T): sums what belongs to a vertex's triangles

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals, float32 (V, 3), area-weighted over a vertex's triangles."""
        first, second, third = (vertices[self.triangles[:, corner]] for corner in range(3))
        summed = self.gather @ np.cross(second - first, third - first).astype(np.float32)
        return summed / (np.linalg.norm(summed, axis=1, keepdims=True) + np.float32(1e-9))


@functools.lru_cache(maxsize=1)
def load_head() -> Head:
    """Reads the pack that ships with the package (20 ms; once a process)."""
    with np.load(PACK, allow_pickle=False) as pack:
        vertices = pack["v"].astype(np.float32)
        quads = pack["f"].astype(np.int64)
        quad_part = pack["part"].astype(np.int64)
        texture = np.zeros((len(vertices), 2), np.float32)
        texture[quads.ravel()] = pack["vt"][pack["ft"].astype(np.int64).ravel()]
        bounds = pack["ptr"]
        names = [str(name) for name in pack["names"]]
        morphs = Morphs(
            {name: slice(*bounds[i : i + 2]) for i, name in enumerate(names)},
            pack["idx"].astype(np.int64),
            pack["dlt"].astype(np.float32) * np.float32(OFFSET_UNIT),
        )
        regions = {
            region: pack[key].astype(np.float32)
            for region, key in (
                ("lips", "w_lips"),
                ("ears", "w_ears"),
                ("mouth_cavity", "w_cavity"),
                ("eye_cavity", "w_eyecav"),
            )
        }
    part = np.zeros(len(vertices), np.int64)
    part[quads.ravel()] = np.repeat(quad_part, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    triangle_part = np.concatenate([quad_part, quad_part])
    solid = triangle_part <= TONGUE
    follows = np.where(part == BODY, smoothstep(vertices[:, 1], 5.75, 6.45), 1.0)
    body = triangles[solid]
    return Head(
        vertices=vertices,
        part=part,
        triangles=body,
        triangle_part=triangle_part[solid],
        lashes=triangles[np.isin(triangle_part, UPPER_LASHES)],
        lash_v=texture[:, 1],
        **regions,
        follows_head=follows.astype(np.float32)[:, None],
        eye_centre={eye: _box_centre(vertices[part == eye]) for eye in EYES},
        morphs=morphs,
        gather=_incidence(body, len(vertices)),
    )


def _box_centre(points: np.ndarray) -> np.ndarray:
    return (points.min(0) + points.max(0)) / 2


def _incidence(triangles: np.ndarray, count: int) -> sparse.csr_matrix:
    columns = np.repeat(np.arange(len(triangles)), 3)
    ones = np.ones(len(columns), np.float32)
    return sparse.csr_matrix((ones, (triangles.ravel(), columns)), (count, len(triangles)))
