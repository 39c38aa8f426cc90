"""Batches of triplets (image, positive, label) as a pure function of the seed and the step."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from fesr_tf.config import Config
from fesr_tf.data.faces import Faces
from fesr_tf.data.images import to_float
from pipelines.common.errors import BadUse


class CachedFeatures(Protocol):
    """Cached features of the same faces: `fesr_tf.model.frozen_features`."""

    def of(
        self, rows: tf.Tensor, positives: tf.Tensor, flips: tf.Tensor, positive_flips: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The features of a batch, by name."""


def batches(
    faces: Faces, config: Config, start: int = 0, frozen: CachedFeatures | None = None
) -> tf.data.Dataset:
    """Endless batches (image, positive, label) from iteration `start` of Algorithm 1 on.

    image and positive (x^{p,r}) are float32 (B, S, S, c) in [-1, 1], label int32 (B,). Batch t
    is a pure function of the seed and t: each epoch is its own permutation, a last short batch is
    left out, and a positive is sampled uniformly from the other images of its class. The image of
    a class with a single image is its own positive (docs/method/algorithm.md). With `frozen`, the
    cached features of `faces`, each batch has a fourth member, `frozen_features.Known`.

    Raises `BadUse` where `config.batch_size` exceeds the number of faces.
    """
    size, count = config.batch_size, len(faces)
    if size > count:
        raise BadUse(f"batch_size={size} exceeds the {count} training images; lower it")
    per_epoch = count // size
    images = tf.constant(faces.images)
    labels = tf.constant(faces.labels)
    # Row i of `members` lists, from `first[i]` on, the images of image i's class.
    order = np.argsort(faces.labels, kind="stable").astype(np.int64)
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    sizes = np.bincount(faces.labels)[faces.labels]
    first = np.searchsorted(faces.labels[order], faces.labels)

    def float_images(rows: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
        selected = to_float(tf.gather(images, rows))
        if not config.horizontal_flip:
            return selected
        return tf.where(flips[:, None, None, None], selected[:, :, ::-1], selected)

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        fold_in = tf.random.experimental.stateless_fold_in
        seed = tf.constant(config.seed, tf.int64)
        # Separate streams: a step must share no seed with an epoch or with `expression_codes`.
        positive_seed, flip_seed, epoch_seed = (
            fold_in(tf.stack([seed, number]), salt)
            for number, salt in ((step, 1), (step, 2), (step // per_epoch, 3))
        )
        permutation = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), epoch_seed
        )
        begin = (step % per_epoch) * size
        rows = tf.ensure_shape(permutation[begin : begin + size], (size,))
        uniform = tf.random.stateless_uniform((size,), positive_seed)
        others = tf.gather(tf.constant(sizes, tf.int64), rows) - 1
        shift = 1 + tf.cast(uniform * tf.cast(others, tf.float32), tf.int64)
        shift = tf.minimum(shift, others)  # float rounding, and classes of one
        offset = tf.gather(tf.constant(rank - first), rows) + shift
        slot = tf.gather(tf.constant(first), rows) + offset % (others + 1)
        positives = tf.gather(tf.constant(order), slot)
        flips = tf.random.stateless_uniform((2, size), flip_seed) < 0.5
        if not config.horizontal_flip:
            flips = tf.zeros_like(flips)
        triplet = (
            float_images(rows, flips[0]),
            float_images(positives, flips[1]),
            tf.gather(labels, rows),
        )
        return (*triplet, frozen.of(rows, positives, flips[0], flips[1])) if frozen else triplet

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=2).prefetch(2)
