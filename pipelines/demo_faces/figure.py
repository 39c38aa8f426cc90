"""A person's figure: the neutral mesh, hair, and colour weights of every vertex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.demo_faces import palette
from pipelines.demo_faces.fields import bump, smoothstep
from pipelines.demo_faces.hair import Locks, hanging_hair, scalp_weight
from pipelines.demo_faces.head import BODY, EYES, Head
from pipelines.demo_faces.identity import Identity

HANGING_HAIR = 10
"""The part number of hair that hangs, beside the pack's own parts."""


@dataclass(frozen=True)
class Figure:
    """The constants of a person's images. N = V head vertices, then hanging hair."""

    head: Head
    identity: Identity
    vertices: np.ndarray  # float32 (V, 3): at rest, hair volume included
    locks: Locks  # hair that hangs; empty for most
    triangles: np.ndarray  # int64 (T, 3) into the N vertices
    part: np.ndarray  # int64 (T,)
    follows_head: np.ndarray  # float32 (N, 1)
    template: np.ndarray  # float32 (N, 3): where features are painted
    skin: np.ndarray  # float32 (N, 3): linear colour with lips and flush, no hair
    weights: np.ndarray  # float32 (N, 4): columns HAIR … EYE_CAVITY, in [0, 1]


HAIR, BEARD, MOUTH_CAVITY, EYE_CAVITY = range(4)


def build_figure(head: Head, identity: Identity) -> Figure:
    """Shapes and paints a person once, for any number of renders."""
    vertices = head.morphs.add(head.vertices.copy(), identity.shape)
    vertices -= _eyes(head, vertices) - _eyes(head, head.vertices)
    hair = scalp_weight(head, identity)
    lift = (hair * identity.hair_volume)[:, None]
    raised = vertices + head.normals(vertices) * lift
    weights = np.stack(
        [
            hair,
            _beard(head, identity),
            head.mouth_cavity,
            np.where(head.part == BODY, head.eye_cavity, 0),
        ],
        1,
    )
    locks = hanging_hair(raised, identity)
    extra = len(locks.vertices)
    hanging = np.zeros((extra, weights.shape[1]))
    hanging[:, HAIR] = 1
    return Figure(
        head=head,
        identity=identity,
        vertices=raised.astype(np.float32),
        locks=locks,
        triangles=np.concatenate([head.triangles, locks.triangles + len(vertices)]),
        part=np.concatenate(
            [head.triangle_part, np.full(len(locks.triangles), HANGING_HAIR, np.int64)]
        ),
        follows_head=np.concatenate([head.follows_head, np.ones((extra, 1), np.float32)]),
        template=np.concatenate([head.vertices, locks.vertices]),
        skin=np.concatenate([_skin(head, identity), np.zeros((extra, 3))]).astype(np.float32),
        weights=np.concatenate([weights, hanging]).astype(np.float32),
    )


def _eyes(head: Head, vertices: np.ndarray) -> np.ndarray:
    """Midpoint of the eyeballs: kept in place, so that every person's gaze starts at one point."""
    return np.mean([vertices[head.part == eye].mean(0) for eye in EYES], axis=0)


def _skin(head: Head, identity: Identity) -> np.ndarray:
    """Skin with flushed cheeks, nose and ears, shaded sockets, and painted lips."""
    x, y, z = head.vertices.T
    side = np.abs(x)
    front = z > 0.3

    def spot(at_x: float, at_y: float, wide: float, high: float) -> np.ndarray:
        return bump(side, at_x, wide) * bump(y, at_y, high) * front

    flush = 0.55 * spot(0.42, 6.98, 0.16, 0.14) + 0.45 * spot(0, 6.9, 0.12, 0.10)
    flush += 0.15 * spot(0, 6.25, 0.2, 0.1) + 0.25 * head.ears
    skin = identity.skin * (1 - identity.redness * flush[:, None] * [-0.02, 0.20, 0.18])
    socket = 0.18 * spot(0.31, 7.17, 0.10, 0.045) + 0.10 * spot(0.31, 7.36, 0.12, 0.04)
    skin *= 1 - socket[:, None] * [0.8, 1.0, 0.9]
    lightness = 0.25 + 0.75 * identity.skin / palette.skin(0)
    lips = 0.35 * identity.skin * [0.9, 0.55, 0.55] + 0.65 * identity.lip_colour * lightness
    strength = np.clip(head.lips, 0, 1)[:, None] * identity.lip_strength
    return skin * (1 - strength) + lips * strength


def _beard(head: Head, identity: Identity) -> np.ndarray:
    """Where hair grows on the lower face, times how much of it this person wears."""
    if identity.beard == 0:
        return np.zeros(len(head.vertices))
    x, y, z = head.vertices.T
    side = np.abs(x)
    mouth = np.exp(-0.65 * ((side / 0.30) ** 2 + ((y - 6.61) / 0.10) ** 2))
    chin = smoothstep(y, 6.86, 6.68) * smoothstep(z, 0.35, 0.75) * smoothstep(y, 5.95, 6.12)
    chin *= 1 - mouth
    cheeks = 0.8 * smoothstep(side, 0.20, 0.42) * smoothstep(y, 7.05, 6.85)
    cheeks *= smoothstep(y, 6.3, 6.4) * smoothstep(z, 0.3, 0.6)
    lip = np.exp(-0.5 * ((side / 0.22) ** 4 + ((y - 6.755) / 0.035) ** 2)) * identity.moustache
    grows = np.clip(np.maximum(np.maximum(chin, cheeks), lip), 0, 1)
    grows *= 1 - np.clip(head.lips * 1.5, 0, 1)
    return identity.beard * grows * (head.mouth_cavity < 0.5) * (head.part == BODY)
