"""Expression codes (eq. 2) and the random numbers of one iteration of Algorithm 1."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from fesr_tf.networks import replicas


def expression_code(label: tf.Tensor, intensity: tf.Tensor, num_classes: int) -> tf.Tensor:
    """u(y) = v * (2y - 1), eq. 2: (B,) int and v (B, K) or scalar in [0, 1] -> (B, K) in [-1, 1].

    The entry of the class is its intensity v; every other entry is minus its own v.
    """
    chosen = tf.one_hot(label, num_classes, dtype=keras.backend.floatx())
    return intensity * (2.0 * chosen - 1.0)


class Draws(NamedTuple):
    """All random numbers of one iteration of Algorithm 1."""

    prior_code: tf.Tensor  # z ~ U(-1, 1), (B, n): for D_z and for x^{p,f}
    target_label: tf.Tensor  # y' != y, uniform over the other K - 1 classes, (B,)
    own_intensity: tf.Tensor  # v of u(y) in x_rec, U(0, 1) unless `with_own`, (B, K)
    target_intensity: tf.Tensor  # v of u(y') in the translated face
    synthetic_intensity: tf.Tensor  # v of u(y) in x^{p,f}
    synthetic_label: tf.Tensor  # uniform over all K classes, (B,): FESR_Real only
    penalty_seed: tf.Tensor  # int32 (2,): alpha of the gradient penalty
    dropout_seeds: tf.Tensor  # int32 (4, 2): x, x^{p,r}, x^{p,f} for R, x^{p,f} for G
    augmentation_seeds: tf.Tensor  # int32 (3, 2): x and x_hat for D_img, x_hat for G

    def with_own(self, label: tf.Tensor, intensity: tf.Tensor) -> Draws:
        """The same with the given intensity (B,) of each image's own class in x_rec."""
        own = tf.one_hot(label, self.own_intensity.shape[-1], True, False, dtype=tf.bool)
        given = tf.cast(intensity, self.own_intensity.dtype)[:, tf.newaxis]
        return self._replace(own_intensity=tf.where(own, given, self.own_intensity))


def draw(
    label: tf.Tensor,
    num_classes: int,
    code_size: int,
    seed: int,
    step: tf.Tensor,
    intensity: str = "uniform",
) -> Draws:
    """The draws of iteration `step` (scalar int): a pure function of seed, step and labels.

    A resumed run therefore repeats the draws of an uninterrupted one. Codes and intensities have
    Keras' float type (default float32). With `intensity` "one" every v is 1, so that a code holds
    only the class.
    """
    batch = tf.shape(label)[0]
    root = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
    random = tf.random.experimental
    seeds = random.stateless_split(root, 11)
    dtype = keras.backend.floatx()

    def uniform(index: int, shape: tuple[int, ...], *range_and_type: object) -> tf.Tensor:
        return replicas.own_rows(
            lambda rows: tf.random.stateless_uniform((rows, *shape), seeds[index], *range_and_type),
            batch,
        )

    def v(index: int) -> tf.Tensor:
        if intensity == "one":
            return tf.ones((batch, num_classes), dtype)
        return uniform(index, (num_classes,), 0, 1, dtype)

    shift = uniform(1, (), 1, num_classes, tf.int32)
    return Draws(
        prior_code=uniform(0, (code_size,), -1.0, 1.0, dtype),
        target_label=(tf.cast(label, tf.int32) + shift) % num_classes,
        own_intensity=v(2),
        target_intensity=v(3),
        synthetic_intensity=v(4),
        synthetic_label=uniform(5, (), 0, num_classes, tf.int32),
        penalty_seed=seeds[6],
        dropout_seeds=seeds[7:11],
        # `fesr_tf.data.batches` has the streams 1 to 6.
        augmentation_seeds=random.stateless_split(random.stateless_fold_in(root, 7), 3),
    )
