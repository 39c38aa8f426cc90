"""D_z of Table I: discriminates codes sampled from the prior from codes of faces."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.networks.blocks import dense


class CodeCritic(keras.Model):
    """D_z: (B, n) -> (B, 1), the logit of `sampled from the prior`.

    FC 64, 32, 16 with LReLU and FC(1); the losses apply Table I's sigmoid. The width multiple
    changes neither D_z nor the code that it reads.
    """

    def __init__(self, config: Config):
        super().__init__(name="D_z")
        self.hidden = [dense(units) for units in (64, 32, 16)]
        self.logit = dense(1)
        self.slope = config.leaky_slope

    def call(self, code: tf.Tensor) -> tf.Tensor:
        for layer in self.hidden:
            code = tf.nn.leaky_relu(layer(code), self.slope)
        return self.logit(code)
