"""Max-feature-map and a convolution that ends in one, the layers of a Light CNN."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def mfm(x: tf.Tensor) -> tf.Tensor:
    """The larger of the two halves of the last axis, (..., 2n) -> (..., n)."""
    return tf.maximum(*tf.split(x, 2, axis=-1))


@tf.custom_gradient
def mfm_convolution(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]:
    """`mfm` of a convolution of stride 1 with padding `SAME`.

    x (B, H, W, C), kernel (k, k, C, 2n), bias (2n,) -> (B, H, W, n); any floating type.

    Two convolutions of n filters and their maximum: neither pass splits or joins a map of 2n
    channels. The first half wins a tie, as in `tf.maximum`. The gradient with respect to an image
    is a matrix product and a sum of shifted maps: the library's own computes 16 channels to give
    1 or 3 of them, and takes two to four times as long.
    """
    kernels, biases = tf.split(kernel, 2, axis=-1), tf.split(bias, 2)
    first, second = map(_convolution, (x, x), kernels, biases)
    firsts = first >= second

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # The backward pass needs a byte a value. Without this dependency the mask would be cast at
        # once, and four or eight bytes a value be kept.
        with tf.control_dependencies([upstream]):
            to_first = upstream * tf.cast(firsts, x.dtype)
        halves = to_first, upstream - to_first
        to_x = tf.add(*(_to_input(x, *pair) for pair in zip(kernels, halves, strict=True)))
        to_kernel = tf.concat([_to_kernel(x, kernels[0], half) for half in halves], -1)
        to_bias = tf.concat([tf.reduce_sum(half, [0, 1, 2]) for half in halves], -1)
        return to_x, to_kernel, to_bias

    return tf.maximum(first, second), gradient


_LAYOUT = {"strides": [1, 1, 1, 1], "padding": "SAME"}


def _convolution(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    # Directly after the convolution, so that TensorFlow fuses the two.
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, **_LAYOUT), bias)


def _to_kernel(x: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=tf.shape(kernel), out_backprop=upstream, **_LAYOUT
    )


def _to_input(x: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    if x.shape[-1] < 4:
        return _fold(upstream, kernel, tf.shape(x))
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=kernel, out_backprop=upstream, **_LAYOUT
    )


def _fold(upstream: tf.Tensor, kernel: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """The gradient of each tap of the kernel, (k, k, channels, B, H, W), added at the pixel that it
    read. The sum is in float32."""
    size, filters = kernel.shape[0], kernel.shape[-1]
    taps = tf.matmul(
        tf.reshape(kernel, (-1, filters)), tf.reshape(upstream, (-1, filters)), transpose_b=True
    )
    taps = tf.cast(taps, tf.float32) if taps.dtype == tf.bfloat16 else taps
    taps = tf.reshape(taps, tf.concat([kernel.shape[:3], shape[:3]], 0))

    def shifted(maps: list[tf.Tensor], axis: int) -> tf.Tensor:
        """The sum of maps, the i-th moved i pixels up an axis that grows by size - 1."""
        around = [[[0, 0] for _ in range(4)] for _ in maps]
        for index, pads in enumerate(around):
            pads[axis] = [index, size - 1 - index]
        return tf.add_n([tf.pad(*pair) for pair in zip(maps, around, strict=True)])

    columns = [shifted(tf.unstack(taps[:, j]), axis=2) for j in range(size)]
    whole = shifted(columns, axis=3)
    begin = size // 2
    inner = whole[:, :, begin : begin + shape[1], begin : begin + shape[2]]
    return tf.cast(tf.transpose(inner, (1, 2, 3, 0)), upstream.dtype)
