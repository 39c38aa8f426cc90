"""Rendered photographs whose faces are known, and images without a face, for `detectors`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipelines.demo_faces import CLASSES, Pose, build_figure, load_head, perform, person, render
from pipelines.demo_faces.figure import Figure
from pipelines.demo_faces.head import NECK_PIVOT
from pipelines.demo_faces.render import CAMERA_DISTANCE, LOOK_AT, SCALE, Backdrop
from pipelines.demo_faces.shading import Light
from pipelines.faces.chips import Box
from pipelines.media import images

WIDTH, HEIGHT = 640, 480
WIDTHS = (40, 300)
# Of dlib's box around a rendered face that looks ahead, in widths of the rendered square.
_BOX = 0.51
# Of a face that other heads may cover.
_HIDDEN = 0.02
# The middle of that box, on the head.
_NOSE = np.array([0.0, 6.95, 1.0])
_RENDERED = 480
# Photographs that scikit-image, scikit-learn and gradio bring, none with a face of a human.
_WITHOUT = {
    "skimage.data": ("brick.png", "chelsea.png", "coffee.png", "coins.png", "color.png",
                     "grass.png", "gravel.png", "horse.png", "ihc.png", "moon.png",
                     "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png"),
    "sklearn.datasets.images": ("china.jpg", "flower.jpg"),
    "gradio": ("media_assets/images/cheetah.jpg", "media_assets/images/cheetah1.jpg",
               "media_assets/images/lion.jpg", "media_assets/images/bus.png",
               "media_assets/images/tower.jpg", "test_data/cheetah2.jpg"),
}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A face in a scene: the box that dlib would give it if it looked ahead, and its yaw in
    degrees."""

    box: Box
    yaw: float

    @property
    def width(self) -> int:
        """The face's width in pixels."""
        return self.box[2] - self.box[0] + 1


@dataclass(frozen=True, eq=False)
class Head:
    """A rendered head: uint8 (S,S,4) with its outline as alpha, the nose's place in it, its yaw."""

    pixels: np.ndarray
    nose: tuple[float, float]
    yaw: float


def heads(count: int, seed: int, yaw: float = 45.0) -> list[Head]:
    """Heads of `count` people, each with a random expression, light and yaw up to `yaw` degrees."""
    found = []
    for index in range(count):
        random = np.random.default_rng([seed, index])
        figure = build_figure(load_head(), person(seed, index))
        label = CLASSES[int(random.integers(len(CLASSES)))]
        activation = perform(figure.identity, label, random).at(float(random.uniform(0.3, 1)))
        pose = Pose(*(random.uniform(-1, 1, 3) * [yaw, 12, 8]).tolist())
        light = Light(
            azimuth=float(random.uniform(-60, 60)), elevation=float(random.uniform(5, 50))
        )
        found.append(cut_out(figure, pose, light, activation))
    return found


def cut_out(
    figure: Figure, pose: Pose, light: Light | None = None, activation: dict | None = None
) -> Head:
    """One head without its backdrop: where two backdrops give the same pixels."""
    black, white = (
        render(figure, activation, pose, light, Backdrop(np.full(3, at), np.full(3, at)), _RENDERED)
        for at in (0.0, 1.0)
    )
    through = np.abs(white.astype(float) - black).max(2)
    alpha = 255 * (1 - np.clip(through / through.max(), 0, 1))
    x, y, z = (_NOSE - NECK_PIVOT) @ pose.matrix().T + NECK_PIVOT - LOOK_AT
    size = SCALE * _RENDERED * CAMERA_DISTANCE / (CAMERA_DISTANCE - z)
    nose = float(_RENDERED / 2 + size * x), float(_RENDERED / 2 - size * y)
    return Head(np.dstack([black, np.rint(alpha).astype(np.uint8)]), nose, pose.yaw)


def paste(
    canvas: np.ndarray, head: Head, width: float, x: float, y: float
) -> tuple[np.ndarray, np.ndarray, Known]:
    """The canvas (H,W,3) with the head in front, its face `width` wide around (x, y); where the
    head covers it, bool (H,W); and what is known of the face."""
    side = round(width / _BOX)
    factor = side / _RENDERED
    left, top = round(x - head.nose[0] * factor), round(y - head.nose[1] * factor)
    filter_ = Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR
    small = np.dstack([
        np.asarray(Image.fromarray(part).resize((side, side), filter_))
        for part in (head.pixels[..., :3], head.pixels[..., 3])
    ])  # fmt: skip
    result, covered = canvas.copy(), np.zeros(canvas.shape[:2], bool)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(canvas.shape[1], left + side), min(canvas.shape[0], top + side)
    part = small[y0 - top : y1 - top, x0 - left : x1 - left].astype(float)
    # Black behind it: the colours are multiplied by alpha already.
    seen = part[..., :3] + result[y0:y1, x0:x1] * (1 - part[..., 3:] / 255)
    result[y0:y1, x0:x1] = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    covered[y0:y1, x0:x1] = part[..., 3] > 127
    near, above, wide = round(x - width / 2), round(y - width / 2), round(width)
    return result, covered, Known((near, above, near + wide - 1, above + wide - 1), head.yaw)


