"""Generates images: expressions, intensities, new identities, interpolations."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from fesr_tf.data import Faces
from fesr_tf.data.images import from_model
from fesr_tf.model.expression_codes import expression_code
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.runs import Run
from pipelines.common.errors import BadUse

# Fig. 6's axis; the paper shows every other of these.
LEVELS = np.linspace(-1, 1, 9)

Rows = list[list[np.ndarray]]
"""Rows of images, uint8 (S,S,c) each."""


def require_generator(run: Run) -> None:
    """Raises `BadUse` where the run trains no generator."""
    if not run.config.trains_fesgan:
        raise BadUse(
            f"{run.folder} is a run of {run.info.variant}, which trains no generator; give a run "
            "of another variant"
        )


def every_expression(fesgan: FESGAN, images: tf.Tensor) -> np.ndarray:
    """float (B,S,S,c) -> uint8 (B,K,S,S,c): each face with every expression at intensity 1
    (eq. 3)."""
    codes, expressions = _each_class(fesgan, fesgan.encode(images))
    repeated = tf.repeat(images, fesgan.num_classes, axis=0)
    return _by_class(fesgan, fesgan.express(repeated, codes, expressions))


def _each_class(fesgan: FESGAN, face_codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(B,n) -> each code K times, and u(y) of every class in turn at intensity 1, (B*K,K)."""
    classes = fesgan.num_classes
    expressions = expression_code(tf.tile(tf.range(classes), [len(face_codes)]), 1.0, classes)
    return tf.repeat(face_codes, classes, axis=0), expressions


def _by_class(fesgan: FESGAN, images: tf.Tensor) -> np.ndarray:
    pixels = from_model(images)
    return pixels.reshape(-1, fesgan.num_classes, *pixels.shape[1:])


def expression_rows(fesgan: FESGAN, faces: Faces) -> Rows:
    """For each face: the input, its reconstruction (eq. 11 with v = 1), every expression."""
    images = faces.floats()
    own = expression_code(tf.constant(faces.labels), 1.0, fesgan.num_classes)
    reconstructed = from_model(fesgan.decode(fesgan.encode(images), own))
    translated = every_expression(fesgan, images)
    return [[x, x_rec, *row] for x, x_rec, row in
            zip(faces.images, reconstructed, translated, strict=True)]  # fmt: skip


def intensity_rows(fesgan: FESGAN, image: tf.Tensor, levels: np.ndarray) -> Rows:
    """One face, float (S,S,c), as in Fig. 6: a row for each class, a column for each level in
    [-1,1].

    The class's entry of the expression code takes the level, all others stay at -1.
    """
    classes, steps = fesgan.num_classes, len(levels)
    code = np.full((classes, steps, classes), -1.0, np.float32)
    for k in range(classes):
        code[k, :, k] = levels
    one = image[tf.newaxis]
    same, codes = (tf.repeat(each, classes * steps, axis=0) for each in (one, fesgan.encode(one)))
    images = from_model(fesgan.express(same, codes, tf.constant(code.reshape(-1, classes))))
    return [list(row) for row in images.reshape(classes, steps, *images.shape[1:])]


def prior_codes(fesgan: FESGAN, count: int, seed: int) -> tf.Tensor:
    """Codes of new faces, float32 (count,n), from the same z ~ U(-1,1) for every run with codes
    of that size."""
    shape = count, fesgan.config.code_size
    return fesgan.new_codes(tf.random.stateless_uniform(shape, (seed, 0), -1.0, 1.0))


def new_identity_rows(fesgan: FESGAN, count: int, seed: int) -> Rows:
    """A row for each of `count` people who do not exist, z ~ U(-1,1) (eq. 13), a column for each
    class."""
    generated = fesgan.decode(*_each_class(fesgan, prior_codes(fesgan, count, seed)))
    return [list(row) for row in _by_class(fesgan, generated)]


def between(fesgan: FESGAN, start: tf.Tensor, end: tf.Tensor, label: int, steps: int) -> np.ndarray:
    """From one face code (n,) to another in a straight line: uint8 (steps,S,S,c).

    G_dec([(1 - t) start + t end, u(label)]) for t from 0 to 1, at intensity 1 throughout.
    """
    t = tf.linspace(0.0, 1.0, steps)[:, tf.newaxis]
    expression = expression_code(tf.fill([steps], label), 1.0, fesgan.num_classes)
    return from_model(fesgan.decode((1.0 - t) * start + t * end, expression))
