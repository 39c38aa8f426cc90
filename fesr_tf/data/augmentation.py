"""Random changes of training faces as a function of a seed."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def augment(images: tf.Tensor, size: int, seed: tf.Tensor) -> tf.Tensor:
    """uint8 (B,S,S,c) -> float32 (B,size,size,c) in [0,1], each image changed by itself.

    Mirrored or not, turned by up to 10 degrees, scaled by up to 12 %, shifted by up to 1/16 of
    its side, in one bilinear resampling; contrast by up to 30 %, brightness by up to 0.15, and in
    a quarter of the images a gray rectangle. `seed` is int32 or int64 (2,).
    """
    count, side = tf.shape(images)[0], images.shape[1]
    draws = tf.unstack(tf.random.stateless_uniform((14, count), seed))
    both = [2 * each - 1 for each in draws]
    mirror = tf.where(draws[0] < 0.5, 1.0, -1.0)
    angle, zoom = both[1] * (np.pi / 18), side / size / (1 + 0.12 * both[2])
    cosine, sine = tf.cos(angle) * zoom, tf.sin(angle) * zoom
    # Coordinates of the output's centre and the input's, from the centres of the corner pixels.
    centre, target = (size - 1) / 2, (side - 1) / 2
    right, down = (target + both[i] * (side / 16) for i in (3, 4))
    zero = tf.zeros_like(angle)
    rows = [
        mirror * cosine, -mirror * sine, right - mirror * (cosine - sine) * centre,
        sine, cosine, down - (sine + cosine) * centre, zero, zero,
    ]  # fmt: skip
    x = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32) / 255.0,
        transforms=tf.stack(rows, axis=1),
        output_shape=(size, size),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )

    def each(values: tf.Tensor) -> tf.Tensor:
        return values[:, None, None, None]

    x = (x - 0.5) * each(1 + 0.3 * both[5]) + 0.5 + each(0.15 * both[6])
    grid = tf.range(size, dtype=tf.float32) / size
    # Sides of 0.1 to 0.4 of the image's.
    near = [
        tf.abs(grid - draws[place][:, None]) < 0.05 + 0.15 * draws[extent][:, None]
        for place, extent in ((7, 8), (9, 10))
    ]
    covered = near[0][:, :, None, None] & near[1][:, None, :, None] & each(draws[11] < 0.25)
    return tf.clip_by_value(tf.where(covered, each(draws[12]), x), 0.0, 1.0)
