"""What the generator draws and what a network makes of it, in batches, as stored pictures.

Drawn faces go through uint8 before anything is measured: a PNG file holds nothing finer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from fesr_tf.data import Faces, Fold
from fesr_tf.data.images import from_model, to_float
from fesr_tf.model.expression_codes import expression_code
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.model.fesr import FESR
from fesr_tf.model.predict import predict_logits
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.synthesis.generation import every_expression, prior_codes
from fesr_tf.synthesis.quality import pairs

BATCH = 32


@dataclass(frozen=True)
class Drawn:
    """What the generator draws: `translated` uint8 (N,K,S,S,c) of the N test pictures,
    `redrawn` uint8 (P,S,S,c) of the training peaks (x_rec), `new` uint8 (M,S,S,c) of as many z,
    with the classes `new_labels` int (M,)."""

    translated: np.ndarray
    redrawn: np.ndarray
    new: np.ndarray
    new_labels: np.ndarray


def draw(fesgan: FESGAN, fold: Fold, count: int, seed: int) -> Drawn:
    """Everything that is drawn of a run, once: from the fold's pictures and from `count` z."""
    peaks = fold.train.of(pairs.peaks(fold.train))
    return Drawn(
        translations(fesgan, fold.test.images),
        reconstructions(fesgan, peaks.images, peaks.labels),
        *new_identities(fesgan, count, seed),
    )


def translations(fesgan: FESGAN, images: np.ndarray) -> np.ndarray:
    """uint8 (N,S,S,c) -> uint8 (N,K,S,S,c): G_dec([g(x), u(k)]) for each class k, v = 1 (eq. 3);
    at the picture's own class the reconstruction (eq. 11)."""
    parts = [
        every_expression(fesgan, fesgan.encode(to_float(images[begin : begin + BATCH])))
        for begin in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts)


def reconstructions(fesgan: FESGAN, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """uint8 (N,S,S,c) and their classes -> x_rec (eq. 11, v = 1), as uint8 (N,S,S,c)."""
    parts = []
    for begin in range(0, len(images), BATCH):
        some = slice(begin, begin + BATCH)
        expression = expression_code(tf.constant(labels[some]), 1.0, fesgan.num_classes)
        parts.append(from_model(fesgan.decode(fesgan.encode(to_float(images[some])), expression)))
    return np.concatenate(parts)


def new_identities(fesgan: FESGAN, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` people who do not exist (eq. 13): uint8 (N,S,S,c) and their classes int32 (N,).

    A z ~ U(-1,1) each, classes in turn, v = 1.
    """
    codes = prior_codes(fesgan, count, seed)
    labels = np.arange(count, dtype=np.int32) % fesgan.num_classes
    expression = expression_code(tf.constant(labels), 1.0, fesgan.num_classes)
    parts = [
        from_model(fesgan.decode(codes[begin : begin + BATCH], expression[begin : begin + BATCH]))
        for begin in range(0, count, BATCH)
    ]
    return np.concatenate(parts), labels


def embed(network: FaceNetwork, images: np.ndarray) -> np.ndarray:
    """uint8 (N,S,S,c) -> the face network's embeddings, float32 (N,E)."""
    parts = [
        network.embed(to_float(images[begin : begin + BATCH])).numpy()
        for begin in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, network.embedding_size), np.float32)


def answers(fesr: FESR, images: np.ndarray) -> np.ndarray:
    """The class that R sees in each of uint8 (N,S,S,c): int64 (N,)."""
    count = len(images)
    names = np.full(count, "")
    faces = Faces(images, np.zeros(count, np.int32), names, names, np.ones(count, np.float32))
    return predict_logits(fesr, faces).argmax(-1)
