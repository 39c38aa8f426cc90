"""Runs to draw figures from: initial networks of several seeds, saved as finished runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from fesr_tf import config, runs
from fesr_tf.model import fesr
from fesr_tf.plots import image_grids
from fesr_tf.runs.checkpoints import Checkpoints

PITCH = 132  # from one cell of a sheet to the next: 128 pixels and a gap of 4


def make_run(like: Path, home: Path, variant: str, settings: tuple[str, ...], **info) -> Path:
    """A run of `variant` on the data of the run `like`, with weights as they begin.

    info: what run.json is to say otherwise.
    """
    before = runs.read_info(like)
    resolved = config.resolve(before.database, variant, settings)
    about = dataclasses.replace(before, variant=variant, **info)
    folder = runs.run_folder(home, before.database, variant, about.fold)
    runs.start(folder, resolved, about)
    model = fesr.build(resolved, len(before.classes))
    model.fesgan.step.assign(resolved.last_iteration)
    Checkpoints(model, folder / "checkpoints", 1).save()
    return folder


def places(sheet: np.ndarray, face: np.ndarray) -> list[tuple[int, int]]:
    """Where on a sheet a face stands, at 128 pixels: (y, x) of its top left corners."""
    cell = image_grids.enlarge(face, 128)
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (128, 128))
    wanted = cell[..., 0]
    likely = (windows[..., 0, 0] == wanted[0, 0]) & (windows[..., 64, 50] == wanted[64, 50])
    return [
        (int(y), int(x))
        for y, x in np.argwhere(likely)
        if np.array_equal(sheet[y : y + 128, x : x + 128], cell)
    ]


def assert_cell(sheet: np.ndarray, origin: tuple[int, int], row: int, column: int, face) -> None:
    """The cell shows the face: within a level of gray, as batches of other sizes round."""
    y, x = origin[0] + row * PITCH, origin[1] + column * PITCH
    shown = sheet[y : y + 128, x : x + 128].astype(int)
    assert np.abs(shown - image_grids.enlarge(face, 128)).max() <= 2, (row, column)
