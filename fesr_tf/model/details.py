"""Keeps what a face's code cannot hold: hair, skin, glasses, and who it is."""

from __future__ import annotations

import tensorflow as tf


def keep_details(image: tf.Tensor, own: tf.Tensor, drawn: tf.Tensor, limit: float) -> tf.Tensor:
    """t + w (x - r), in [-1, 1]: x is the image, r (`own`) G's reconstruction of it with its own
    expression, t (`drawn`) that with another; all (B, S, S, c) in [-1, 1].

    x - r is the detail that the code lost. w = exp(-(d / limit)^2) is 1 where the expression
    changes nothing, so that the image's pixels stay, and falls to 0 where it changes much, since
    the detail there is of the old expression. d is |t - r|, the mean over channels and over a
    square of S / 13 pixels.
    """
    side = 2 * (image.shape[1] // 32) + 1
    change = tf.reduce_mean(tf.abs(drawn - own), axis=-1, keepdims=True)
    change = tf.nn.avg_pool2d(change, side, 1, "SAME")
    weight = tf.exp(-tf.square(change / limit))
    return tf.clip_by_value(drawn + weight * (image - own), -1.0, 1.0)
