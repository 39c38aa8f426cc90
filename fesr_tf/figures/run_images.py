"""What one run shows in the figures: each run is opened once, looked at, and let go."""

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
"""Pictures of one interpolation; a strip shows every other."""
MOST_FEATURES = 200
"""Real faces in Fig. 9: an exact t-SNE of these and as many drawn ones takes seconds."""

Rows = list[list[np.ndarray | None]]


@dataclass(frozen=True)
class Between:
    """From one person to another with one expression; images uint8 (S,S,c)."""

    start: np.ndarray | None  # x_a and x_b; None where nobody was photographed
    end: np.ndarray | None
    names: tuple[str, str]
    label: int
    frames: np.ndarray  # uint8 (FRAMES,S,S,c)


@dataclass(frozen=True)
class Drawn:
    """The pictures of one run, all of the same test people and codes for a seed."""

    source: Source
    step: int
    people: Faces  # one test picture of each person
    rows: Rows  # for each: the input, its reconstruction, every class
    real: Rows  # for each: the person's own test picture of every class, None where there is none
    sweep: Rows  # the first person: a row a class, a column a level
    new: Rows  # as many z as people, a column a class
    between: list[Between]  # two test people (none where no class is shown by two), and two z
    points: Points | None  # features, where they were asked for

    @property
    def variant(self) -> str:
        return self.source.info.variant

    @property
    def state(self) -> str:
        """'FG at iteration 4000', and whether there was more to do."""
        last = self.source.config.last_iteration
        unfinished = f" (unfinished, of {last})" if self.step < last else ""
        return f"{self.variant} at iteration {self.step}{unfinished}"


def draw(source: Source, data: Path | None, people: int, seed: int, features: bool) -> Drawn:
    """Opens the run, draws everything that a figure may show, and forgets its networks.

    people: test people at most. features: also R_ext's, for which R must be trained. Raises
    `BadUse` for a run without checkpoint, without its data, or with an untrained R.
    """
    run = runs.open_run(source.folder)
    if features:
        require_recognizer(run)
    fesgan, faces = run.fesr.fesgan, load_data(run, data).test
    chosen = faces.of(sheets.choose_people(faces, people, seed))
    return Drawn(
        source=source,
        step=run.step,
        people=chosen,
        rows=generation.expression_rows(fesgan, chosen),
        real=real_rows(faces, chosen.subjects, fesgan.num_classes),
        sweep=generation.intensity_rows(fesgan, chosen.floats()[0], generation.LEVELS),
        new=generation.new_identity_rows(fesgan, len(chosen), seed),
        between=interpolations(fesgan, faces, seed),
        points=_points(run, faces, seed) if features else None,
    )


def real_rows(faces: Faces, subjects: np.ndarray, classes: int) -> Rows:
    """Each subject's first picture of every class, None where the subject shows none."""

    def first(subject: str, label: int) -> np.ndarray | None:
        own = np.flatnonzero((faces.subjects == subject) & (faces.labels == label))
        return faces.images[own[0]] if len(own) else None

    return [[first(subject, label) for label in range(classes)] for subject in subjects]


def choose_pair(faces: Faces, seed: int) -> np.ndarray | None:
    """Rows of two people's pictures of one class, int64 (2,), chosen by the seed.

    None where no class is shown by two people.
    """
    random = np.random.default_rng(seed)
    for label in random.permutation(np.unique(faces.labels)):
        own = np.flatnonzero(faces.labels == label)
        subjects = np.unique(faces.subjects[own])
        if len(subjects) > 1:
            pair = random.permutation(subjects)[:2]
            return np.array([random.choice(own[faces.subjects[own] == each]) for each in pair])
    return None


def interpolations(fesgan: FESGAN, faces: Faces, seed: int) -> list[Between]:
    """Between two test people with the expression that both show, and between two z with it.

    The first begins and ends with the two reconstructions (eq. 11 at intensity 1).
    """
    pair = choose_pair(faces, seed)
    if pair is None:
        return []
    chosen = faces.of(pair)
    label = int(chosen.labels[0])
    codes, drawn = fesgan.encode(chosen.floats()), generation.prior_codes(fesgan, 2, seed)
    return [
        Between(
            *chosen.images,
            tuple(map(str, chosen.subjects)),
            label,
            generation.between(fesgan, *codes, label, FRAMES),
        ),
        Between(
            None, None, ("z 1", "z 2"), label, generation.between(fesgan, *drawn, label, FRAMES)
        ),
    ]


def _points(run: runs.Run, faces: Faces, seed: int) -> Points:
    nobody = faces.of(np.zeros(0, np.int64))
    return projector.points(run.fesr, nobody, projector.some(faces, MOST_FEATURES), seed=seed)
