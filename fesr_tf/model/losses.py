"""The paper's losses: pure functions from tensors to a scalar of the same type."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from fesr_tf.networks import replicas

# Keeps the gradient of a norm finite at 0; far below any relevant norm.
TINY = 1e-12


def generator_adversarial_image(fake: tf.Tensor) -> tf.Tensor:
    """L_advg^img, eq. 4: -E[D(x_hat)]. `fake`: critic outputs of any shape, patches included."""
    return -tf.reduce_mean(fake)


def critic_adversarial_image(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """L_advd^img, eq. 5: -E[D(x)] + E[D(x_hat)], Wasserstein, over patches and batch."""
    return tf.reduce_mean(fake) - tf.reduce_mean(real)


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor],
    real: tf.Tensor,
    fake: tf.Tensor,
    seed: tf.Tensor,
    patches: str = "sum",
) -> tf.Tensor:
    """WGAN-GP [65]: E[(||d critic / d x|| - 1)^2] at x on the line from `real` to `fake`.

    Images (B, H, W, C); one alpha ~ U(0, 1) per image, from `seed` (int32 (2,)). The norm is over
    the whole image; the outputs of a patch critic are summed over its patches, or averaged where
    `patches` is "mean".
    """
    alpha = replicas.own_rows(
        lambda rows: tf.random.stateless_uniform((rows, 1, 1, 1), seed, dtype=real.dtype),
        tf.shape(real)[0],
    )
    between = real + alpha * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(between)
        realness = critic(between)
        if patches == "mean":
            realness = tf.reduce_mean(realness, axis=list(range(1, realness.shape.rank)))
    gradient = tape.gradient(realness, between)
    squares = tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3])
    # Inside the root: tf.norm has a NaN gradient at 0.
    return tf.reduce_mean(tf.square(tf.sqrt(squares + TINY) - 1.0))


def generator_adversarial_code(encoded: tf.Tensor) -> tf.Tensor:
    """L_advg^z, eq. 6: -E[log D_z(g(x))], from logits (B, 1)."""
    return tf.reduce_mean(tf.nn.softplus(-encoded))


def critic_adversarial_code(prior: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """L_advd^z, eq. 7: -E[log D_z(z)] - E[log(1 - D_z(g(x)))], from logits (B, 1)."""
    return tf.reduce_mean(tf.nn.softplus(-prior)) + tf.reduce_mean(tf.nn.softplus(encoded))


def classification(
    label: tf.Tensor, logits: tf.Tensor, weight: tf.Tensor | None = None
) -> tf.Tensor:
    """-E[w log p(y | .)], eq. 8, 9, 20 and 21: labels (B,) int, logits (B, K); w (B,), else 1."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
    return tf.reduce_mean(each if weight is None else weight * each)


def shares(
    label: tf.Tensor, classes: int, smoothing: float, votes: tf.Tensor | None = None
) -> tf.Tensor:
    """Targets (B, K): `votes` where given, else 1 for the label; of it all, the share `smoothing`
    is uniform over the classes. An image without a vote keeps a row of zeros."""
    target = tf.one_hot(label, classes, dtype=keras.backend.floatx()) if votes is None else votes
    uniform = tf.reduce_mean(target, axis=-1, keepdims=True)
    return target + smoothing * (uniform - target)


def soft_classification(
    target: tf.Tensor, logits: tf.Tensor, weight: tf.Tensor | None = None
) -> tf.Tensor:
    """E[-w sum_k t_k log p(k | .)], eq. 20 for shares t (B, K) instead of labels; w (B,), else 1.

    A row of zeros counts as an image without loss.
    """
    each = -tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=-1)
    return tf.reduce_mean(each if weight is None else weight * each)


def l1(first: tf.Tensor, second: tf.Tensor, reduction: str = "mean") -> tf.Tensor:
    """E[||a - b||_1], eq. 10 (images) and 12 (face features), batch first.

    `mean` also averages over an example's entries; `sum` adds them, as in the paper's norm.
    """
    distance = tf.abs(first - second)
    if reduction == "mean":
        return tf.reduce_mean(distance)
    return tf.reduce_sum(distance) / tf.cast(tf.shape(distance)[0], distance.dtype)


def distance(first: tf.Tensor, second: tf.Tensor, squared: bool = False) -> tf.Tensor:
    """L_dist, eq. 15 and 16: E[||a - b||_2] over features (B, F), or its square.

    The gradient is 0 where two features are equal.
    """
    squares = tf.reduce_sum(tf.square(first - second), axis=-1)
    return tf.reduce_mean(squares if squared else tf.sqrt(squares + TINY))


def intra_class(
    real: tf.Tensor,
    positive: tf.Tensor,
    synthetic: tf.Tensor,
    *,
    squared: bool = False,
    rdbp: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """L_dist^r and L_dist^rf, the terms of L_intra (eq. 14 to 16), on R_ext features (B, F).

    Real data-guided back-propagation (RDBP, eq. 18): in the real-synthetic term the real features
    are the ground truth and get no gradient; in the real-real term (eq. 17) both sides get one.
    """
    guide = tf.stop_gradient(real) if rdbp else real
    return distance(real, positive, squared), distance(guide, synthetic, squared)
