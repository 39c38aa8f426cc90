"""One subject's images, and a row of ground truth for each.

Subject i of seed S comes from `SeedSequence([S, i])` alone: neither the number of subjects,
the frames, the size nor the number of processes changes their identity or their face at the
peak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from pipelines.common.errors import BadUse
from pipelines.demo_faces import action_units, palette
from pipelines.demo_faces.expression import CLASSES, at_rest, perform
from pipelines.demo_faces.figure import Figure, build_figure
from pipelines.demo_faces.head import load_head
from pipelines.demo_faces.identity import Identity, sample_identity
from pipelines.demo_faces.render import Backdrop, Pose, render
from pipelines.demo_faces.shading import Light

NEUTRAL_FRAMES = 3
COLUMNS = (
    "path", "label", "subject", "frame", "intensity", "yaw", "pitch", "roll",
    "light_azimuth", "light_elevation", "light_strength", *action_units.columns(),
    "sex", "age", "skin",
)  # fmt: skip

GRAIN = 1.5
"""Standard deviation of the camera noise, in grey levels of 255."""

IDENTITY, PERFORMANCE, SCENE, CAMERA = range(4)
"""Independent random streams of a person."""

Row = dict[str, object]


@dataclass(frozen=True)
class Request:
    """What to render; see `database.render_database`."""

    subjects: int
    seed: int
    frames: int = 5
    size: int = 192
    pose: float = 0.0
    light: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("subjects", 1, 10_000),
            ("seed", 0, 2**32 - 1),
            ("frames", 2, 100),
            ("size", 64, 1024),
            ("pose", 0, 45),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadUse(f"{name} has to lie between {low} and {high}, and is {value}.")

    @property
    def images_per_subject(self) -> int:
        """Images of one person over all classes."""
        return NEUTRAL_FRAMES + (len(CLASSES) - 1) * self.frames


def person(seed: int, index: int) -> Identity:
    """Subject `index` of a seed."""
    return sample_identity(load_head(), stream(seed, index, IDENTITY))


def render_subject(request: Request, index: int, folder: Path) -> list[Row]:
    """Writes one person's images into the class folders and returns their table rows."""
    # With several threads on a busy machine, OpenBLAS sometimes rounds a product another way, and a
    # pixel differs from the same rendering elsewhere. The processes already share the cores.
    with threadpool_limits(1, "blas"):
        figure = build_figure(load_head(), person(request.seed, index))
        return [
            row
            for number in range(len(CLASSES))
            for row in _render_class(request, index, number, figure, folder)
        ]


def _render_class(
    request: Request, index: int, number: int, figure: Figure, folder: Path
) -> Iterator[Row]:
    label = CLASSES[number]
    random = stream(request.seed, index, PERFORMANCE, number)
    sequence = perform(figure.identity, label, random)
    scene = sample_scene(request, stream(request.seed, index, SCENE, number))
    pose, light, _ = scene
    if label == "neutral":
        performance = [(0.0, at_rest(random)) for _ in range(NEUTRAL_FRAMES)]
    else:
        performance = [
            (float(time), sequence.at(float(time))) for time in np.linspace(0, 1, request.frames)
        ]
    for frame, (intensity, activation) in enumerate(performance):
        image = render(figure, activation, *scene, size=request.size)
        # Counted from the peak, so that its noise is independent of the number of frames.
        grain = stream(request.seed, index, CAMERA, number, len(performance) - frame)
        subject = f"p{index:03d}"
        path = f"{label}/{subject}_{frame:02d}.png"
        Image.fromarray(_grainy(image, grain)).save(folder / path, compress_level=3)
        yield {
            "path": path,
            "label": label,
            "subject": subject,
            "frame": frame,
            "intensity": round(intensity, 4),
            "yaw": round(pose.yaw, 2),
            "pitch": round(pose.pitch, 2),
            "roll": round(pose.roll, 2),
            "light_azimuth": round(light.azimuth, 2),
            "light_elevation": round(light.elevation, 2),
            "light_strength": round(light.strength, 3),
            **{
                action_units.column(unit, side): round(strength, 3)
                for (unit, side), strength in activation.items()
            },
            "sex": figure.identity.sex,
            "age": round(figure.identity.age, 3),
            "skin": round(figure.identity.skin_tone, 2),
        }


def sample_scene(request: Request, random: np.random.Generator) -> tuple[Pose, Light, Backdrop]:
    """Pose, light and backdrop of one sequence."""
    turn = random.uniform(-1, 1, 3) * request.pose * np.array([1, 0.4, 0.2])
    pose = Pose(*(float(angle) for angle in turn))
    if not request.light:
        return pose, Light(), Backdrop.studio()
    light = replace(
        Light(),
        azimuth=random.uniform(-60, 60),
        elevation=random.uniform(5, 50),
        strength=random.uniform(0.75, 1.2),
        ambient=random.uniform(0.3, 0.5),
        warmth=random.uniform(-1, 1),
    )
    near = palette.linear(random.uniform(0.25, 0.85, 3))
    return pose, light, Backdrop(near, near * random.uniform(0.5, 1.2))


def _grainy(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    noise = random.normal(0, GRAIN, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def stream(seed: int, index: int, *key: int) -> np.random.Generator:
    """The random stream of a person for one purpose: IDENTITY, (PERFORMANCE, class), …"""
    return np.random.default_rng(np.random.SeedSequence([seed, index], spawn_key=key))
