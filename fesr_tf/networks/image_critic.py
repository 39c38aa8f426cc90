"""D_img of Table I: a Wasserstein critic over patches with a class head."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.networks.blocks import MatrixConv, channels, conv


class ImageCritic(keras.Model):
    """D_img: (B, S, S, c) -> D^adv (B, 4, 4, 1), unbounded, and D^cls logits (B, K).

    log2(S) - 3 convolutions Conv(64*2^i, 4, 2), LReLU reach 8x8 (four at 128); the
    adversarial head is Conv(1, 4, 2), the class head Conv(1024, 4, 2), LReLU and an
    unpadded Conv(K, 4, 1). No normalisation: the gradient penalty is per image.
    """

    def __init__(self, config: Config, num_classes: int):
        super().__init__(name="D_img")
        depth = config.image_size.bit_length() - 4
        self.trunk = [conv(channels(64 * 2**i, config.width), 4, 2) for i in range(depth)]
        self.adversarial = conv(1, 4, 2)
        self.class_hidden = MatrixConv(channels(64 * 2**depth, config.width))
        self.class_logits = conv(num_classes, 4, 1, padding="valid")
        self.slope = config.leaky_slope

    def call(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shared = self.shared(image)
        return self.adversarial(shared), self.classify(shared)

    def shared(self, image: tf.Tensor) -> tf.Tensor:
        """The shared input of both heads, (B, 8, 8, channels)."""
        hidden = image
        for convolution in self.trunk:
            hidden = tf.nn.leaky_relu(convolution(hidden), self.slope)
        return hidden

    def realness(self, image: tf.Tensor) -> tf.Tensor:
        """D^adv alone, (B, 4, 4, 1)."""
        return self.adversarial(self.shared(image))

    def compare(
        self, real: tf.Tensor, fake: tf.Tensor, together: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """D^adv of real and of fake images, and D^cls logits of the real ones.

        `together`: all in one batch, equal within rounding, since images do not interact.
        """
        if not together:
            realness, logits = self(real)
            return realness, logits, self.realness(fake)
        shared = self.shared(tf.concat([real, fake], 0))
        on_real, on_fake = tf.split(self.adversarial(shared), 2)
        return on_real, self.classify(tf.split(shared, 2)[0]), on_fake

    def classify(self, shared: tf.Tensor) -> tf.Tensor:
        """D^cls logits (B, K) from the shared features."""
        hidden = tf.nn.leaky_relu(self.class_hidden(shared), self.slope)
        return tf.squeeze(self.class_logits(hidden), axis=[1, 2])
