"""The one seam between the two supported TensorFlow sets: instance normalisation.

tensorflow-addons has the layer by name; where no wheel of it exists, Keras' group
normalisation with one group a channel is the same function.
"""

from __future__ import annotations

import warnings

import tf_keras as keras

try:
    with warnings.catch_warnings():
        # It tells on every import that it has seen its last release; setup.py knows.
        warnings.simplefilter("ignore", UserWarning)
        from tensorflow_addons.layers import InstanceNormalization
except ImportError:
    InstanceNormalization = None


def instance_norm(epsilon: float, affine: bool) -> keras.layers.Layer:
    """Normalises each channel of each image to mean 0 and variance 1 over its pixels.

    `epsilon` is added to the variance (both libraries would take 1e-3, PyTorch takes 1e-5);
    `affine` adds a learned scale and offset a channel. Float tensors (B, H, W, C).
    """
    options = {"epsilon": epsilon, "center": affine, "scale": affine}
    if InstanceNormalization is not None:
        return InstanceNormalization(**options)
    return keras.layers.GroupNormalization(groups=-1, **options)
