"""A prior for new faces that follows the codes which G_enc gives."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from fesr_tf.networks import replicas

# Of the moving averages: some thousand batches count.
_MOMENTUM = 0.999
# Added to the variances, so that the factor exists for codes that fill fewer dimensions.
_SMALLEST = 1e-4


class CodePrior(keras.layers.Layer):
    """z ~ U(-1, 1), (B, n) -> codes (B, n) in [-1, 1], normal with mean and covariance of g(x).

    z becomes standard normal, sqrt(2) erfinv(z), and then mean + L z, cut to [-1, 1], where L is
    the Cholesky factor of the covariance (the density of codes after training of Ghosh et al. 2020,
    "From Variational to Deterministic Autoencoders", here as moving averages, from those of the
    uniform prior on). L_advg^z would have to make the codes uniform; a code of many entries stays
    correlated, and uniform z are then no faces.
    """

    def __init__(self, size: int):
        super().__init__(name="prior", trainable=False)
        only_one = {"aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}
        self.mean = tf.Variable(tf.zeros(size), trainable=False, name="mean", **only_one)
        self.square = tf.Variable(
            tf.eye(size) / 3.0, trainable=False, name="square", **only_one
        )  # E c c'; 1/3 is the variance of U(-1, 1)

    def call(self, z: tf.Tensor) -> tf.Tensor:
        covariance = self.square - tf.einsum("i,j->ij", self.mean, self.mean)
        factor = tf.linalg.cholesky(covariance + _SMALLEST * tf.eye(self.mean.shape[0]))
        # erfinv is infinite at the ends, which a uniform draw may hit at -1.
        normal = 2**0.5 * tf.math.erfinv(tf.clip_by_value(tf.cast(z, tf.float32), -0.9999, 0.9999))
        codes = self.mean + tf.linalg.matmul(normal, factor, transpose_b=True)
        return tf.cast(tf.clip_by_value(codes, -1.0, 1.0), z.dtype)

    def update(self, codes: tf.Tensor) -> None:
        """Moves the averages towards a batch of codes (B, n), of all devices."""
        codes = tf.cast(codes, tf.float32)
        square = tf.linalg.matmul(codes, codes, transpose_a=True) / tf.cast(
            tf.shape(codes)[0], tf.float32
        )
        batch = replicas.mean({"mean": tf.reduce_mean(codes, axis=0), "square": square})
        for variable, value in ((self.mean, batch["mean"]), (self.square, batch["square"])):
            variable.assign(_MOMENTUM * variable + (1.0 - _MOMENTUM) * value)
