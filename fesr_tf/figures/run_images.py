"""Generates the images of one run for all figures: each run is opened once and closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fesr_tf import runs
from fesr_tf.data import Faces
from fesr_tf.figures.sources import Source
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.runs.opening import load_data, require_recognizer
from fesr_tf.synthesis import generation, sheets
from fesr_tf.training.monitoring import projector
from fesr_tf.training.monitoring.projector import Points

FRAMES = 17
"""Images of one interpolation; a strip shows every other."""
MOST_FEATURES = 200
"""Real faces in Fig. 9: an exact t-SNE of these and as many generated ones takes seconds."""

Rows = list[list[np.ndarray | None]]


@dataclass(frozen=True)
class Interpolation:
    """From one person to another with one expression; images uint8 (S,S,c)."""

    start: np.ndarray | None  # x_a and x_b; None between two z
    end: np.ndarray | None
    names: tuple[str, str]
    label: int
    frames: np.ndarray  # uint8 (FRAMES,S,S,c)


@dataclass(frozen=True)
class RunImages:
    """The images of one run: for one seed every run shows the same test people and codes."""

    source: Source
    step: int
    people: Faces  # one test image of each person
    rows: Rows  # for each person: the input, its reconstruction, every class
    real: Rows  # for each person: the test image of every class, None where there is none
    sweep: Rows  # the first person: a row for each class, a column for each level
    new: Rows  # as many z as people, a column for each class
    interpolations: list[Interpolation]  # of two test people (none without a common class), two z
    points: Points | None  # features, where they are requested

    @property
    def variant(self) -> str:
        return self.source.info.variant

    @property
    def state(self) -> str:
        """'FG at iteration 4000', and whether the run is unfinished."""
        last = self.source.config.last_iteration
        unfinished = f" (unfinished, of {last})" if self.step < last else ""
        return f"{self.variant} at iteration {self.step}{unfinished}"

    @property
    def where(self) -> str:
        """'demo, fold 0'"""
        return f"{self.source.info.database}, fold {self.source.info.fold}"

    @property
    def cell(self) -> int:
        """Pixels of a face on a sheet: those of the run, but at least 128."""
        return max(128, self.source.config.image_size)

    @property
    def enlarged(self) -> str:
        """A sentence about enlarged faces; '' where they are not enlarged."""
        size = self.source.config.image_size
        if size == self.cell:
            return ""
        return f"The faces are {size} pixels wide and shown at {self.cell} (bicubic)."


def generate(
    source: Source, data: Path | None, people: int, seed: int, features: bool
) -> RunImages:
    """Opens the run, generates everything that a figure may show, and drops its networks.

    people: test people at most. features: also R_ext's, which needs a trained R. Raises
    `BadUse` for a run without checkpoint, without its data, or with an untrained R.
    """
    run = runs.open_run(source.folder)
    if features:
        require_recognizer(run)
    fesgan, faces = run.fesr.fesgan, load_data(run, data).test
    chosen = faces.of(sheets.choose_people(faces, people, seed))
    return RunImages(
        source=source,
        step=run.step,
        people=chosen,
        rows=generation.expression_rows(fesgan, chosen),
        real=real_rows(faces, chosen.subjects, fesgan.num_classes),
        sweep=generation.intensity_rows(fesgan, chosen.floats()[0], generation.LEVELS),
        new=generation.new_identity_rows(fesgan, len(chosen), seed),
        interpolations=interpolations(fesgan, faces, seed),
        points=_points(run, faces, seed) if features else None,
    )


def real_rows(faces: Faces, subjects: np.ndarray, classes: int) -> Rows:
    """Each subject's first image of every class, None where there is none."""

    def first(subject: str, label: int) -> np.ndarray | None:
        own = np.flatnonzero((faces.subjects == subject) & (faces.labels == label))
        return faces.images[own[0]] if len(own) else None

    return [[first(subject, label) for label in range(classes)] for subject in subjects]


def choose_pair(faces: Faces, seed: int) -> np.ndarray | None:
    """Rows of two people's images of one class, int64 (2,), chosen by the seed.

    None where no two people show one class.
    """
    random = np.random.default_rng(seed)
    for label in random.permutation(np.unique(faces.labels)):
        own = np.flatnonzero(faces.labels == label)
        subjects = np.unique(faces.subjects[own])
        if len(subjects) > 1:
            pair = random.permutation(subjects)[:2]
            return np.array([random.choice(own[faces.subjects[own] == person]) for person in pair])
    return None


def interpolations(fesgan: FESGAN, faces: Faces, seed: int) -> list[Interpolation]:
    """Between two test people with an expression that both show, and between two z with it.

    The first begins and ends with the two reconstructions (eq. 11 at intensity 1).
    """
    pair = choose_pair(faces, seed)
    if pair is None:
        return []
    chosen = faces.of(pair)
    label = int(chosen.labels[0])
    codes, z = fesgan.encode(chosen.floats()), generation.prior_codes(fesgan, 2, seed)
    people, others = (generation.between(fesgan, *ends, label, FRAMES) for ends in (codes, z))
    names = tuple(chosen.names)
    return [
        Interpolation(*chosen.images, names, label, people),
        Interpolation(None, None, ("z 1", "z 2"), label, others),
    ]


def _points(run: runs.Run, faces: Faces, seed: int) -> Points:
    no_training_faces = faces.of(np.zeros(0, np.int64))
    return projector.points(
        run.fesr, no_training_faces, projector.some(faces, MOST_FEATURES), seed=seed
    )
