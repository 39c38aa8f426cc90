"""Operations written for speed give what the library's give."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from fesr_tf.model.optimizers import FusedAdam
from fesr_tf.networks import blocks, max_feature_map


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kernel", [3, 5])
def test_mfm_convolution_has_the_librarys_gradients(channels, kernel):
    x = tf.random.stateless_normal((2, 9, 7, channels), (0, 1))
    weights_ = tf.random.stateless_normal((kernel, kernel, channels, 6), (0, 2))
    bias = tf.random.stateless_normal((6,), (0, 3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, weights_, bias])
        ours = max_feature_map.mfm_convolution(x, weights_, bias)
        theirs = max_feature_map.mfm(tf.nn.conv2d(x, weights_, 1, "SAME") + bias)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    upstream = tf.random.stateless_normal(ours.shape, (0, 4))
    for source in (x, weights_, bias):
        expected = tape.gradient(theirs, source, upstream)
        np.testing.assert_allclose(
            tape.gradient(ours, source, upstream), expected, rtol=1e-4, atol=1e-4
        )


def test_a_tie_of_two_halves_is_the_firsts_as_in_the_library():
    """Whole numbers: equal halves are equal, and nothing is rounded."""
    x = tf.round(2 * tf.random.stateless_normal((2, 5, 5, 4), (0, 1)))
    weights_ = tf.round(tf.random.stateless_normal((3, 3, 4, 6), (0, 2)))
    weights_ = tf.concat([weights_[..., :3], weights_[..., :2], weights_[..., 5:]], -1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, weights_])
        ours = max_feature_map.mfm_convolution(x, weights_, tf.zeros(6))
        theirs = max_feature_map.mfm(tf.nn.conv2d(x, weights_, 1, "SAME"))
    for source in (x, weights_):
        np.testing.assert_array_equal(tape.gradient(ours, source), tape.gradient(theirs, source))
    assert not np.abs(tape.gradient(ours, weights_)[..., 3:5]).any()


def test_a_convolution_as_a_matrix_product_is_that_convolution():
    layer = blocks.MatrixConv(5)
    x = tf.random.stateless_normal((2, 8, 8, 3), (0, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = layer(x)
        theirs = tf.nn.conv2d(x, layer.kernel, 2, "SAME") + layer.bias
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for source in (x, layer.kernel):
        expected = tape.gradient(theirs, source)
        np.testing.assert_allclose(tape.gradient(ours, source), expected, rtol=1e-4, atol=1e-4)


def test_a_resizing_convolution_is_repeated_pixels_and_a_convolution():
    layer = blocks.ResizeConv(4)
    x = tf.random.stateless_normal((2, 5, 3, 6), (0, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = layer(x)
        repeated = tf.repeat(tf.repeat(x, 2, 1), 2, 2)
        theirs = tf.nn.conv2d(repeated, layer.kernel, 1, "SAME") + layer.bias
    assert layer.kernel.shape == (3, 3, 6, 4) and ours.shape == (2, 10, 6, 4)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    upstream = tf.random.stateless_normal(ours.shape, (0, 2))
    for source in (x, layer.kernel):
        expected = tape.gradient(theirs, source, upstream)
        found = tape.gradient(ours, source, upstream)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_adam_in_one_pass_is_keras_adam():
    ends, states = [], []
    for kind in (FusedAdam, keras.optimizers.Adam):
        variable = tf.Variable(tf.random.stateless_normal((50, 40), (0, 1)))
        optimizer = kind(1e-3, 0.5, 0.999, epsilon=1e-8, jit_compile=False)
        optimizer.build([variable])
        for step in range(20):
            gradient = tf.random.stateless_normal((50, 40), (1, step))
            optimizer.apply_gradients([(gradient, variable)])
        ends.append(variable.numpy())
        states.append([v.numpy() for v in optimizer.variables])
    np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=2e-6)
    for ours, theirs in zip(*states, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
