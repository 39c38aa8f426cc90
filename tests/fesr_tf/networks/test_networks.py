"""Tables I and II: shapes, parameter counts and the layers' arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from fesr_tf import config
from fesr_tf.networks.blocks import conv, deconv
from fesr_tf.networks.code_critic import CodeCritic
from fesr_tf.networks.decoder import Decoder
from fesr_tf.networks.encoder import Encoder
from fesr_tf.networks.face_networks import load_face_network
from fesr_tf.networks.image_critic import ImageCritic
from fesr_tf.networks.normalization import instance_norm, layer_norm
from fesr_tf.networks.recognizer import Recognizer


def trained(model: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_parameter_counts_of_the_paper():
    """128x128 gray, seven classes, width 1: the sums worked out from Tables I and II."""
    paper = config.resolve("ckplus")
    image = tf.zeros((1, 128, 128, 1))
    networks = {
        Encoder(paper): (image, 12_192_768),
        Decoder(paper): ((tf.zeros((1, 64)), tf.zeros((1, 7))), 3_368_417),
        ImageCritic(paper, 7): (image, 11_267_016),
        CodeCritic(paper): (tf.zeros((1, 64)), 6_785),
    }
    for network, (inputs, count) in networks.items():
        network(inputs)
        assert trained(network) == count, network.name
    recognizer = Recognizer(paper, 7, load_face_network("light_cnn_29", random_seed=0))
    recognizer(image)
    assert sum(int(np.prod(v.shape)) for v in recognizer.trained_variables) == 19_454_727


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_closes(size, channels):
    small = config.resolve(
        "demo", overrides=[f"image_size={size}", f"channels={channels}", "width=0.0625"]
    )
    image = tf.zeros((2, size, size, channels))
    code = Encoder(small)(image)
    assert code.shape == (2, 64)
    assert Decoder(small)((code, tf.zeros((2, 5)))).shape == image.shape
    realness, logits = ImageCritic(small, 5)(image)
    assert realness.shape == (2, 4, 4, 1)
    assert logits.shape == (2, 5)


def test_initial_weights_are_drawn_as_the_papers_framework_draws_them():
    layer = conv(256, 4, 2)
    layer.build((None, 8, 8, 64))
    bound = 1 / np.sqrt(64 * 16)
    kernel = layer.kernel.numpy()
    assert np.abs(kernel).max() <= bound
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)


def test_two_layers_draw_different_weights():
    first, second = conv(4, 3, 1), conv(4, 3, 1)
    for layer in (first, second):
        layer.build((None, 8, 8, 4))
    assert not np.array_equal(first.kernel, second.kernel)


def test_convolutions_pad_one_pixel_on_each_side():
    """Conv(n, 4, 2) of an even size against a loop over windows of the padded picture."""
    layer = conv(1, 4, 2)
    image = np.random.default_rng(0).normal(size=(1, 6, 6, 1)).astype(np.float32)
    result = layer(image)[0, :, :, 0]
    kernel, padded = layer.kernel.numpy()[:, :, 0, 0], np.pad(image[0, :, :, 0], 1)
    expected = [
        [(padded[i : i + 4, j : j + 4] * kernel).sum() for j in (0, 2, 4)] for i in (0, 2, 4)
    ]
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)


def test_transposed_convolution_is_the_adjoint_of_the_convolution():
    """<conv(x), y> = <x, deconv(y)> with one kernel, which fixes the padding of DeConv."""
    down, up = conv(1, 4, 2), deconv(1)
    random = np.random.default_rng(1)
    x = random.normal(size=(1, 8, 8, 1)).astype(np.float32)
    y = random.normal(size=(1, 4, 4, 1)).astype(np.float32)
    down(x)
    up(y)
    up.kernel.assign(down.kernel)
    assert np.vdot(down(x), y) == pytest.approx(np.vdot(x, up(y)), rel=1e-4)


def test_instance_normalisation_against_numpy():
    image = np.random.default_rng(2).normal(3, 2, size=(2, 5, 5, 3)).astype(np.float32)
    mean = image.mean((1, 2), keepdims=True)
    variance = image.var((1, 2), keepdims=True)
    layer = instance_norm(1e-5, affine=False)
    expected = (image - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(layer(image), expected, rtol=1e-4, atol=1e-5)
    assert not layer.trainable_variables
    assert isinstance(layer, keras.layers.Layer)


def test_both_instance_normalisations_are_one_function():
    """tensorflow-addons' layer, where it exists, equals Keras' group normalisation exactly."""
    image = tf.random.stateless_normal((2, 6, 6, 4), (0, 0))
    keras_layer = keras.layers.GroupNormalization(
        groups=-1, epsilon=1e-5, center=False, scale=False
    )
    np.testing.assert_allclose(instance_norm(1e-5, False)(image), keras_layer(image), atol=1e-6)


def test_affine_instance_normalisation_learns_a_scale_and_an_offset():
    layer = instance_norm(1e-5, affine=True)
    layer(tf.zeros((1, 2, 2, 3)))
    assert sorted(tuple(v.shape) for v in layer.trainable_variables) == [(3,), (3,)]


def test_layer_normalisation_against_numpy():
    image = np.random.default_rng(2).normal(3, 2, size=(2, 5, 5, 3)).astype(np.float32)
    layer = layer_norm(1e-5)
    layer(image)
    layer.set_weights([np.float32([1, 2, 3]), np.float32([0, 0, 5])])  # scale, offset
    mean, variance = (getattr(image, each)((1, 2, 3), keepdims=True) for each in ("mean", "var"))
    expected = (image - mean) / np.sqrt(variance + 1e-5) * [1, 2, 3] + [0, 0, 5]
    np.testing.assert_allclose(layer(image), expected, rtol=1e-4, atol=1e-5)


def test_brightness_reaches_the_code_without_instance_normalisation():
    """IN takes away a constant that is added to the image, but where the border meets it."""
    image = tf.random.stateless_uniform((1, 64, 64, 1), (0, 0), -0.5, 0.2)
    changes = {}
    for norm in ("instance", "layer"):
        encoder = Encoder(config.resolve("demo", overrides=[f"generator_norm={norm}"]))
        encoder.convolutions[0].padding = "valid"  # no border
        first = [
            encoder.norms[0](encoder.convolutions[0](each)).numpy() for each in (image, image + 0.3)
        ]
        changes[norm] = np.abs(first[1] - first[0]).max() / np.abs(first[0]).max()
    assert changes["instance"] < 1e-4 and changes["layer"] > 0.05


def test_recognizer_trains_everything_but_the_face_network():
    small = config.resolve("demo", overrides=["width=0.0625"])
    face_network = load_face_network("light_cnn_demo", random_seed=0)
    recognizer = Recognizer(small, 4, face_network)
    recognizer(tf.zeros((1, 64, 64, 1)))
    frozen = {id(variable) for variable in face_network.variables}
    assert frozen and not frozen & {id(v) for v in recognizer.trained_variables}
    assert not face_network.trainable_variables


def test_dropout_repeats_for_a_seed_and_keeps_the_mean():
    small = config.resolve("demo", overrides=["width=0.0625"])
    recognizer = Recognizer(small, 4, load_face_network("light_cnn_demo", random_seed=0))
    features = tf.ones((1, 10_000))
    dropped = recognizer.drop(features, tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(dropped, recognizer.drop(features, tf.constant([1, 2])))
    assert set(np.unique(dropped)) == {0.0, 2.0}
    assert dropped.mean() == pytest.approx(1.0, abs=0.04)
