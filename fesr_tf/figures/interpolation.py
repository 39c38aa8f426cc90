"""Interpolation between two people, and between two z: a strip and two GIF animations."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from fesr_tf.figures.figure import FigureFile, of_runs, sentences
from fesr_tf.figures.run_images import RunImages
from fesr_tf.plots import image_grids

MILLISECONDS = 90
STRIP = slice(None, None, 2)
FIGURE = "interpolation"


def gif(frames: Sequence[np.ndarray], cell: int) -> bytes:
    """uint8 (S,S,c) faces -> an endless GIF of `cell` pixels, there and back.

    n frames make 2 n - 2 images. Gray is exact; an image of a GIF holds at most 256 colours.
    """
    large = [Image.fromarray(_enlarged(frame, cell)) for frame in frames]
    first, *others = [*large, *large[-2:0:-1]]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=MILLISECONDS, loop=0,
               optimize=False)  # fmt: skip
    return buffer.getvalue()


def _enlarged(image: np.ndarray, cell: int) -> np.ndarray:
    large = image_grids.enlarge(image, cell)
    return large[..., 0] if image.shape[-1] == 1 else large


def interpolation(images: Mapping[str, RunImages]) -> list[FigureFile]:
    """A strip with both interpolations, and a GIF of each."""
    (only,) = images.values()
    people, codes = only.interpolations
    expression = only.source.info.classes[people.label]
    title = "From one person to another"
    steps = np.linspace(0, 1, len(people.frames))[STRIP]
    sheet = image_grids.grid(
        [[i.start, *i.frames[STRIP], i.end] for i in only.interpolations],
        ["x a", *(f"{step:g}" for step in steps), "x b"],
        [f"{i.names[0]} to {i.names[1]}" for i in only.interpolations],
        f"{title}, {expression}, {only.variant}, {only.where}",
        only.cell,
    )
    about = sentences(
        f"G_dec([(1 - t) a + t b, u(y)]) by {only.state}, {only.where}, y = "
        f"{expression} at intensity 1 throughout.",
        only.enlarged,
    )
    ends = (
        f"Above, a = g(x a) and b = g(x b) of two test people, {' and '.join(people.names)}: "
        "columns 0 and 1 are their reconstructions, the outer ones the photographs. Below, a and "
        "b are two z from U(-1, 1)."
    )
    files = [("interpolation.png", title, sentences(about, ends), sheet)]
    for kind, shown, what in (
        ("people", people, "two test people"),
        ("codes", codes, "two z from U(-1, 1)"),
    ):
        caption = sentences(f"There and back between {what}.", about)
        name = f"{title}: {' to '.join(shown.names)}"
        files.append((f"interpolation-{kind}.gif", name, caption, gif(shown.frames, only.cell)))
    return [of_runs(file, FIGURE, name, caption, [only], content)
            for file, name, caption, content in files]  # fmt: skip
