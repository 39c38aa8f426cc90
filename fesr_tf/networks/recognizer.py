"""R of Table II: a face network's trunk, R_ext's own layers, and R_cls."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.networks import replicas
from fesr_tf.networks.blocks import channels, conv, dense
from fesr_tf.networks.face_networks import FaceNetwork


class Recognizer(keras.Model):
    """R: (B, S, S, c) in [-1, 1] -> logits (B, K).

    Light CNN conv1-pool3 (frozen unless `trunk_learning_rate`), Conv(256, 3, 2), Conv(512, 3, 2),
    FC(2048), FC(512), each with ReLU, dropout, FC(K). A 3x3 convolution of stride 2 is padded
    by 1 on every side, as PyTorch does: TensorFlow's `same` would pad bottom and right only.
    """

    def __init__(self, config: Config, num_classes: int, face_network: FaceNetwork):
        super().__init__(name="R")
        self.face_network = face_network
        self.pad = keras.layers.ZeroPadding2D(1)
        self.convolutions = [conv(channels(n, config.width), 3, 2, "valid") for n in (256, 512)]
        self.flatten = keras.layers.Flatten()
        self.dense = [dense(channels(n, config.width)) for n in (2048, 512)]
        self.dropout_rate = config.dropout
        self.logits = dense(num_classes)

    def call(self, image: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits in inference mode. Training goes through `extract`, `drop` and `classify`."""
        if training:
            raise ValueError("dropout needs the step's seed: call drop() and classify()")
        return self.classify(self.features(image))

    def features(self, image: tf.Tensor) -> tf.Tensor:
        """R_ext(x) in inference mode: (B, 512) at width 1."""
        return self.extract(self.face_network.trunk(image))

    def extract(self, trunk: tf.Tensor) -> tf.Tensor:
        """R_ext's own layers before dropout, from the trunk's map (B, S/8, S/8, C)."""
        hidden = trunk
        for convolution in self.convolutions:
            hidden = tf.nn.relu(convolution(self.pad(hidden)))
        hidden = self.flatten(hidden)
        for layer in self.dense:
            hidden = tf.nn.relu(layer(hidden))
        return hidden

    def extract_all(self, trunks: Sequence[tf.Tensor], together: bool) -> Sequence[tf.Tensor]:
        """`extract` of several batches; `together`: in one pass, equal within rounding."""
        if not together:
            return [self.extract(trunk) for trunk in trunks]
        return tf.split(self.extract(tf.concat(trunks, 0)), len(trunks))

    def drop(self, features: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Dropout from an int32 seed of shape (2,), so that a resumed run repeats it."""
        dropout, rate = tf.nn.experimental.stateless_dropout, self.dropout_rate
        if rate == 0:
            return features
        if replicas.count() == 1:
            return dropout(features, rate, seed)
        units, dtype = features.shape[-1], features.dtype
        return features * replicas.own_rows(
            lambda rows: dropout(tf.ones((rows, units), dtype), rate, seed), tf.shape(features)[0]
        )

    def classify(self, features: tf.Tensor) -> tf.Tensor:
        """R_cls: logits (B, K)."""
        return self.logits(features)

    @property
    def trained_variables(self) -> list[tf.Variable]:
        """The variables of R's optimizer: all but the trunk's."""
        layers = [*self.convolutions, *self.dense, self.logits]
        return [variable for layer in layers for variable in layer.trainable_variables]

    @property
    def trunk_variables(self) -> list[tf.Variable]:
        """The trunk's weights, frozen unless `trunk_learning_rate`."""
        return self.face_network.network.trunk_variables
