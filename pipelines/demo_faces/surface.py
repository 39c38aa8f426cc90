"""The material of each pixel of a figure: linear colour and gloss, before lighting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.demo_faces.action_units import Activation
from pipelines.demo_faces.fields import Noise, bump, noise, smoothstep
from pipelines.demo_faces.figure import BEARD, EYE_CAVITY, HAIR, HANGING_HAIR, MOUTH_CAVITY, Figure
from pipelines.demo_faces.head import BODY, EYES, LOWER_TEETH, TONGUE, UPPER_TEETH
from pipelines.demo_faces.wrinkles import ABSORBED, creased, creases

BROW_LENGTH = 0.46
SCLERA = np.array([0.72, 0.69, 0.66])
TEETH = np.array([0.95, 0.90, 0.78])
TONGUE_COLOUR = np.array([0.32, 0.10, 0.09])
LID_MARGIN = np.array([0.06, 0.015, 0.012])


@dataclass(frozen=True)
class Surface:
    """F fragments' material."""

    albedo: np.ndarray  # float32 (F, 3), linear
    gloss: np.ndarray  # float32 (F,): strength of the highlight
    sharpness: np.ndarray  # float32 (F,): its exponent


def paint(
    figure: Figure,
    activation: Activation,
    part: np.ndarray,
    template: np.ndarray,
    skin: np.ndarray,
    weights: np.ndarray,
) -> Surface:
    """The material of fragments of the given part (F,), template position, skin and weights."""
    identity = figure.identity
    textures = noise()
    x, y, z = template.T
    azimuth = np.arctan2(x, z - np.float32(0.25))
    origin = identity.grain_origin
    broad, medium = (
        Noise.sample(texture, azimuth * 40 + origin[0], y * 40 + origin[1])
        for texture in (textures.broad, textures.medium)
    )
    fine = Noise.sample(textures.fine, azimuth * 90, y * 90)
    mottling = identity.mottling * (broad + 0.6 * medium + 0.5 * fine)
    albedo = skin * (1 + mottling)[:, None]

    beard = weights[:, BEARD]
    if identity.beard > 0:
        uneven = 0.25 if identity.beard < 0.6 else 0.1
        _blend(albedo, np.clip(beard * (1 + uneven * fine), 0, 0.95), identity.hair * 1.2)
    scalp = smoothstep(weights[:, HAIR] + 0.05 * medium, 0.2, 0.65) * (weights[:, HAIR] > 0.01)
    _paint_brows(albedo, figure, part, template)

    skin_at = np.nonzero((part == BODY) & creased(template))[0]
    depth = creases(
        template[skin_at], medium[skin_at], activation, identity.age, identity.wrinkling
    )
    albedo[skin_at] *= 1 - (depth * (1 - scalp[skin_at]))[:, None] * ABSORBED

    strands = Noise.sample(textures.strands, azimuth * 70 + origin[0], y * 25 + 40 * azimuth)
    hair = identity.hair * np.clip(1 + 0.28 * strands + 0.10 * broad, 0.4, 1.8)[:, None]
    _blend(albedo, scalp, hair)
    albedo *= 1 - 0.8 * np.clip(weights[:, MOUTH_CAVITY] * 1.3 - 0.2, 0, 1)[:, None]
    margin = weights[:, EYE_CAVITY] > 0.6
    albedo[margin] = albedo[margin] * 0.75 + LID_MARGIN
    collar = 5.68 + 0.25 * smoothstep(np.abs(x), 0.2, 0.9)
    cloth = smoothstep(y, collar, collar - 0.03) * (part == BODY)
    _blend(albedo, cloth, identity.clothes * (1 + 0.03 * fine)[:, None])

    gloss = 0.20 * (1 - 0.6 * scalp) * (1 - cloth)
    sharpness = np.full(len(part), 18.0, np.float32)
    for eye in EYES:
        _paint_eye(albedo, gloss, sharpness, np.nonzero(part == eye)[0], template, eye, figure)
    for inside, colour in (
        ((part == UPPER_TEETH) | (part == LOWER_TEETH), TEETH),
        (part == TONGUE, TONGUE_COLOUR),
    ):
        albedo[inside], gloss[inside], sharpness[inside] = colour, 0.03, 40
    gloss[part == HANGING_HAIR] = 0.08
    return Surface(albedo.astype(np.float32), gloss.astype(np.float32), sharpness)


def _blend(albedo: np.ndarray, share: np.ndarray, colour: np.ndarray) -> None:
    """Lays `colour` over `albedo` (F, 3) with opacity `share` (F,), in place."""
    albedo += share[:, None] * (colour.astype(np.float32) - albedo)


def _paint_brows(
    albedo: np.ndarray, figure: Figure, part: np.ndarray, template: np.ndarray
) -> None:
    """Two soft arcs, fuller towards the nose, with hairs only as a faint streaking."""
    identity = figure.identity
    near = (part == BODY) & (template[:, 2] > 0.8) & (np.abs(template[:, 1] - 7.49) < 0.16)
    at = np.nonzero(near)[0]
    x, y, _ = template[at].T
    along = (np.abs(x) - identity.brow_gap) / BROW_LENGTH
    inside = np.clip(along, 0, 1)
    bow = np.sin(np.pi * inside**1.25)
    middle = 7.475 - 0.012 * inside + (0.02 + identity.brow_arch) * bow
    thickness = identity.brow_thickness * (1.1 - 0.72 * inside**1.6)
    across = (y - middle) / thickness
    density = smoothstep(along, -0.04, 0.12) * smoothstep(along, 1.04, 0.85)
    density = density * np.exp(-(np.abs(across) ** 3))
    streaks = Noise.sample(noise().strands, (along * 90 + across * 9), y * 40)
    opacity = np.clip(density * identity.brow_density * (1 + 0.12 * streaks), 0, 1)
    albedo[at] += opacity[:, None] * (identity.brow - albedo[at])


def _paint_eye(
    albedo: np.ndarray,
    gloss: np.ndarray,
    sharpness: np.ndarray,
    at: np.ndarray,
    template: np.ndarray,
    eye: int,
    figure: Figure,
) -> None:
    """White, iris and pupil by the angle from the eyeball's axis, in degrees."""
    if not len(at):
        return
    ray = template[at] - figure.head.eye_centre[eye]
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip(ray[:, 2], -1, 1)))
    turn = np.arctan2(ray[:, 1], ray[:, 0])
    white = SCLERA * (1 - 0.25 * smoothstep(angle, 35, 70))[:, None]
    fibres = 1 + 0.25 * np.sin(turn * 23) + 0.15 * np.sin(turn * 57 + 1)
    ring = 1.35 - 0.9 * smoothstep(angle, 14, 25)
    iris = figure.identity.iris * (fibres * ring)[:, None]
    colour = white + smoothstep(angle, 26.5, 24)[:, None] * (iris - white)
    colour *= 1 - 0.97 * smoothstep(angle, 12, 10)[:, None]
    catch = bump(turn, 0.9, 0.35) * bump(angle, 13, 3.5)
    albedo[at] = colour + 0.5 * catch[:, None]
    gloss[at], sharpness[at] = 0.5, 120
