"""Conversion between image bytes and network input, shared by training, evaluation and serving.

It uses only stock TensorFlow operations, so that an exported model contains the same conversion.
Images are resized in uint8: a face resized and stored (training) and one resized on arrival
(serving) are then bit-identical.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# ITU-R BT.601 luma, as Pillow and JPEG use it; unlike tf.image.rgb_to_grayscale's weights
# these add up to 1, so that a gray image in three channels is unchanged.
LUMA = (0.299, 0.587, 0.114)


def to_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """uint8 (…,H,W,1|3) -> uint8 (…,H,W,channels): gray repeated, colour to luma, or unchanged.

    The last dimension must be static. Raises ValueError for other numbers of channels.
    """
    present = image.shape[-1]
    if present not in (1, 3) or channels not in (1, 3):
        raise ValueError(f"images have 1 or 3 channels, not {present} to {channels}")
    if present == channels:
        return image
    if channels == 3:
        return tf.concat([image] * 3, axis=-1)
    # Three planes: a sum along so short a last axis is slower.
    red, green, blue = (tf.cast(plane, tf.float32) for plane in tf.split(image, 3, axis=-1))
    luma = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
    return tf.cast(tf.round(luma), tf.uint8)


def decode_image(data: tf.Tensor, channels: int) -> tf.Tensor:
    """The bytes of a PNG, JPEG, BMP or GIF, a string scalar -> uint8 (H,W,channels).

    The image is decoded in colour and converted by `to_channels`, so that gray is the same for
    every format. Transparency is dropped, 16 bits become 8, and an animation gives its first frame.
    """
    colour = tf.io.decode_image(data, channels=3, expand_animations=False)
    return to_channels(tf.ensure_shape(colour, (None, None, 3)), channels)


def to_size(images: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """uint8 (H,W,C) or (B,H,W,C) -> uint8 (size,size,channels) or (B,size,size,channels).

    Bilinear, antialiased when it shrinks; unchanged at the same size.
    """
    images = to_channels(tf.convert_to_tensor(images), channels)
    if images.shape[-3:-1] == (size, size):
        return images
    resized = tf.image.resize(images, (size, size), method="bilinear", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def to_float(images: tf.Tensor) -> tf.Tensor:
    """uint8 [0,255] -> float32 [-1,1], any shape."""
    # A graph turns a plain division by a constant into a multiplication, which rounds differently.
    return tf.math.divide_no_nan(tf.cast(images, tf.float32), 127.5) - 1.0


def to_model(images: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """uint8 (H,W,C) or (B,H,W,C) -> float32 [-1,1] (…,size,size,channels)."""
    return to_float(to_size(images, size, channels))


def from_model(images: tf.Tensor | np.ndarray) -> np.ndarray:
    """float [-1,1], any shape -> uint8 [0,255] array: the inverse of `to_float`, clipped."""
    scaled = (np.asarray(images, np.float32) + 1.0) * 127.5
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
