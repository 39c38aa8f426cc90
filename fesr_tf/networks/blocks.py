"""The layers that Tables I and II are written in."""

from __future__ import annotations

import tf_keras as keras


def channels(number: int, width: float) -> int:
    """A channel count of the paper times the width multiple, at least 1."""
    return max(1, round(number * width))


def initializer() -> keras.initializers.Initializer:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of the paper's framework.

    A new instance a layer: one shared instance would give every layer the same values.
    """
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


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
