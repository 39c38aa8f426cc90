"""A fixed panel of unseen people, drawn anew as training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf.data import Faces
from fesr_tf.model.fesr import FESR
from fesr_tf.plots import image_grids
from fesr_tf.synthesis.generation import LEVELS, intensity_rows
from fesr_tf.synthesis.sheets import training_sheet
from fesr_tf.training.callbacks import EverySteps
from pipelines.common.files import write_whole

FACES = (
    "People whom the model does not train on. `input` is x, `reconstruction` x_rec (eq. 11), a "
    "class's column x_hat (eq. 3) at intensity 1; the rows `new` are x^{p,f} (eq. 13) of codes z "
    "that stay the same."
)
INTENSITY = (
    "Fig. 6: the class's entry of the expression code takes the level above the column, every "
    "other entry is -1."
)


class Panel(EverySteps):
    """The panel and an intensity sweep of its first person, each `picture_every` iterations.

    To TensorBoard as `faces` and `intensity`; the panel also as `<folder>/step-<t>.png`.
    """

    def __init__(
        self,
        fesr: FESR,
        people: Faces,
        classes: Sequence[str],
        folder: Path,
        writer: tf.summary.SummaryWriter,
        last: int | None = None,
    ):
        super().__init__(fesr, fesr.config.picture_every, last)
        self.people, self.classes, self.folder, self.writer = people, classes, folder, writer

    def act(self, step: int, logs: dict[str, float]) -> None:
        gan = self.fesr.fesgan
        sheet = training_sheet(gan, self.people, self.classes, seed=0)
        sweep = image_grids.grid(
            intensity_rows(gan, self.people.floats()[0], LEVELS),
            [f"{level:+.2f}" for level in LEVELS],
            self.classes,
            cell=min(128, 2 * self.people.images.shape[1]),
        )
        write_whole(self.folder / f"step-{step:06d}.png", image_grids.png(sheet))
        with self.writer.as_default(step=step):
            tf.summary.image("faces", sheet[np.newaxis], description=FACES)
            tf.summary.image("intensity", sweep[np.newaxis], description=INTENSITY)
        self.writer.flush()
