"""Signals of a collapsing GAN: cheap scalars of one step, without effect on training.

They are reported among the losses as `signals/<name>`, and `fesr_tf.training.collapse_warnings`
explains bad values. With several devices each uses its own rows of the batch; the mean is reported.
"""

from __future__ import annotations

import tensorflow as tf


def spread(generated: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """The diversity of generated images relative to real ones.

    The variance over the batch, averaged over pixels, of `generated` divided by that of `real`,
    both (B, H, W, C); a float32 scalar >= 0. At 0 all generated images are equal; 0 also for a
    batch of one and for equal real images.
    """
    variances = [tf.reduce_mean(tf.math.reduce_variance(x, axis=0)) for x in (generated, real)]
    return tf.math.divide_no_nan(*variances)


def critic_accuracy(prior: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """The share, 0 to 1, of codes that D_z classifies correctly, from logits (B, 1).

    A sampled z should be above 0, a g(x) below. 0.5, the optimum of eq. 6, means that D_z cannot
    separate them.
    """
    right = tf.concat([prior > 0, encoded < 0], axis=0)
    return tf.reduce_mean(tf.cast(right, prior.dtype))


def critic_slope(
    on_real: tf.Tensor,
    on_fake: tf.Tensor,
    image: tf.Tensor,
    translated: tf.Tensor,
    patches: str = "sum",
) -> tf.Tensor:
    """D_img's mean slope from x_hat to x: its gap divided by the distance between the images.

    Critic outputs (B, …) are summed or averaged over patches, as in the gradient penalty; images
    are (B, H, W, C). The penalty keeps the slope along these lines at 1, so the mean stays within
    -1 to 1 while the penalty is effective.
    """
    gap = tf.reduce_mean(on_real) - tf.reduce_mean(on_fake)
    if patches == "sum":
        gap *= tf.cast(tf.size(on_real) / tf.shape(on_real)[0], on_real.dtype)
    squares = tf.reduce_sum(tf.square(image - translated), axis=[1, 2, 3])
    return tf.math.divide_no_nan(gap, tf.reduce_mean(tf.sqrt(squares)))
