"""One file of the output and its entry in figures.json."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fesr_tf.figures.run_images import RunImages
from fesr_tf.plots import image_grids


@dataclass(frozen=True)
class FigureFile:
    """A file of the output. `runs` are the folders whose images or results it shows."""

    file: str
    figure: str  # as in --figures
    title: str
    caption: str
    runs: tuple[str, ...]
    content: bytes


def of_runs(
    file: str, figure: str, title: str, caption: str, shown: Iterable[RunImages],
    content: bytes | np.ndarray,
) -> FigureFile:  # fmt: skip
    """A file that shows these runs; content: its bytes, or a sheet uint8 (H,W,3) for a PNG file."""
    if isinstance(content, np.ndarray):
        content = image_grids.png(content)
    folders = tuple(str(images.source.folder) for images in shown)
    return FigureFile(file, figure, title, caption, folders, content)


def sentences(*parts: str) -> str:
    """The parts that are not empty, in one paragraph."""
    return " ".join(part for part in parts if part)
