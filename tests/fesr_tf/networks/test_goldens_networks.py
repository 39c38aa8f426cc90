"""Equations 1, 3, 11, 12 and 13 on the real networks, against numpy forward passes.

The codes u(y), u(y') and z are the ones that the step itself draws.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf.model import losses
from tests.support.goldens_model import CLASSES, batch, build, face_network_of, weights_of
from tests.support.paper_in_numpy import (
    code_critic,
    decoder,
    encoder,
    image_critic,
    one_hot,
    recognizer_features,
    recognizer_logits,
)


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def weights(model):
    return weights_of(model)


def as_numpy(tensor) -> np.ndarray:
    return np.asarray(tensor, np.float64)


def code_by_hand(label, intensity) -> np.ndarray:
    """v * (2y - 1), eq. 2."""
    return as_numpy(intensity) * (2 * one_hot(label, CLASSES) - 1)


@pytest.mark.parametrize("size", [1, 3])
def test_eq_01_face_code_is_the_encoders(model, weights, size):
    image, _, _ = batch(size)
    code = model.fesgan.encode(image)
    assert code.shape == (size, 64)
    np.testing.assert_allclose(code, encoder(as_numpy(image), weights["G_enc"]), atol=1e-4)
    assert np.abs(code).max() < 1  # tanh


@pytest.mark.parametrize("size", [1, 3])
def test_eq_03_translated_face_has_the_other_expression(model, weights, size):
    image, _, label = batch(size)
    draws = model.fesgan.draw(label)
    assert not np.any(draws.target_label.numpy() == label.numpy())
    translated = model.fesgan.translate(image, label, model.fesgan.encode(image), draws)
    expected = decoder(
        encoder(as_numpy(image), weights["G_enc"]),
        code_by_hand(draws.target_label, draws.target_intensity),
        weights["G_dec"],
    )
    assert translated.shape == image.shape
    np.testing.assert_allclose(translated, expected, atol=1e-4)


def test_eq_01_eq_03_in_colour():
    model = build("channels=3")
    weights = weights_of(model)
    image, _, label = batch(2, channels=3)
    code = encoder(as_numpy(image), weights["G_enc"])
    drawn = model.fesgan((image, tf.one_hot(label, CLASSES)))
    expected = decoder(code, one_hot(label, CLASSES), weights["G_dec"])
    assert drawn.shape == image.shape
    np.testing.assert_allclose(drawn, expected, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3])
def test_eq_11_reconstructed_face_has_its_own_expression(model, weights, size):
    image, _, label = batch(size)
    draws = model.fesgan.draw(label)
    reconstructed = model.fesgan.reconstruct(model.fesgan.encode(image), label, draws)
    expected = decoder(
        encoder(as_numpy(image), weights["G_enc"]),
        code_by_hand(label, draws.own_intensity),
        weights["G_dec"],
    )
    np.testing.assert_allclose(reconstructed, expected, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3])
def test_eq_13_synthetic_face_is_of_the_prior_and_the_own_class(model, weights, size):
    image, positive, label = batch(size)
    draws = model.fesgan.draw(label)
    synthetic, synthetic_label = model.synthesize(image, model.fesgan.encode(image), label, draws)
    expected = decoder(
        as_numpy(draws.prior_code),
        code_by_hand(label, draws.synthetic_intensity),
        weights["G_dec"],
    )
    np.testing.assert_allclose(synthetic, expected, atol=1e-4)
    np.testing.assert_array_equal(synthetic_label, label)
    other, _ = model.synthesize(positive, model.fesgan.encode(positive), label, draws)
    np.testing.assert_array_equal(synthetic, other)  # nothing of the input but its class


@pytest.mark.parametrize("size", [1, 3])
def test_eq_12_distance_of_two_face_features(model, size):
    """|F_id(x_rec) - F_id(x)|_1, F_id in numpy from pictures in [-1, 1] on."""
    image, other, _ = batch(size)
    network = face_network_of(model)
    features, drawn = network.embed(as_numpy(image)), network.embed(as_numpy(other))
    assert features.shape == (size, model.face_network.embedding_size)
    ours = model.face_network.embed(image), model.face_network.embed(other)
    mean, total = losses.l1(*ours), losses.l1(*ours, "sum")
    assert float(mean) == pytest.approx(np.abs(features - drawn).mean(), rel=1e-4)
    assert float(total) == pytest.approx(np.abs(features - drawn).sum(1).mean(), rel=1e-4)
    same = losses.l1(ours[0], model.face_network.embed(image))
    assert float(same) == 0


def test_eq_12_face_network_is_frozen_and_lets_the_gradient_through(model):
    """A small move of one picture changes F_id by what its gradient says; no weight trains."""
    image, _, _ = batch(1)
    network = face_network_of(model)
    variable = tf.Variable(image)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model.face_network.embed(variable))
    gradient = as_numpy(tape.gradient(total, variable))
    way = np.random.default_rng(8).normal(size=image.shape)
    ends = [network.embed(as_numpy(image) + step * way).sum() for step in (1e-6, -1e-6)]
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(np.vdot(gradient, way), rel=1e-3)
    assert not model.face_network.trainable_variables


def test_critics_and_recogniser_of_tables_one_and_two(model, weights):
    """D_img, D_z and R themselves: what equations 4 to 9 and 14 to 21 are fed with."""
    image, _, _ = batch()
    realness, logits = model.fesgan.image_critic(image)
    expected, classes = image_critic(as_numpy(image), weights["D_img"])
    np.testing.assert_allclose(realness, expected, atol=1e-5)
    np.testing.assert_allclose(logits, classes, atol=1e-5)
    code = tf.random.stateless_uniform((3, 64), (2, 2), -1.0, 1.0)
    expected = code_critic(as_numpy(code), weights["D_z"])
    np.testing.assert_allclose(model.fesgan.code_critic(code), expected, atol=1e-5)
    trunk = face_network_of(model).trunk(as_numpy(image))
    features = recognizer_features(trunk, weights["R"])
    np.testing.assert_allclose(model.recognizer.features(image), features, atol=1e-5)
    expected = recognizer_logits(features, weights["R"])
    np.testing.assert_allclose(model(image), expected, atol=1e-5)
