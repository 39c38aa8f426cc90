"""Each equation against a value worked out by hand or by numpy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import losses


def test_adversarial_image_losses_average_patches_and_batch():
    real = tf.constant([1.0, 3.0, 5.0, 7.0], shape=(2, 2, 1, 1))
    fake = tf.constant([0.0, 1.0, 2.0, 1.0], shape=(2, 2, 1, 1))
    assert float(losses.generator_adversarial_image(fake)) == pytest.approx(-1.0)  # eq. 4
    assert float(losses.critic_adversarial_image(real, fake)) == pytest.approx(-3.0)  # eq. 5


def test_gradient_penalty_of_a_linear_critic():
    """D(x) = 3 x1 + 4 x2 has a gradient of norm 5 everywhere: (5 - 1)^2."""
    weights = tf.constant([3.0, 4.0], shape=(1, 2, 1, 1))
    real, fake = tf.random.normal((2, 3, 2, 1, 1))
    penalty = losses.gradient_penalty(
        lambda image: tf.reduce_sum(image * weights, axis=[1, 2, 3]), real, fake, [0, 0]
    )
    assert float(penalty) == pytest.approx(16.0, rel=1e-5)


def test_gradient_penalty_of_a_constant_critic_is_one_with_a_finite_gradient():
    scale = tf.Variable(0.0)
    images = tf.ones((2, 4, 4, 1))
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(lambda image: scale * image, images, images, [0, 1])
    assert float(penalty) == pytest.approx(1.0, rel=1e-5)
    assert np.isfinite(tape.gradient(penalty, scale))


def test_gradient_penalty_looks_between_the_two_images():
    """D(x) = x^2 / 2 a pixel: the gradient is x itself, of norm |alpha| between 0 and 1."""
    real, fake = tf.zeros((500, 1, 1, 1)), tf.ones((500, 1, 1, 1))
    penalty = losses.gradient_penalty(lambda x: tf.square(x) / 2, real, fake, [7, 7])
    assert float(penalty) == pytest.approx(1 / 3, abs=0.05)  # E[(alpha - 1)^2]


def test_code_losses_are_binary_cross_entropies_with_the_prior_as_one():
    prior, encoded = tf.constant([[0.0], [2.0]]), tf.constant([[-1.0], [3.0]])
    sigmoid = lambda x: 1 / (1 + np.exp(-np.asarray(x)))  # noqa: E731
    expected = -np.log(sigmoid(prior)).mean() - np.log(1 - sigmoid(encoded)).mean()
    assert float(losses.critic_adversarial_code(prior, encoded)) == pytest.approx(
        expected, rel=1e-5
    )
    expected = -np.log(sigmoid(encoded)).mean()
    assert float(losses.generator_adversarial_code(encoded)) == pytest.approx(expected, rel=1e-5)


def test_code_losses_survive_extreme_logits():
    far = tf.constant([[200.0]])
    assert float(losses.critic_adversarial_code(-far, far)) == pytest.approx(400.0)
    assert float(losses.generator_adversarial_code(-far)) == pytest.approx(200.0)


def test_classification_by_hand():
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    expected = -(np.log(0.5) + np.log(0.1)) / 2
    assert float(losses.classification(tf.constant([0, 2]), logits)) == pytest.approx(
        expected, rel=1e-5
    )


def test_l1_mean_and_sum():
    first = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    second = tf.constant([[2.0, 0.0], [3.0, 1.0]])
    assert float(losses.l1(first, second)) == pytest.approx(6 / 4)
    assert float(losses.l1(first, second, "sum")) == pytest.approx((3 + 3) / 2)


def test_distance_by_hand_and_squared():
    first, second = tf.constant([[0.0, 0.0], [1.0, 1.0]]), tf.constant([[3.0, 4.0], [1.0, 1.0]])
    assert float(losses.distance(first, second)) == pytest.approx(2.5, rel=1e-5)
    assert float(losses.distance(first, second, squared=True)) == pytest.approx(12.5)


def test_distance_of_equal_features_has_a_finite_gradient():
    features = tf.Variable(tf.ones((1, 3)))
    with tf.GradientTape() as tape:
        loss = losses.distance(features, tf.ones((1, 3)))
    np.testing.assert_array_equal(tape.gradient(loss, features), np.zeros((1, 3)))


@pytest.mark.parametrize("rdbp", [True, False])
def test_real_data_guided_back_propagation(rdbp):
    """Eq. 17 moves both real sides; eq. 18 moves the synthetic side only, plain SGD both."""
    real, positive, synthetic = (tf.Variable(tf.random.normal((2, 4))) for _ in range(3))
    with tf.GradientTape(persistent=True) as tape:
        real_real, real_fake = losses.intra_class(real, positive, synthetic, rdbp=rdbp)
    assert np.abs(tape.gradient(real_real, real)).max() > 0
    assert np.abs(tape.gradient(real_real, positive)).max() > 0
    assert np.abs(tape.gradient(real_fake, synthetic)).max() > 0
    assert (tape.gradient(real_fake, real) is None) == rdbp
