"""One finished figure: its file and what figures.json says of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fesr_tf.figures.run_images import Drawn


@dataclass(frozen=True)
class Picture:
    """A file of the output. `runs` are the folders that it was drawn from."""

    file: str
    figure: str  # as in --figures
    title: str
    caption: str
    runs: tuple[str, ...]
    content: bytes


def sentences(*parts: str) -> str:
    """The parts that say anything, in one paragraph."""
    return " ".join(part for part in parts if part)


def folders(shown: Iterable[Drawn]) -> tuple[str, ...]:
    return tuple(str(each.source.folder) for each in shown)


def where(drawn: Drawn) -> str:
    """'demo, fold 0'"""
    return f"{drawn.source.info.database}, fold {drawn.source.info.fold}"


def cell_of(drawn: Drawn) -> int:
    """Pixels of a face on a sheet: those of the run, but at least 128."""
    return max(128, drawn.source.config.image_size)


def enlarged(drawn: Drawn) -> str:
    """What is done to small faces, in a sentence; '' where nothing is."""
    size, cell = drawn.source.config.image_size, cell_of(drawn)
    if size == cell:
        return ""
    return f"The faces are {size} pixels wide and shown at {cell} (bicubic)."
