"""Face-network embeddings of real and generated images, and their cosine distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesr_tf.data import Fold
from fesr_tf.data.images import to_float
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.synthesis.quality.generation import Generated, batched


@dataclass(frozen=True)
class People:
    """Embeddings float (N,E), expression int (N,) and person (N,) of real or generated images."""

    embeddings: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray

    def of(self, rows: np.ndarray) -> People:
        return People(self.embeddings[rows], self.labels[rows], self.subjects[rows])


@dataclass(frozen=True)
class Embedded:
    """A network's embeddings of all training and test images and of everything generated:
    float32 (T,E), (N,E), (N,K,E), (P,E), (M,E)."""

    train: np.ndarray
    test: np.ndarray
    translated: np.ndarray
    reconstructed: np.ndarray
    new: np.ndarray


def embed_all(network: FaceNetwork, fold: Fold, generated: Generated) -> Embedded:
    """The embeddings of a fold's training and test images and of `generated`."""

    def embed(images: np.ndarray) -> np.ndarray:
        return batched(lambda some: network.embed(to_float(some)).numpy(), images)

    count, classes = generated.translated.shape[:2]
    return Embedded(
        train=embed(fold.train.images),
        test=embed(fold.test.images),
        translated=embed(np.concatenate(generated.translated)).reshape(count, classes, -1),
        reconstructed=embed(generated.reconstructed),
        new=embed(generated.new),
    )


def normalized(embeddings: np.ndarray) -> np.ndarray:
    """Rows of float (N,E) at length 1, float64; a row of zeros stays one."""
    rows = np.asarray(embeddings, np.float64)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine similarity row by row: float (P,E) twice -> (P,)."""
    return (normalized(first) * normalized(second)).sum(-1)


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine distance, 1 - cosine similarity, of embeddings (M,E), (N,E) -> (M,N) in [0,2]."""
    return np.clip(1 - normalized(first) @ normalized(second).T, 0, 2)
