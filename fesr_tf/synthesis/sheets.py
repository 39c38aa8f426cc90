"""Lays out labelled sheets of generated images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fesr_tf import runs
from fesr_tf.data import ALL, Faces
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.plots import image_grids
from fesr_tf.synthesis.generation import LEVELS, expression_rows, intensity_rows, new_identity_rows


def choose_people(faces: Faces, count: int, seed: int) -> np.ndarray:
    """Rows of up to `count` images, one for each person, of as many classes as there are people.

    Seeded: the order of the people and, within a person's class, the image. int64 (n,).
    """
    random = np.random.default_rng(seed)
    subjects = random.permutation(np.unique(faces.subjects))[:count]
    rows = []
    for i, subject in enumerate(subjects):
        own = np.flatnonzero(faces.subjects == subject)
        classes = np.unique(faces.labels[own])
        # The i-th person comes in with the i-th class, so that inputs differ in expression.
        label = classes[i % len(classes)]
        rows.append(random.choice(own[faces.labels[own] == label]))
    return np.array(rows, np.int64)


def training_sheet(fesgan: FESGAN, faces: Faces, classes: Sequence[str], seed: int) -> np.ndarray:
    """The sheet that TensorBoard shows during training, uint8 (H,W,3): a row for each face as in
    `expression_rows`, then half as many new identities, from the same codes for a seed."""
    people = max(1, len(faces) // 2)
    rows = expression_rows(fesgan, faces)
    rows += [[None, None, *row] for row in new_identity_rows(fesgan, people, seed)]
    labels = _row_labels(faces, classes) + _identity_labels(people)
    return image_grids.grid(rows, ["input", "reconstruction", *classes], labels)


def _row_labels(faces: Faces, classes: Sequence[str]) -> list[str]:
    pairs = zip(faces.names, faces.labels, strict=True)
    return [f"{subject}, {classes[label]}" for subject, label in pairs]


def _identity_labels(count: int) -> list[str]:
    return [f"new {i + 1}" for i in range(count)]


def sheets(run: runs.Run, faces: Faces, people: int, seed: int) -> dict[str, np.ndarray]:
    """File name -> sheet, uint8 (H,W,3), from `faces`: the test faces of the run's fold, or the
    training faces where nobody was held out, which the title states."""
    fesgan, classes = run.fesr.fesgan, run.info.classes
    part = "training" if run.info.fold == ALL else "test"
    name = f"{run.info.variant} on {run.info.database}, fold {run.info.fold}, step {run.step}"
    chosen = faces.of(choose_people(faces, people, seed))
    sheets = {
        "expressions.png": (
            expression_rows(fesgan, chosen),
            ["input", "reconstruction", *classes],
            _row_labels(chosen, classes),
            f"Expressions of {part} images: {name}",
        ),
        "intensity.png": (
            intensity_rows(fesgan, chosen.floats()[0], LEVELS),
            [f"{level:+.2f}" for level in LEVELS],
            classes,
            f"Intensity, {chosen.names[0]}: {name}",
        ),
        "new_identities.png": (
            new_identity_rows(fesgan, people, seed),
            classes,
            _identity_labels(people),
            f"New identities: {name}",
        ),
    }
    return {file: image_grids.grid(*sheet) for file, sheet in sheets.items()}
