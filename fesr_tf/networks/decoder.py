"""G_dec of Table I: generates an image from a face's code and an expression code."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.networks.blocks import ResizeConv, channels, deconv
from fesr_tf.networks.normalization import decoder_norm


class Decoder(keras.Model):
    """G_dec([g(x), u(y)]), eq. 3: (B, n) and (B, K), both in [-1, 1] -> (B, S, S, c) in [-1, 1].

    The input is a map of 1x1 pixel. The first DeConv(512, 4, 2) is unpadded and gives 4x4;
    log2(S) - 2 padded ones double it to S (the only way in which Table I's six layers give 128).
    With `generator_norm: layer` layer normalisation takes the place of IN.
    With `upsampling: resize` these are `ResizeConv`s instead.
    """

    def __init__(self, config: Config):
        super().__init__(name="G_dec")
        depth = config.image_size.bit_length() - 3
        widths = [channels(512 // 2**i, config.width) for i in range(depth)]
        double = ResizeConv if config.upsampling == "resize" else deconv
        first, *others = widths
        self.deconvolutions = [deconv(first, "valid"), *map(double, others)]
        self.norms = [decoder_norm(config) for _ in range(depth)]
        self.to_image = double(config.channels)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        hidden = tf.concat(inputs, axis=-1)[:, tf.newaxis, tf.newaxis, :]
        for deconvolution, norm in zip(self.deconvolutions, self.norms, strict=True):
            hidden = tf.nn.relu(norm(deconvolution(hidden)))
        return tf.tanh(self.to_image(hidden))
