"""Generates everything that is measured of a run, in batches.

Generated images go through uint8 before anything is measured: a PNG file holds nothing finer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from fesr_tf.data import Faces, Fold
from fesr_tf.data.images import from_model, to_float
from fesr_tf.model.expression_codes import expression_code
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.model.fesr import FESR
from fesr_tf.model.predict import predict_logits
from fesr_tf.synthesis.generation import every_expression, prior_codes
from fesr_tf.synthesis.quality import pairs

BATCH = 32


@dataclass(frozen=True)
class Generated:
    """A run's generated images: `translated` uint8 (N,K,S,S,c) of the N test images,
    `reconstructed` uint8 (P,S,S,c) of the training peaks (x_rec), `new` uint8 (M,S,S,c) of as many
    z, with the classes `new_labels` int (M,)."""

    translated: np.ndarray
    reconstructed: np.ndarray
    new: np.ndarray
    new_labels: np.ndarray


def generate(fesgan: FESGAN, fold: Fold, count: int, seed: int) -> Generated:
    """Generates from the fold's images and from `count` z."""
    peaks = fold.train.of(pairs.peaks(fold.train))
    return Generated(
        translations(fesgan, fold.test.images),
        reconstructions(fesgan, peaks.images, peaks.labels),
        *new_identities(fesgan, count, seed),
    )


def batched(function: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """`function` of `BATCH` rows of the arrays at a time, concatenated."""
    starts = range(0, len(arrays[0]), BATCH)
    return np.concatenate([function(*(rows[i : i + BATCH] for rows in arrays)) for i in starts])


def translations(fesgan: FESGAN, images: np.ndarray) -> np.ndarray:
    """uint8 (N,S,S,c) -> uint8 (N,K,S,S,c): G_dec([g(x), u(k)]) for each class k, v = 1 (eq. 3);
    at the image's own class the reconstruction (eq. 11), but for `details`."""
    return batched(lambda some: every_expression(fesgan, to_float(some)), images)


def reconstructions(fesgan: FESGAN, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """uint8 (N,S,S,c) and their classes -> x_rec (eq. 11, v = 1), as uint8 (N,S,S,c)."""

    def reconstruct(some: np.ndarray, own: np.ndarray) -> np.ndarray:
        expression = expression_code(tf.constant(own), 1.0, fesgan.num_classes)
        return from_model(fesgan.decode(fesgan.encode(to_float(some)), expression))

    return batched(reconstruct, images, labels)


def new_identities(fesgan: FESGAN, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` people who do not exist (eq. 13): uint8 (N,S,S,c) and their classes int32 (N,).

    One z ~ U(-1,1) for each, classes in turn, v = 1.
    """
    codes = prior_codes(fesgan, count, seed)
    labels = np.arange(count, dtype=np.int32) % fesgan.num_classes
    expression = expression_code(tf.constant(labels), 1.0, fesgan.num_classes)
    return batched(lambda z, y: from_model(fesgan.decode(z, y)), codes, expression), labels


def predictions(fesr: FESR, images: np.ndarray) -> np.ndarray:
    """R's predicted class of each of uint8 (N,S,S,c): int64 (N,)."""
    count = len(images)
    names = np.full(count, "")
    faces = Faces(images, np.zeros(count, np.int32), names, names, np.ones(count, np.float32))
    return predict_logits(fesr, faces).argmax(-1)
