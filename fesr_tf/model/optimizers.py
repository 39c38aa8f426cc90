"""Adam as one fused operation."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with the same state, by TensorFlow's fused operation, for dense gradients.

    Keras 2 uses some ten operations, each a pass over the memory, which takes three times as long
    for 46 million weights. The results are equal within rounding.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        dtype = variable.dtype
        # tf.cast would round a Python float to float32 first.
        beta1, beta2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
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


def adam(
    config: Config,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    averages: bool = False,
) -> keras.optimizers.Optimizer:
    """Adam as in Section IV-B, with the default epsilon of PyTorch, the paper's framework.

    Keras adds epsilon before the bias correction, PyTorch after it (docs/benchmarks/parity.md).
    With `averages` it keeps the moving average of its weights that `ema` asks for, from their
    values at `build` on.
    """
    kept = {"use_ema": True, "ema_momentum": config.ema} if averages and config.ema else {}
    rate = config.learning_rate if learning_rate is None else learning_rate
    return FusedAdam(rate, config.beta1, config.beta2, epsilon=1e-8, jit_compile=False, **kept)


def recognizer_adam(config: Config, learning_rate: float) -> keras.optimizers.Optimizer:
    """Adam for R, with `learning_rate_schedule` and `ema`.

    The cosine follows the optimizer's own count of updates, one a step of stage 2: the t-th of T
    has the rate learning_rate (1 + cos(pi t / T)) / 2, t from 0.
    """
    steps = config.max_iterations - config.pretrain_iterations
    if config.learning_rate_schedule == "constant" or not steps:
        return adam(config, learning_rate, averages=True)
    cosine = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return adam(config, cosine, averages=True)
