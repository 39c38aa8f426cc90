"""One person turning into another: codes in a straight line, the expression fixed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from fesr_tf.figures.figure import Picture, cell_of, enlarged, folders, sentences, where
from fesr_tf.figures.run_images import Between, Drawn
from fesr_tf.plots import image_grids

MILLISECONDS = 90
STRIP = slice(None, None, 2)
FIGURE = "interpolation"


def gif(frames: Sequence[np.ndarray], cell: int) -> bytes:
    """uint8 (S,S,c) faces -> an endless GIF of `cell` pixels, there and back.

    n frames make 2 n - 2 pictures. Gray is exact; of colours a GIF holds 256 a picture.
    """
    shown = [_frame(each, cell) for each in frames]
    there_and_back = [*shown, *shown[-2:0:-1]]
    buffer = io.BytesIO()
    there_and_back[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=there_and_back[1:],
        duration=MILLISECONDS,
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def _frame(image: np.ndarray, cell: int) -> Image.Image:
    large = image_grids.enlarge(image, cell)
    return Image.fromarray(large[..., 0] if image.shape[-1] == 1 else large)


def interpolation(drawn: Mapping[str, Drawn]) -> list[Picture]:
    """A strip with both ways, and a GIF of each."""
    (only,) = drawn.values()
    people, codes = only.between
    classes, cell = only.source.info.classes, cell_of(only)
    title = "From one person to another"
    steps = np.linspace(0, 1, len(people.frames))[STRIP]
    sheet = image_grids.grid(
        [[each.start, *each.frames[STRIP], each.end] for each in only.between],
        ["x a", *(f"{step:g}" for step in steps), "x b"],
        [f"{each.names[0]} to {each.names[1]}" for each in only.between],
        f"{title}, {classes[people.label]}, {only.variant}, {where(only)}",
        cell,
    )
    about = sentences(
        f"G_dec([(1 - t) a + t b, u(y)]) by {only.state}, {where(only)}, y = "
        f"{classes[people.label]} at intensity 1 throughout.",
        enlarged(only),
    )
    first = (
        f"Above, a = g(x a) and b = g(x b) of two test people, {' and '.join(people.names)}: "
        "columns 0 and 1 are their reconstructions, the outer ones the photographs. Below, a and "
        "b are two z from U(-1, 1)."
    )
    runs = folders([only])
    strip = Picture(
        "interpolation.png", FIGURE, title, sentences(about, first), runs, image_grids.png(sheet)
    )
    return [
        strip,
        _film("interpolation-people.gif", people, "two test people", about, runs, cell),
        _film("interpolation-codes.gif", codes, "two z from U(-1, 1)", about, runs, cell),
    ]


def _film(
    name: str, shown: Between, what: str, about: str, runs: tuple[str, ...], cell: int
) -> Picture:
    start, end = shown.names
    return Picture(
        name,
        FIGURE,
        f"From one person to another: {start} to {end}",
        sentences(f"There and back between {what}.", about),
        runs,
        gif(shown.frames, cell),
    )
