"""Trains a Light CNN to identify people: aligned faces, and a softmax over their subjects."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from fesr_tf.data.images import to_float, to_size
from fesr_tf.networks.light_cnn import LightCNN
from pipelines.common.errors import FailedWork
from pipelines.dataset import examples
from pipelines.dataset.manifest import load as load_manifest
from pipelines.dataset.manifest import verify as verify_manifest
from pipelines.media import images

LEARNING_RATE = 2e-3
DROPOUT = 0.3


@dataclass(frozen=True)
class People:
    """Aligned faces in memory, row i of every field one image."""

    images: np.ndarray  # uint8 (N, S, S, 1)
    subjects: np.ndarray  # str (N,)
    labels: np.ndarray  # str (N,), the expression's name

    def of(self, subjects: list[str]) -> People:
        """The images of `subjects`."""
        rows = np.isin(self.subjects, subjects)
        return People(self.images[rows], self.subjects[rows], self.labels[rows])


def read_people(folders: list[Path], size: int) -> People:
    """Every face of the data folders, gray, `size` pixels a side, in key order.

    A subject's name means the same person in all of them. Raises `BadUse` for a folder that
    does not hold preprocessed data, `FailedWork` for damaged shards.
    """
    faces, subjects, labels = [], [], []
    for folder in folders:
        manifest = load_manifest(folder)
        verify_manifest(folder, manifest)
        records = [
            examples.decode(payload)
            for shard in manifest.shards
            for payload in examples.read_records(folder / shard.path)
        ]
        records.sort(key=lambda record: record.key)
        stored = np.stack([images.decode(record.image) for record in records])
        stored = stored if stored.ndim == 4 else stored[..., None]
        # In parts: resizing 10,000 faces in colour at once would take 2 GB of floats.
        faces += [to_size(stored[i : i + 256], size, 1).numpy() for i in range(0, len(stored), 256)]
        subjects += [record.subject for record in records]
        labels += [record.class_name for record in records]
    return People(np.concatenate(faces), np.array(subjects), np.array(labels))


def augment(image01: tf.Tensor) -> tf.Tensor:
    """Gray (B,S,S,1) in [0,1] -> the same with random mirroring, small shifts, rotation and scale,
    contrast, brightness and noise for each image."""
    count, size = tf.shape(image01)[0], image01.shape[1]

    def uniform(low: float, high: float) -> tf.Tensor:
        return tf.random.uniform((count, 1, 1, 1), low, high)

    x = tf.where(uniform(0, 1) < 0.5, image01, image01[:, :, ::-1])
    angle, scale, right, down = (
        tf.reshape(uniform(-limit, limit), [-1]) for limit in (0.05, 0.04, 2 / 64, 2 / 64)
    )
    cosine, sine = tf.cos(angle) * (1 + scale), tf.sin(angle) * (1 + scale)
    centre, zero = (size - 1) / 2, tf.zeros_like(angle)
    x = tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.stack(
            [
                cosine, -sine, centre * (1 - cosine + sine) + right * size,
                sine, cosine, centre * (1 - sine - cosine) + down * size,
                zero, zero,
            ],
            axis=1,
        ),
        output_shape=(size, size),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )  # fmt: skip
    x = (x - 0.5) * uniform(0.7, 1.3) + 0.5 + uniform(-0.15, 0.15)
    x += tf.random.normal(tf.shape(x)) * uniform(0, 0.04)
    return tf.clip_by_value(x, 0.0, 1.0)


def train(network: LightCNN, people: People, epochs: int, batch_size: int, seed: int) -> None:
    """Fits `network` to a softmax over `people` (Adam, cosine decay), then sets its scale.

    Prints one line an epoch. Raises `FailedWork` if the loss becomes infinite or NaN.

    An mfm layer is homogeneous: the weights of `fc` are divided by the embeddings' root mean
    square, which becomes 1 on these people, so that L_id (12) has a known scale.
    """
    keras.utils.set_random_seed(seed)
    names, numbers = np.unique(people.subjects, return_inverse=True)
    batch_size = min(batch_size, len(numbers))
    per_epoch = len(numbers) // batch_size
    softmax = keras.layers.Dense(len(names))
    softmax.build((None, network.spec.embedding))
    variables = [*network.trainable_variables, *softmax.trainable_variables]
    decay = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * per_epoch)
    optimizer = keras.optimizers.Adam(decay)
    optimizer.build(variables)

    # AutoGraph would spend a minute rewriting tf_keras.
    @tf.function(autograph=False)
    def step(images: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image01 = augment(tf.cast(images, tf.float32) / 255.0)
        with tf.GradientTape() as tape:
            logits = softmax(tf.nn.dropout(network(image01), DROPOUT))
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(numbers, logits)
            loss = tf.reduce_mean(loss)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        correct = tf.argmax(logits, -1, tf.int32) == numbers
        return loss, tf.reduce_mean(tf.cast(correct, tf.float32))

    order = np.random.default_rng(seed)
    start = time.monotonic()
    for epoch in range(1, epochs + 1):
        rows = order.permutation(len(numbers))[: per_epoch * batch_size]
        scores = [
            step(people.images[batch], numbers[batch].astype(np.int32))
            for batch in rows.reshape(per_epoch, batch_size)
        ]
        loss, accuracy = np.mean(scores, axis=0)
        if not np.isfinite(loss):
            raise FailedWork(f"the training diverged in epoch {epoch}; try another --seed")
        seconds = (time.monotonic() - start) / epoch
        print(
            f"epoch {epoch}/{epochs}: loss {loss:.3f}, accuracy {accuracy:.1%}, "
            f"{seconds:.1f} s an epoch, {seconds * (epochs - epoch):.0f} s left",
            flush=True,
        )
    rms = np.sqrt(np.mean(embed(network, people.images) ** 2))
    fc = network.layers_by_name["fc"]
    fc.set_weights([weights / rms for weights in fc.get_weights()])


def embed(network: keras.layers.Layer, faces: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """Embeddings (N, E) of uint8 (N,S,S,1), by a `LightCNN`."""
    run = tf.function(network, autograph=False, reduce_retracing=True)
    parts = [faces[i : i + batch_size] for i in range(0, len(faces), batch_size)]
    return np.concatenate([run((to_float(part) + 1.0) / 2.0).numpy() for part in parts])
