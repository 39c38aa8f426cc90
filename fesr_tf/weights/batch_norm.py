"""A Light CNN whose trunk trains with batch normalisation, folded into its convolutions."""

from __future__ import annotations

from functools import cached_property

import tensorflow as tf

from fesr_tf.networks.light_cnn import LightCNN, layers_of
from fesr_tf.networks.max_feature_map import mfm_convolution

EPSILON = 1e-3
RATE = 0.01
DTYPE = "bfloat16"
"""Of the trunk in training: half the time of float32, in which weights and statistics stay."""


class BatchNorm:
    """The batch normalisation of a convolution's outputs; the convolution's bias is its offset."""

    def __init__(self, filters: int) -> None:
        self.scale = tf.Variable(tf.ones(filters), name="scale")
        self.mean = tf.Variable(tf.zeros(filters), trainable=False, name="mean")
        self.variance = tf.Variable(tf.ones(filters), trainable=False, name="variance")

    def update(self, outputs: tf.Tensor, rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and variance (n,) of outputs (B,H,W,n); the moving ones follow them by `rate`."""
        mean, variance = tf.nn.moments(tf.cast(outputs, tf.float32), [0, 1, 2])
        self.mean.assign_add(rate * (mean - self.mean))
        self.variance.assign_add(rate * (variance - self.variance))
        return mean, variance

    def fold(
        self, kernel: tf.Tensor, bias: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Kernel (k,k,C,n) and bias (n,) of the convolution that equals the one with `kernel`,
        without bias, followed by the normalisation."""
        factor = self.scale * tf.math.rsqrt(variance + EPSILON)
        return kernel * factor, bias - mean * factor


class BatchNormLightCNN(LightCNN):
    """A Light CNN with batch normalisation before each maximum feature map of the trunk.

    With `normalising`, mean and variance are those of the first `sampled` images of the batch,
    else the moving ones. Either way one convolution with folded weights gives the normalised
    outputs: passes over maps of 2n channels would take longer than the convolutions.
    """

    normalising = False
    sampled = 16

    @cached_property
    def norms(self) -> dict[str, BatchNorm]:
        """The normalisations by the name of their convolution."""
        return {
            layer.name: BatchNorm(layer.filters) for layer in layers_of(self.spec) if layer.in_trunk
        }

    @cached_property
    def rate(self) -> tf.Variable:
        """The share of a batch in the moving statistics."""
        return tf.Variable(RATE, trainable=False)

    @property
    def trunk_variables(self) -> list[tf.Variable]:
        """Kernels, offsets and scales of conv1-pool3."""
        layers = [(self.layers_by_name[name], norm) for name, norm in self.norms.items()]
        return [each for layer, norm in layers for each in (layer.kernel, layer.bias, norm.scale)]

    @property
    def statistics(self) -> list[tf.Variable]:
        """The moving means and variances."""
        return [each for norm in self.norms.values() for each in (norm.mean, norm.variance)]

    def folded(self) -> LightCNN:
        """The Light CNN without normalisation that gives the same embeddings."""
        network = LightCNN(self.spec)
        for name, layer in self.layers_by_name.items():
            weights = layer.kernel, layer.bias
            if norm := self.norms.get(name):
                weights = norm.fold(*weights, norm.mean, norm.variance)
            network.layers_by_name[name].set_weights([each.numpy() for each in weights])
        return network

    def _mfm(self, name: str, x: tf.Tensor) -> tf.Tensor:
        norm = self.norms.get(name)
        if norm is None:
            return super()._mfm(name, x)
        self._weights(name, x)  # builds the layer
        layer = self.layers_by_name[name]
        statistics = norm.mean, norm.variance
        if self.normalising:
            outputs = tf.nn.conv2d(x[: self.sampled], tf.cast(layer.kernel, x.dtype), 1, "SAME")
            statistics = norm.update(outputs, self.rate)
        weights = norm.fold(layer.kernel, layer.bias, *statistics)
        return mfm_convolution(x, *(tf.cast(each, x.dtype) for each in weights))
