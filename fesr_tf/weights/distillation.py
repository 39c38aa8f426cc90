"""Teaches a Light CNN, or its tail alone, what follows its frozen trunk, a teacher's embeddings."""

from __future__ import annotations

import time

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tqdm import tqdm

from fesr_tf.data.augmentation import augment
from fesr_tf.data.images import to_float
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.networks.light_cnn import LightCNN, layers_of
from fesr_tf.weights.batch_norm import DTYPE
from fesr_tf.weights.epochs import batches
from fesr_tf.weights.identity_training import embed
from pipelines.common.errors import FailedWork

LEARNING_RATE = 2e-3
# Of the differences between cosines in a batch, beside each image's own cosine.
RELATIONS = 10.0
_BATCH = 32


def teach(teacher: FaceNetwork, faces: np.ndarray) -> np.ndarray:
    """The teacher's embeddings float32 (N,E) of uint8 (N,S,S,1), computed in half precision.

    The cosine with those of single precision is above 0.999.
    """

    @tf.function(autograph=False)
    def run(images: tf.Tensor) -> tf.Tensor:
        return teacher.embed_trunk(teacher.trunk(to_float(images), DTYPE), DTYPE)

    parts = []
    for begin in tqdm(range(0, len(faces), _BATCH), desc="teacher", unit="batch", disable=None):
        # The last batch is padded, so that the graph is traced once.
        rows = np.minimum(np.arange(begin, begin + _BATCH), len(faces) - 1)
        parts.append(run(faces[rows]).numpy()[: len(faces) - begin])
    return np.concatenate(parts)


def leading(embeddings: np.ndarray, dimensions: int) -> np.ndarray:
    """Embeddings (N,E) as (N,`dimensions`), which keeps their scalar products as nearly as a linear
    map can; unchanged where E is no more."""
    if embeddings.shape[1] <= dimensions:
        return embeddings
    _, vectors = np.linalg.eigh(embeddings.T @ embeddings)  # in ascending order
    return embeddings @ vectors[:, -dimensions:]


def _lengths(rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rows, axis=1, keepdims=True)


def distil(
    network: LightCNN,
    faces: np.ndarray,
    embeddings: np.ndarray,
    epochs: int,
    batch_size: int,
    seed: int,
    whole: bool = False,
) -> None:
    """Trains the layers of `network` after pool3 to give the directions of `embeddings`.

    whole: trains those before pool3 too.

    faces: uint8 (N,S,S,1) of the network's own size; embeddings: float32 (N,E), the teacher's, of
    which a network with fewer dimensions learns the `leading` ones. The loss compares each
    embedding's direction, and the cosines between those of a batch. Afterwards the weights of `fc`
    are divided so that the embeddings' root mean square on `faces` is 1, which gives L_id (12) a
    known scale. Prints one line an epoch. Raises `FailedWork` if the loss becomes infinite or NaN.
    """
    batch_size = min(batch_size, len(faces))
    trained = [network.layers_by_name[each.name] for each in layers_of(network.spec)
               if whole or not each.in_trunk]  # fmt: skip
    variables = [variable for layer in trained for variable in (layer.kernel, layer.bias)]
    steps = epochs * (len(faces) // batch_size)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
    optimizer.build(variables)
    targets = leading(embeddings / _lengths(embeddings), network.spec.embedding)
    targets /= _lengths(targets)

    # AutoGraph would spend a minute rewriting tf_keras.
    @tf.function(autograph=False)
    def step(images: tf.Tensor, target: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        image01 = augment(images, network.spec.size, tf.stack([seed, index]))
        with tf.GradientTape() as tape:
            hidden = tf.cast(network.trunk(tf.cast(image01, DTYPE)), tf.float32)
            hidden = hidden if whole else tf.stop_gradient(hidden)
            unit = tf.math.l2_normalize(network.embed_trunk(hidden), axis=1)
            own = 1 - tf.reduce_mean(tf.reduce_sum(unit * target, 1))
            cosines = [tf.matmul(each, each, transpose_b=True) for each in (unit, target)]
            relations = tf.reduce_mean(tf.math.squared_difference(*cosines))
            loss = own + RELATIONS * relations
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return tf.stack([own, relations])

    start = time.monotonic()
    for epoch in range(epochs):
        rows = list(batches(len(faces), batch_size, seed, epoch))
        losses = [
            step(faces[row], targets[row], tf.constant(epoch * len(rows) + index, tf.int32))
            for index, row in enumerate(rows)
        ]
        own, relations = np.mean(losses, axis=0)
        if not np.isfinite(own + relations):
            raise FailedWork(f"the distillation diverged in epoch {epoch + 1}; try another --seed")
        seconds = (time.monotonic() - start) / (epoch + 1)
        print(
            f"epoch {epoch + 1}/{epochs}: cosine {1 - own:.4f}, error of relations "
            f"{relations**0.5:.4f}, {seconds:.0f} s an epoch, "
            f"{seconds * (epochs - epoch - 1):.0f} s left",
            flush=True,
        )
    rms = np.sqrt(np.mean(embed(network, faces) ** 2))
    fc = network.layers_by_name["fc"]
    fc.set_weights([weights / rms for weights in fc.get_weights()])
