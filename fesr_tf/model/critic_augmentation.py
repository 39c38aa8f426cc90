"""Differentiable random changes of the images that D_img sees."""

from __future__ import annotations

import tensorflow as tf

from fesr_tf.networks import replicas


def augment(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """DiffAugment (Zhao et al. 2020): (B,S,S,c) in [-1, 1] -> the same shape, each image changed by
    itself.

    Brightness by up to 0.5, contrast by 0.5 to 1.5 about the image's mean, a shift by up to 1/8 of
    the side, and a gray square with a quarter of the side (DiffAugment's own, a half, would cover
    what D_img's class head reads). Gray, 0, comes in where the image is shifted away; the values
    are not clipped. `seed` is an integer (2,).
    """
    side, dtype = image.shape[1], image.dtype
    draws = replicas.own_rows(
        lambda rows: tf.random.stateless_uniform((rows, 6), seed, dtype=dtype), tf.shape(image)[0]
    )
    brightness, contrast, down, right, top, left = tf.unstack(draws[..., tf.newaxis], axis=1)
    image = image + _each(brightness - 0.5)
    mean = tf.reduce_mean(image, axis=[1, 2, 3], keepdims=True)
    image = mean + _each(contrast + 0.5) * (image - mean)
    # Products with shifted unit matrices, whose gradients are deterministic on every device.
    pixels, reach = tf.range(side, dtype=dtype), side // 8
    rows, columns = (
        tf.one_hot(tf.cast(pixels + tf.floor((2 * reach + 1) * shift) - reach, tf.int32), side,
                   dtype=dtype)
        for shift in (down, right)
    )  # fmt: skip
    image = tf.einsum("bri,bcj,bijk->brck", rows, columns, image)
    near = [tf.abs(pixels + 0.5 - side * centre) < side / 8 for centre in (top, left)]
    covered = near[0][:, :, tf.newaxis] & near[1][:, tf.newaxis]
    return tf.where(covered[..., tf.newaxis], tf.zeros_like(image), image)


def _each(values: tf.Tensor) -> tf.Tensor:
    """(B,1) -> (B,1,1,1)."""
    return values[..., tf.newaxis, tf.newaxis]
