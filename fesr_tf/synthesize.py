"""`python -m fesr_tf.synthesize RUN`: what the generator draws, as labelled pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf import pictures, runs
from fesr_tf.codes import expression_code
from fesr_tf.data import ALL, Faces
from fesr_tf.evaluate import load_data
from fesr_tf.fesgan import FESGAN
from fesr_tf.preprocessing import from_model
from pipelines.errors import BadUse, command
from pipelines.files import write_whole

# Fig. 6's axis; the paper shows every other of these.
LEVELS = np.linspace(-1, 1, 9)


def choose_people(faces: Faces, count: int, seed: int) -> np.ndarray:
    """Rows of up to `count` pictures, one a person, of as many classes as there are people.

    Seeded: the order of the people and, within a person's class, the picture. int64 (n,).
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


def every_expression(fesgan: FESGAN, face_codes: tf.Tensor) -> np.ndarray:
    """Face codes (B,n) -> uint8 (B,K,S,S,c): each with every expression at intensity 1."""
    count, classes = len(face_codes), fesgan.num_classes
    code = expression_code(tf.tile(tf.range(classes), [count]), 1.0, classes)
    drawn = fesgan.decode(tf.repeat(face_codes, classes, axis=0), code)
    return from_model(drawn).reshape(count, classes, *drawn.shape[1:])


def expression_rows(fesgan: FESGAN, faces: Faces) -> list[list[np.ndarray]]:
    """For each face: the input, its reconstruction (eq. 11 with v = 1), every expression."""
    codes = fesgan.encode(faces.floats())
    own = expression_code(tf.constant(faces.labels), 1.0, fesgan.num_classes)
    reconstructed = from_model(fesgan.decode(codes, own))
    drawn = every_expression(fesgan, codes)
    return [
        [image, again, *each]
        for image, again, each in zip(faces.images, reconstructed, drawn, strict=True)
    ]


def intensity_rows(fesgan: FESGAN, image: tf.Tensor, levels: np.ndarray) -> list[list[np.ndarray]]:
    """One face, float (S,S,c), as in Fig. 6: a row a class, a column a level in [-1,1].

    The class's entry of the expression code takes the level, all others stay at -1.
    """
    classes, steps = fesgan.num_classes, len(levels)
    code = np.full((classes, steps, classes), -1.0, np.float32)
    for k in range(classes):
        code[k, :, k] = levels
    face_code = tf.repeat(fesgan.encode(image[tf.newaxis]), classes * steps, axis=0)
    drawn = from_model(fesgan.decode(face_code, tf.constant(code.reshape(-1, classes))))
    return [list(row) for row in drawn.reshape(classes, steps, *drawn.shape[1:])]


def prior_codes(fesgan: FESGAN, count: int, seed: int) -> tf.Tensor:
    """z ~ U(-1,1), float32 (count,n): the same for every run with codes of that size."""
    return tf.random.stateless_uniform((count, fesgan.config.code_size), (seed, 0), -1.0, 1.0)


def new_identity_rows(fesgan: FESGAN, count: int, seed: int) -> list[list[np.ndarray]]:
    """`count` people who do not exist, z ~ U(-1,1) (eq. 13): a row each, a column a class."""
    return [list(row) for row in every_expression(fesgan, prior_codes(fesgan, count, seed))]


def between(fesgan: FESGAN, start: tf.Tensor, end: tf.Tensor, label: int, steps: int) -> np.ndarray:
    """From one face code (n,) to another in a straight line: uint8 (steps,S,S,c).

    G_dec([(1 - t) start + t end, u(label)]) for t from 0 to 1, at intensity 1 throughout.
    """
    t = tf.linspace(0.0, 1.0, steps)[:, tf.newaxis]
    expression = expression_code(tf.fill([steps], label), 1.0, fesgan.num_classes)
    return from_model(fesgan.decode((1.0 - t) * start + t * end, expression))


def expression_sheet(
    fesgan: FESGAN, faces: Faces, classes: Sequence[str], title: str = ""
) -> np.ndarray:
    """`expression_rows` as a labelled picture, uint8 (H,W,3)."""
    columns = ["input", "reconstruction", *classes]
    return pictures.grid(
        expression_rows(fesgan, faces), columns, _row_labels(faces, classes), title
    )


def training_sheet(fesgan: FESGAN, faces: Faces, classes: Sequence[str], seed: int) -> np.ndarray:
    """What is looked at while training, uint8 (H,W,3): a row a face as `expression_sheet`,
    below them half as many new identities. With the same seed the same codes at every step."""
    people = max(1, len(faces) // 2)
    rows = expression_rows(fesgan, faces)
    rows += [[None, None, *row] for row in new_identity_rows(fesgan, people, seed)]
    labels = _row_labels(faces, classes) + _identity_labels(people)
    return pictures.grid(rows, ["input", "reconstruction", *classes], labels)


def _row_labels(faces: Faces, classes: Sequence[str]) -> list[str]:
    pairs = zip(faces.subjects, faces.labels, strict=True)
    return [f"{subject}, {classes[label]}" for subject, label in pairs]


def _identity_labels(count: int) -> list[str]:
    return [f"new {i + 1}" for i in range(count)]


def sheets(run: runs.Run, faces: Faces, people: int, seed: int) -> dict[str, np.ndarray]:
    """File name -> picture (uint8 (H,W,3)), drawn from test faces of the run's fold, or where
    nobody was held out from training faces, which the title says."""
    fesgan, classes = run.fesr.fesgan, run.info.classes
    part = "training" if run.info.fold == ALL else "test"
    name = f"{run.info.variant} on {run.info.database}, fold {run.info.fold}, step {run.step}"
    chosen = faces.of(choose_people(faces, people, seed))
    sweep = intensity_rows(fesgan, chosen.floats()[0], LEVELS)
    return {
        "expressions.png": expression_sheet(
            fesgan, chosen, classes, f"Expressions of {part} people: {name}"
        ),
        "intensity.png": pictures.grid(
            sweep,
            [f"{level:+.2f}" for level in LEVELS],
            classes,
            f"Intensity, {chosen.subjects[0]}: {name}",
        ),
        "new_identities.png": pictures.grid(
            new_identity_rows(fesgan, people, seed),
            classes,
            _identity_labels(people),
            f"New identities: {name}",
        ),
    }


@command
def main(argv: list[str] | None = None) -> int:
    """Draws one run's pictures; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.synthesize",
        description="Expression grid, intensity sweep and new identities of a run as PNG files.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="runs/<db>/<variant>/fold-NN")
    parser.add_argument("--output", type=Path, help="folder of the pictures [RUN/pictures]")
    parser.add_argument("--data", type=Path, help="the run's data, if the folder has moved")
    parser.add_argument("--people", type=int, default=8, help="rows of the grids [8]")
    parser.add_argument("--seed", type=int, default=0, help="of people and z [0]")
    options = parser.parse_args(argv)
    if options.people < 1 or options.seed < 0:
        raise BadUse("--people must be at least 1 and --seed at least 0")
    run = runs.open_run(options.run)
    if not run.config.trains_fesgan:
        raise BadUse(
            f"{run.folder} is a run of {run.info.variant}, which trains no generator: "
            "there is nothing to draw"
        )
    fold = load_data(run, options.data)
    faces = fold.train if run.info.fold == ALL else fold.test
    output = options.output or run.folder / "pictures"
    for name, sheet in sheets(run, faces, options.people, options.seed).items():
        write_whole(output / name, pictures.png(sheet))
        print(f"written: {output / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