def scene(
    people: Sequence[Head], seed: int, faces: int, widths: tuple[float, float] = WIDTHS
) -> tuple[np.ndarray, list[Known]]:
    """A photograph (480,640,3) with `faces` heads, none hidden by another; widths of the faces
    uniform in their logarithm."""
    random = np.random.default_rng([seed, faces])
    while True:
        canvas, known = background(random), []
        chosen = random.choice(len(people), faces, replace=False)
        sizes = np.exp(random.uniform(*np.log(widths), faces))
        for index, width in zip(chosen, sorted(sizes, reverse=True), strict=True):
            for _ in range(40):
                x, y = random.uniform(
                    [width / 2, width * 0.7], [WIDTH - width / 2, HEIGHT - width / 2]
                )
                after, covered, face = paste(canvas, people[index], width, x, y)
                if all(covered[_slices(other.box)].mean() < _HIDDEN for other in known):
                    canvas = after
                    known.append(face)
                    break
        if len(known) == faces:
            return canvas, known


def background(random: np.random.Generator) -> np.ndarray:
    """(480,640,3): a gradient, stripes, tiles, blots or noise of two colours."""
    y, x = np.indices((HEIGHT, WIDTH)).astype(float)
    period, turn = random.uniform(8, 120), random.uniform(0, np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    kind = int(random.integers(5))
    if kind == 0:
        share = (along - along.min()) / np.ptp(along)
    elif kind == 1:
        share = 0.5 + 0.5 * np.sin(2 * np.pi * along / period)
    elif kind == 2:
        share = (np.floor(along / period) + np.floor(across / period)) % 2
    else:
        rough = int(period / 4) + 1 if kind == 3 else 1
        coarse = random.random((HEIGHT // rough + 2, WIDTH // rough + 2)).astype(np.float32)
        smooth = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        share = np.clip(np.asarray(smooth), 0, 1)
    low, high = random.uniform(0, 255, (2, 3))
    return np.rint(low + (high - low) * share[..., None]).astype(np.uint8)


def backs(count: int, seed: int) -> list[np.ndarray]:
    """Photographs of one head seen from behind."""
    found = []
    for index in range(count):
        random = np.random.default_rng([seed, index])
        figure = build_figure(load_head(), person(seed, index))
        head = cut_out(figure, Pose(yaw=180 + float(random.uniform(-30, 30))))
        found.append(paste(background(random), head, random.uniform(80, 220), 320, 240)[0])
    return found


def drawing(animal: bool) -> np.ndarray:
    """(480,640,3): a smiling face of a few lines, or the head of a cat."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(canvas)
    fill = "orange" if animal else "gold"
    if animal:
        for side in (-1, 1):
            pen.polygon([(320 + side * x, y) for x, y in ((40, 130), (120, 170), (120, 60))], fill)
    pen.ellipse((200, 110, 440, 350), fill, "black", 4)
    for x in (275, 365):
        pen.ellipse((x - 16, 185, x + 16, 225), "black")
    if animal:
        pen.polygon([(305, 255), (335, 255), (320, 275)], "black")
        for side in (-1, 1):
            pen.line([(320, 275), (320 + side * 30, 300)], "black", 4)
            for y in (250, 270, 290):
                pen.line([(320 + side * 50, 270), (320 + side * 150, y)], "black", 3)
    else:
        pen.arc((255, 190, 385, 310), 20, 160, "black", 8)
    return np.asarray(canvas)


def photographs_without() -> Iterator[tuple[str, np.ndarray]]:
    """Names and pixels of the photographs without a human face that installed packages bring."""
    for package, names in _WITHOUT.items():
        try:
            folder = Path(str(files(package)))
        except ModuleNotFoundError:
            continue
        for name in names:
            if (folder / name).is_file():
                yield Path(name).name, images.to_rgb(images.read(folder / name))


def _slices(box: Box) -> tuple[slice, slice]:
    left, top, right, bottom = (max(0, edge) for edge in box)
    return slice(top, bottom + 1), slice(left, right + 1)
