"""Batches of triplets (image, positive, label) as a pure function of the seed and the step."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from fesr_tf.config import Config
from fesr_tf.data.augmentation import augment
from fesr_tf.data.faces import Faces
from fesr_tf.data.images import to_float
from fesr_tf.data.mapped import Rows, gather
from pipelines.common.errors import BadUse


class CachedFeatures(Protocol):
    """Cached features of the same faces: `fesr_tf.model.frozen_features`."""

    def of(
        self,
        rows: tf.Tensor,
        positives: tf.Tensor,
        flips: tf.Tensor,
        own_flips: tf.Tensor,
        positive_flips: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The features of a batch, by name; `flips` of x for FESGAN, `own_flips` of x for R."""


def batches(
    faces: Faces,
    config: Config,
    start: int = 0,
    frozen: CachedFeatures | None = None,
    recognizer: bool = True,
) -> tf.data.Dataset:
    """Endless batches (image, positive, label) from iteration `start` of Algorithm 1 on.

    image and positive (x^{p,r}) are float32 (B, S, S, c) in [-1, 1], label int32 (B,). Batch t
    is a pure function of the seed and t: each epoch is its own permutation, a last short batch is
    left out (with `sampling: balanced` each image is one of a class that was drawn first, all as
    likely), and a positive is sampled uniformly from the other images of its class. The image of
    a class with a single image is its own positive (docs/method/algorithm.md). A batch costs the
    same for any number of faces, but for the first of each epoch.

    Each batch has a fourth member, `fesr_tf.model.batch.More`, where there is anything in it: with
    `frozen` the cached features of `faces`; with `augmentation` or `generator_augmentation` x as R
    sees it, where its map is not cached (the positive, which only R sees, is augmented in its
    place); `votes`; `weight`, of `class_weights`; and `intensity`, of `own_intensity: data`.
    Without `recognizer`, what R alone reads is left out: a batch of stage 1.

    Raises `BadUse` where `config.batch_size` exceeds the number of faces, and with `targets: votes`
    for faces without votes.
    """
    size, count = config.batch_size, len(faces)
    if size > count:
        raise BadUse(f"batch_size={size} exceeds the {count} training images; lower it")
    augmentation = config.augmentation if recognizer else "none"
    fesgan = not recognizer or config.trains_fesgan
    generator = config.generator_augmentation if fesgan else "none"
    kinds = {augmentation, generator}
    of_row = _of_row(faces, config, recognizer)
    per_epoch = count // size
    seed = tf.constant(config.seed, tf.int64)
    fold_in = tf.random.experimental.stateless_fold_in
    images, labels = faces.images, tf.constant(faces.labels)
    # `order` lists the images of one class after another's: `counts[k]` from `first[k]` on. Image i
    # is at `place[i]`.
    by_class = np.argsort(faces.labels, kind="stable").astype(np.int32)
    places = np.empty(count, np.int32)
    places[by_class] = np.arange(count, dtype=np.int32)
    sizes = np.bincount(faces.labels)
    present = tf.constant(np.flatnonzero(sizes))
    order, place = tf.constant(by_class), tf.constant(places)
    counts, first = tf.constant(sizes), tf.constant(np.cumsum(sizes) - sizes)
    del by_class, places

    def balanced(draws: tf.Tensor) -> tf.Tensor:
        """Places in `order`: any class, then any of its images, by draws (2,B) in [0,1)."""
        classes = tf.gather(present, _scaled(draws[0], tf.size(present, tf.int64)))
        return tf.gather(first, classes) + _scaled(draws[1], tf.gather(counts, classes))

    def float_images(rows: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
        selected = to_float(gather(images, rows))
        if not (config.horizontal_flip or "flip" in kinds):
            return selected
        return tf.where(flips[:, None, None, None], selected[:, :, ::-1], selected)

    def drawn(epoch: tf.Tensor) -> tf.data.Dataset:
        """The steps of an epoch, from `start` on, with their rows: its permutation is computed once
        and a step takes its part."""
        permutation = tf.random.experimental.stateless_shuffle(
            tf.range(count), fold_in(tf.stack([seed, epoch]), 3)
        )
        begin = epoch * per_epoch

        def rows(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            from_row = (step - begin) * size
            return step, tf.ensure_shape(permutation[from_row : from_row + size], (size,))

        return tf.data.Dataset.range(tf.maximum(begin, start), begin + per_epoch).map(rows)

    def batch(step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # Separate streams: a step must share no seed with an epoch or with `expression_codes`.
        positive_seed, flip_seed = (fold_in(tf.stack([seed, step]), salt) for salt in (1, 2))
        if config.sampling == "balanced":
            draws = tf.random.stateless_uniform((2, size), fold_in(tf.stack([seed, step]), 5))
            rows = tf.gather(order, balanced(draws))
        rows = tf.cast(rows, tf.int64)
        label = tf.gather(labels, rows)
        uniform = tf.random.stateless_uniform((size,), positive_seed)
        others = tf.gather(counts, label) - 1
        shift = 1 + tf.cast(uniform * tf.cast(others, tf.float32), tf.int64)
        shift = tf.minimum(shift, others)  # float rounding, and classes of one
        begin = tf.gather(first, label)
        offset = tf.cast(tf.gather(place, rows), tf.int64) - begin + shift
        positives = tf.cast(tf.gather(order, begin + offset % (others + 1)), tf.int64)
        flips = tf.random.stateless_uniform((2, size), flip_seed) < 0.5
        if not config.horizontal_flip:
            flips = tf.zeros_like(flips)
        own_flips, positive_flips = tf.unstack(flips)
        face_flips, face_seed = own_flips, fold_in(tf.stack([seed, step]), 6)
        if generator == "flip":
            face_flips = tf.random.stateless_uniform((size,), face_seed) < 0.5
        seeds = tf.random.experimental.stateless_split(fold_in(tf.stack([seed, step]), 4), 2)
        if augmentation == "flip":
            own_flips, positive_flips = (
                tf.random.stateless_uniform((size,), each) < 0.5 for each in tf.unstack(seeds)
            )

        def seen(rows: tf.Tensor, flips: tf.Tensor, kind: str, stream: tf.Tensor) -> tf.Tensor:
            """The images mirrored by `flips`, or changed by `kind`."""
            if kind != "standard":
                return float_images(rows, flips)
            image01 = augment(gather(images, rows), config.image_size, stream)
            return tf.ensure_shape(2.0 * image01 - 1.0, (size, *images.shape[1:]))

        triplet = (
            seen(rows, face_flips, generator, face_seed),
            seen(positives, positive_flips, augmentation, seeds[1]),
            label,
        )
        more = {name: gather(table, rows) for name, table in of_row.items()}
        if frozen:
            more |= frozen.of(rows, positives, face_flips, own_flips, positive_flips)
        if recognizer and kinds != {"none"} and "map" not in more:
            more["recognizer_image"] = seen(rows, own_flips, augmentation, seeds[0])
        return (*triplet, more) if more else triplet

    epochs = tf.data.Dataset.range(start // per_epoch, np.iinfo(np.int64).max)
    return epochs.flat_map(drawn).map(batch, num_parallel_calls=2).prefetch(2)


def _scaled(uniform: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """[0,1) -> 0..count-1, int64; float rounding may reach the end."""
    return tf.minimum(tf.cast(uniform * tf.cast(count, tf.float32), tf.int64), count - 1)


def _of_row(faces: Faces, config: Config, recognizer: bool) -> dict[str, np.ndarray | Rows]:
    """What the losses on an image need beside its label, a row an image; without `recognizer`
    those of FESGAN alone.

    intensity: float32 (N,), from 0 at the onset of a sequence to 1 at its peak; 1 for the images of
    a class that has none above 0, as a neutral one, which has no onset. votes: float32 (N,K);
    weight: float32 (N,), n / (K n_c) for a class of n_c of the n images, with K classes that have
    any, so that its mean is 1.
    """
    tables: dict[str, np.ndarray | Rows] = {}
    if config.own_intensity == "data" and (not recognizer or config.trains_fesgan):
        peaks = np.zeros(faces.labels.max() + 1, np.float32)
        np.maximum.at(peaks, faces.labels, faces.intensity)
        tables["intensity"] = np.where(peaks[faces.labels] > 0, faces.intensity, np.float32(1))
    if not recognizer:
        return tables
    if config.targets == "votes":
        if faces.votes is None:
            raise BadUse(
                "targets=votes needs the shares of people's votes, and these data have labels "
                "alone; set targets=labels, or preprocess a database with votes (--db ferplus)"
            )
        tables["votes"] = faces.votes
    if config.class_weights == "balanced":
        counts = np.bincount(faces.labels)
        weights = len(faces) / (np.count_nonzero(counts) * counts[faces.labels])
        tables["weight"] = weights.astype(np.float32)
    return tables
