"""Adam, in one pass over the memory."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, its state and its arithmetic, by TensorFlow's own operation for it.

    Keras 2 writes the update as some ten operations, each a pass over the memory: three times as
    long for 46 million weights. Equal to it within rounding. Gradients are dense.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        dtype = variable.dtype
        beta1, beta2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        step = tf.cast(self.iterations + 1, dtype)
        index = self._index_dict[self._var_key(variable)]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=tf.pow(beta1, step),
            beta2_power=tf.pow(beta2, step),
            lr=tf.cast(self.learning_rate, dtype),
            beta1=beta1,
            beta2=beta2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=gradient,
        )


def adam(config: Config) -> keras.optimizers.Optimizer:
    """Adam as in Section IV-B, its epsilon of PyTorch's size, the paper's framework.

    Keras adds it before the bias correction and PyTorch after (docs/benchmarks/parity.md).
    """
    return FusedAdam(
        config.learning_rate, config.beta1, config.beta2, epsilon=1e-8, jit_compile=False
    )
