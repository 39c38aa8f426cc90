"""The layers of Tables I and II."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras


def channels(number: int, width: float) -> int:
    """A channel count of the paper times the width multiple, at least 1."""
    return max(1, round(number * width))


def initializer() -> keras.initializers.Initializer:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of the paper's framework.

    A new instance a layer: one shared instance would give every layer the same values.
    """
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


class MatrixConv(keras.layers.Conv2D):
    """Conv(filters, 4, 2) of a small map with many channels, as one matrix product.

    A convolution first reorders its kernel, which for 8.4 million weights takes longer than the
    16 pixels of a 4x4 map. The same sums, in another order.
    """

    def __init__(self, filters: int):
        super().__init__(filters, 4, 2, padding="same", kernel_initializer=initializer())

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        _, height, width, depth = inputs.shape
        rows, columns = height // 2, width // 2
        padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
        # Cells of 2x2 pixels; the window of each output is 2x2 cells.
        cells = tf.reshape(padded, (-1, rows + 1, 2, columns + 1, 2, depth))
        cells = tf.transpose(cells, (0, 1, 3, 2, 4, 5))
        below = [
            tf.stack([cells[:, i : i + rows, j : j + columns] for j in (0, 1)], axis=4)
            for i in (0, 1)
        ]
        windows = tf.stack(below, axis=3)  # (B, rows, columns, i, a, j, b, depth)
        product = tf.matmul(
            tf.reshape(windows, (-1, 16 * depth)), tf.reshape(kernel, (16 * depth, -1))
        )
        return tf.reshape(product, (-1, rows, columns, self.filters))


class ResizeConv(keras.layers.Conv2D):
    """Doubles the size by repeating pixels, then Conv(filters, 3, 1).

    Odena et al. 2016, "Deconvolution and checkerboard artifacts".

    Computed as the transposed convolution that this amounts to: its 4x4 kernel is the 3x3 kernel
    spread over the 2x2 copies of a pixel. The same sums, in another order, with 4 instead of 9
    products a pixel.
    """

    def __init__(self, filters: int):
        super().__init__(filters, 3, padding="same", kernel_initializer=initializer())

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        batch, (height, width) = tf.shape(inputs)[0], inputs.shape[1:3]
        mirrored = tf.transpose(self.kernel[::-1, ::-1], (0, 1, 3, 2))
        spread = tf.add_n(
            [
                tf.pad(mirrored, [[i, 1 - i], [j, 1 - j], [0, 0], [0, 0]])
                for i in (0, 1)
                for j in (0, 1)
            ]
        )
        doubled = tf.nn.conv2d_transpose(
            inputs, spread, (batch, 2 * height, 2 * width, self.filters), 2, "SAME"
        )
        return tf.nn.bias_add(doubled, self.bias)


def conv(filters: int, kernel: int, stride: int, padding: str = "same") -> keras.layers.Conv2D:
    """Conv(filters, kernel, stride). `same` at (4, 2) on an even size pads 1 on each side."""
    return keras.layers.Conv2D(
        filters, kernel, stride, padding=padding, kernel_initializer=initializer()
    )


def deconv(filters: int, padding: str = "same") -> keras.layers.Conv2DTranspose:
    """DeConv(filters, 4, 2): doubles the size, or takes 1x1 to 4x4 when `valid`."""
    return keras.layers.Conv2DTranspose(
        filters, 4, 2, padding=padding, kernel_initializer=initializer()
    )


def dense(units: int) -> keras.layers.Dense:
    """FC(units)."""
    return keras.layers.Dense(units, kernel_initializer=initializer())
