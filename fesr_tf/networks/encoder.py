"""G_enc of Table I: encodes a face as its latent representation g(x)."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.networks.blocks import MatrixConv, channels, conv, dense
from fesr_tf.networks.normalization import encoder_norm


class Encoder(keras.Model):
    """g(x) = G_enc(x), eq. 1: (B, S, S, c) float32 in [-1, 1] -> (B, n) in [-1, 1].

    log2(S) - 2 convolutions Conv(64*2^i, 4, 2), IN, LReLU reach 4x4 (five at 128, ending in
    1024 channels), then FC(n) and tanh. With `generator_norm: layer` there is no IN, which would
    remove the brightness and the contrast of the image.
    """

    def __init__(self, config: Config):
        super().__init__(name="G_enc")
        depth = config.image_size.bit_length() - 3
        widths = [channels(64 * 2**i, config.width) for i in range(depth)]
        self.convolutions = [*(conv(n, 4, 2) for n in widths[:-1]), MatrixConv(widths[-1])]
        self.norms = [encoder_norm(config) for _ in range(depth)]
        self.slope = config.leaky_slope
        self.flatten = keras.layers.Flatten()
        self.code = dense(config.code_size)

    def call(self, image: tf.Tensor) -> tf.Tensor:
        hidden = image
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = tf.nn.leaky_relu(norm(convolution(hidden)), self.slope)
        return tf.tanh(self.code(self.flatten(hidden)))
