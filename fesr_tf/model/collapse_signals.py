"""Live signs of a collapsing GAN: cheap scalars of one step that move nothing.

They stand among the losses as `signals/<name>`; `fesr_tf.training.collapse_warnings` says what a
bad one means. Of several devices each looks at its own rows of the batch, and the mean is told.
"""

from __future__ import annotations

import tensorflow as tf


def spread(drawn: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """How much drawn faces differ from each other, as a share of how much real ones do.

    The variance over the batch, averaged over pixels, of `drawn` over that of `real`, both
    (B, H, W, C); a float32 scalar >= 0. At 0 every drawn face is the same; 0 for a batch of one
    and where the real images are all equal.
    """
    among = [tf.reduce_mean(tf.math.reduce_variance(each, axis=0)) for each in (drawn, real)]
    return tf.math.divide_no_nan(*among)


def critic_accuracy(prior: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """The share, 0 to 1, of codes that D_z tells right, from logits (B, 1).

    A drawn z should be above 0, a g(x) below. At 0.5 the two look alike, as eq. 6 wants.
    """
    right = tf.concat([prior > 0, encoded < 0], axis=0)
    return tf.reduce_mean(tf.cast(right, prior.dtype))


def critic_slope(
    realness: tf.Tensor, drawn: tf.Tensor, image: tf.Tensor, translated: tf.Tensor
) -> tf.Tensor:
    """D_img's mean slope from x_hat to x: its gap over the distance between the pictures.

    Critic outputs (B, …) are summed over patches, as the gradient penalty has it, images are
    (B, H, W, C). The penalty holds the slope along these very lines at 1, so that the mean
    stays within -1 to 1 while it works.
    """
    patches = tf.cast(tf.size(realness) / tf.shape(realness)[0], realness.dtype)
    gap = patches * (tf.reduce_mean(realness) - tf.reduce_mean(drawn))
    squares = tf.reduce_sum(tf.square(image - translated), axis=[1, 2, 3])
    return tf.math.divide_no_nan(gap, tf.reduce_mean(tf.sqrt(squares)))
