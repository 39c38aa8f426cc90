"""Normalisation within G. Its instance normalisation is the one difference between the two sets.

tensorflow-addons has that layer; where no wheel of it exists, Keras' group normalisation with
one group per channel is the same function.
"""

from __future__ import annotations

import warnings

import tf_keras as keras

from fesr_tf.config import Config

try:
    with warnings.catch_warnings():
        # Every import warns that its development has ended; setup.py pins it.
        warnings.simplefilter("ignore", UserWarning)
        from tensorflow_addons.layers import InstanceNormalization
except ImportError:
    InstanceNormalization = None


def encoder_norm(config: Config) -> keras.layers.Layer:
    """What follows a convolution of G_enc, by `generator_norm`: Table I's IN or nothing."""
    if config.generator_norm == "layer":
        return keras.layers.Activation("linear")
    return instance_norm(config.instance_norm_epsilon, config.instance_norm_affine)


def decoder_norm(config: Config) -> keras.layers.Layer:
    """What follows a layer of G_dec, by `generator_norm`: Table I's IN or layer normalisation."""
    if config.generator_norm == "layer":
        return layer_norm(config.instance_norm_epsilon)
    return instance_norm(config.instance_norm_epsilon, config.instance_norm_affine)


def instance_norm(epsilon: float, affine: bool) -> keras.layers.Layer:
    """Normalises each channel of each image to mean 0 and variance 1 over its pixels.

    `epsilon` is added to the variance (the default is 1e-3 in both libraries, 1e-5 in PyTorch);
    `affine` adds a learned scale and offset per channel. Float tensors (B, H, W, C).
    """
    options = {"epsilon": epsilon, "center": affine, "scale": affine}
    if InstanceNormalization is not None:
        return InstanceNormalization(**options)
    return keras.layers.GroupNormalization(groups=-1, **options)


def layer_norm(epsilon: float) -> keras.layers.Layer:
    """Normalises each image to mean 0 and variance 1 over its channels and pixels, then applies a
    learned scale and offset per channel (Ba et al. 2016). Float tensors (B, H, W, C).

    Other than instance normalisation it keeps how channels differ in their means.
    """
    return keras.layers.GroupNormalization(groups=1, epsilon=epsilon)
