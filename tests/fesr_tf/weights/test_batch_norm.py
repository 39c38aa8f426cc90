"""Batch normalisation folded into convolutions, against the library's own layers."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf.networks.light_cnn import LightCNN, LightCNNSpec, Stage
from fesr_tf.weights.batch_norm import EPSILON, RATE, BatchNormLightCNN

# isort: split
import tensorflow as tf
import tf_keras as keras

_POOL = Stage("pool", "pool")
SPEC = LightCNNSpec(
    "tiny",
    (Stage("mfm", "conv1", 3), _POOL, Stage("mfm", "conv2", 4), _POOL, _POOL),
    pool="max",
    fc="linear",
    embedding=5,
    size=16,
)
CONVOLUTIONS = ("conv1", "conv2")


def images(seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_uniform((6, 16, 16, 1), (seed, 1))


@pytest.fixture
def network() -> BatchNormLightCNN:
    """Scales, offsets and moving statistics as after a training."""
    found = BatchNormLightCNN(SPEC, seed=3)
    rng = np.random.default_rng(1)
    for name, norm in found.norms.items():
        shape = norm.mean.shape
        norm.scale.assign(rng.uniform(0.5, 2, shape))
        norm.mean.assign(rng.normal(0, 0.3, shape))
        norm.variance.assign(rng.uniform(0.2, 2, shape))
        found.layers_by_name[name].bias.assign(rng.normal(0, 0.3, shape))
    return found


def library(network: BatchNormLightCNN, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, list]:
    """The trunk by Keras' convolution, batch normalisation and maximum; and the moving means."""
    means = []
    for name in CONVOLUTIONS:
        norm, layer = network.norms[name], network.layers_by_name[name]
        normal = keras.layers.BatchNormalization(momentum=1 - RATE, epsilon=EPSILON, fused=False)
        normal.build((None, None, None, norm.mean.shape[0]))
        parts = norm.scale, layer.bias, norm.mean, norm.variance
        normal.set_weights([part.numpy() for part in parts])
        maps = normal(tf.nn.conv2d(x, layer.kernel, 1, "SAME"), training=training)
        x = tf.nn.max_pool2d(tf.maximum(*tf.split(maps, 2, -1)), 2, 2, "SAME")
        means.append(normal.moving_mean.numpy())
    return tf.nn.max_pool2d(x, 2, 2, "SAME"), means


def test_the_folded_network_is_the_normalised_one(network):
    folded = network.folded()
    assert type(folded) is LightCNN and set(folded.layers_by_name) == {*CONVOLUTIONS, "fc"}
    wanted, _ = library(network, images(), training=False)
    np.testing.assert_allclose(folded.trunk(images()), wanted, atol=1e-5)
    np.testing.assert_allclose(folded(images()), network(images()), atol=1e-5)


def test_in_training_the_batchs_own_statistics_normalise_and_the_moving_ones_follow(network):
    network.normalising = True
    wanted, means = library(network, images(), training=True)
    np.testing.assert_allclose(network.trunk(images()), wanted, atol=1e-5)
    for name, mean in zip(CONVOLUTIONS, means, strict=True):
        np.testing.assert_allclose(network.norms[name].mean, mean, atol=1e-6)


def test_gradients_are_those_of_batch_normalisation(network):
    """They also pass through mean and variance."""
    network.normalising = True
    kernels = [network.layers_by_name[name].kernel for name in CONVOLUTIONS]
    found = []
    for trunk in (network.trunk, lambda x: library(network, x, training=True)[0]):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(trunk(images()) ** 2)
        found.append(tape.gradient(loss, kernels))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_statistics_of_the_first_images_alone(network):
    network.normalising, network.sampled = True, 2
    before = network.norms["conv1"].mean.numpy()
    network.trunk(images())
    outputs = tf.nn.conv2d(images()[:2], network.layers_by_name["conv1"].kernel, 1, "SAME")
    wanted = before + RATE * (np.mean(outputs, (0, 1, 2)) - before)
    np.testing.assert_allclose(network.norms["conv1"].mean, wanted, atol=1e-6)
