"""Equations 2, 4 to 10, 12 and 14 to 21 as functions, against values worked out by hand.

`docs/method/equations.md` lists all of them; the networks of equations 1, 3, 11, 12 and 13 are in
`test_goldens_networks.py`, the sums of equations 22 to 26 in `test_goldens_steps.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf.model import losses
from fesr_tf.model.expression_codes import draw, expression_code

FAR = 1e4


def value_and_gradients(function, *inputs) -> tuple[float, list[np.ndarray]]:
    variables = [tf.Variable(each, dtype=tf.float32) for each in inputs]
    with tf.GradientTape() as tape:
        loss = function(*variables)
    assert loss.shape == () and loss.dtype == tf.float32
    gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
    return float(loss), [each.numpy() for each in gradients]


def test_eq_02_sign_and_intensity_stand_at_each_class():
    """2y - 1 is +1 at the class and -1 elsewhere, and every class has a v of its own."""
    code = expression_code(tf.constant([2, 0]), tf.constant([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), 3)
    np.testing.assert_allclose(code, [[-0.1, -0.2, 0.3], [0.4, -0.5, -0.6]], rtol=1e-6)
    assert code.dtype == tf.float32


def test_eq_02_ends_of_the_range():
    """v = 1 gives the label as -1 and 1; v = 0 tells nothing; one number serves all classes."""
    label = tf.constant([1])
    np.testing.assert_array_equal(expression_code(label, tf.ones((1, 3)), 3), [[-1, 1, -1]])
    np.testing.assert_array_equal(expression_code(label, tf.zeros((1, 3)), 3), [[0, 0, 0]])
    np.testing.assert_array_equal(expression_code(label, 1.0, 3), [[-1, 1, -1]])


def test_eq_02_of_a_step_is_positive_at_the_target_and_negative_elsewhere():
    """u_i ~ U(0, 1) at the class, U(-1, 0) elsewhere: mean +-1/2, variance 1/12."""
    label = tf.constant(np.arange(6_000) % 4, tf.int32)
    draws = draw(label, 4, 2, seed=3, step=tf.constant(0))
    code = expression_code(draws.target_label, draws.target_intensity, 4).numpy()
    target = np.eye(4, dtype=bool)[draws.target_label.numpy()]
    assert not np.any(draws.target_label.numpy() == label.numpy())  # y' is another class
    assert 0 <= code[target].min() < 0.01 and 0.99 < code[target].max() < 1
    assert -1 < code[~target].min() < -0.99 and -0.01 < code[~target].max() <= 0
    assert code[target].mean() == pytest.approx(0.5, abs=0.02)
    assert code[~target].var() == pytest.approx(1 / 12, abs=0.005)
    assert len(np.unique(np.abs(code[0]))) == 4  # not one v a face


PATCHES = np.array([0.0, 1.0, 2.0, 1.0, -3.0, 5.0, 0.5, 1.5], np.float32)


@pytest.mark.parametrize("shape", [(8, 1), (2, 2, 2, 1), (1, 4, 2, 1)])
def test_eq_04_mean_over_patches_and_batch(shape):
    """-(0+1+2+1-3+5+.5+1.5)/8 = -1; every output weighs the same."""
    value, (gradient,) = value_and_gradients(
        losses.generator_adversarial_image, PATCHES.reshape(shape)
    )
    assert value == -1.0
    np.testing.assert_array_equal(gradient, np.full(shape, -1 / 8))


@pytest.mark.parametrize("shape", [(8, 1), (2, 2, 2, 1), (1, 4, 2, 1)])
def test_eq_05_real_up_and_fake_down(shape):
    """Real outputs of mean 3, fake ones of mean 1: -3 + 1 = -2."""
    real = PATCHES[::-1].reshape(shape) + 2
    value, (on_real, on_fake) = value_and_gradients(
        losses.critic_adversarial_image, real, PATCHES.reshape(shape)
    )
    assert value == -2.0
    np.testing.assert_array_equal(on_real, np.full(shape, -1 / 8))
    np.testing.assert_array_equal(on_fake, np.full(shape, 1 / 8))


def test_eq_04_eq_05_are_linear_however_far():
    far = np.array([[FAR], [-FAR], [FAR], [FAR]])
    assert value_and_gradients(losses.generator_adversarial_image, far)[0] == -FAR / 2
    assert value_and_gradients(losses.critic_adversarial_image, -far, far)[0] == FAR


def test_eq_05_penalty_of_a_linear_critic_takes_the_norm_over_the_whole_image():
    """D(x) = <w, x>, |w|^2 = 1+4+4+16 + 4+16+16+64 = 125: (sqrt(125) - 1)^2, wherever x is."""
    weights = tf.constant([1.0, 2, 2, 4, 2, 4, 4, 8], shape=(1, 2, 2, 2))
    real, fake = tf.random.stateless_normal((2, 3, 2, 2, 2), (0, 0))
    penalty = losses.gradient_penalty(
        lambda image: tf.reduce_sum(image * weights, [1, 2, 3]), real, fake, [0, 0]
    )
    assert float(penalty) == pytest.approx((np.sqrt(125) - 1) ** 2, rel=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_eq_05_penalty_of_a_patch_critic_is_of_its_summed_patches(batch):
    """Patches 3 x and 4 x of one pixel x: a slope of 7, (7 - 1)^2; neither 5 nor 3.5."""
    weights = tf.constant([3.0, 4.0], shape=(1, 1, 2, 1))
    real, fake = tf.random.stateless_normal((2, batch, 1, 1, 1), (1, 0))
    penalty = losses.gradient_penalty(lambda image: image * weights, real, fake, [0, 0])
    assert float(penalty) == pytest.approx(36.0, rel=1e-5)


def test_eq_05_penalty_looks_on_the_line_with_one_alpha_an_image():
    """D(x) = |x|^2 / 2 has the gradient x, of norm 5 alpha on the line from 0 to (3, 4)."""
    seen = []

    def critic(image):
        seen.append(image.numpy())
        return tf.square(image) / 2

    ends = tf.tile(tf.constant([3.0, 4.0], shape=(1, 1, 2, 1)), (400, 1, 1, 1))
    penalty = losses.gradient_penalty(critic, tf.zeros_like(ends), ends, [7, 7])
    alpha = seen[0][:, 0, 0, 0] / 3
    np.testing.assert_allclose(seen[0][:, 0, 1, 0], 4 * alpha, rtol=1e-5)  # one an image
    assert len(np.unique(alpha)) > 390 and alpha.min() >= 0 and alpha.max() < 1
    assert alpha.mean() == pytest.approx(0.5, abs=0.06)  # 4 standard errors
    assert float(penalty) == pytest.approx(np.mean((5 * alpha - 1) ** 2), rel=1e-4)


def test_eq_05_penalty_where_critic_and_images_are_flat():
    """Equal images and a critic of slope 0: (0 - 1)^2, and a gradient that is a number."""
    images = tf.ones((2, 4, 4, 1))
    value, (gradient,) = value_and_gradients(
        lambda scale: losses.gradient_penalty(lambda x: scale * x, images, images, [0, 1]), 0.0
    )
    assert value == pytest.approx(1.0, rel=1e-5)
    assert np.isfinite(gradient)


def test_eq_06_pulls_the_codes_towards_the_prior():
    """-log sigmoid of log 3 and -log 3: probabilities 3/4 and 1/4; slope -(1 - p) / 2."""
    value, (gradient,) = value_and_gradients(
        losses.generator_adversarial_code, [[np.log(3)], [-np.log(3)]]
    )
    assert value == pytest.approx(-(np.log(3 / 4) + np.log(1 / 4)) / 2, rel=1e-6)
    np.testing.assert_allclose(gradient, [[-1 / 8], [-3 / 8]], rtol=1e-5)


def test_eq_07_prior_is_one_and_face_is_zero():
    """D_z(z) = 3/4 and D_z(g(x)) = 1/4: -2 log(3/4), and not -log D_z(g(x))."""
    value, (on_prior, on_face) = value_and_gradients(
        losses.critic_adversarial_code, [[np.log(3)]], [[-np.log(3)]]
    )
    assert value == pytest.approx(-2 * np.log(3 / 4), rel=1e-6)
    np.testing.assert_allclose([on_prior, on_face], [[[-1 / 4]], [[1 / 4]]], rtol=1e-5)


def test_eq_06_eq_07_at_extreme_logits():
    """log(1 + e^x) is x far up and 0 far down, with slopes 1 and 0."""
    value, (gradient,) = value_and_gradients(losses.generator_adversarial_code, [[-FAR], [FAR]])
    assert value == FAR / 2
    np.testing.assert_array_equal(gradient, [[-0.5], [0.0]])
    value, gradients = value_and_gradients(losses.critic_adversarial_code, [[-FAR]], [[FAR]])
    assert value == 2 * FAR
    np.testing.assert_array_equal(gradients, [[[-1.0]], [[1.0]]])
    assert value_and_gradients(losses.critic_adversarial_code, [[FAR]], [[-FAR]])[0] == 0


HALVES = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]).astype(np.float32)


def entropy(label: list[int]):
    return lambda logits: losses.classification(tf.constant(label), logits)


@pytest.mark.parametrize(("label", "odds"), [([1, 0], 0.25 * 0.1), ([0, 2], 0.5 * 0.1)])
def test_eq_08_cross_entropy_of_the_class_asked_for(label, odds):
    """Softmax of log p is p: -(log p(y'_1) + log p(y'_2)) / 2; slope (p - y') / B."""
    value, (gradient,) = value_and_gradients(entropy(label), HALVES)
    assert value == pytest.approx(-np.log(odds) / 2, rel=1e-6)
    np.testing.assert_allclose(gradient, (np.exp(HALVES) - np.eye(3)[label]) / 2, atol=1e-6)


def test_eq_09_cross_entropy_needs_no_normalised_logits():
    """Adding 100 to every logit of a face changes nothing; a batch of one is its own mean."""
    value, _ = value_and_gradients(entropy([1]), HALVES[:1] + 100)
    assert value == pytest.approx(-np.log(0.25), abs=5e-5)


def test_eq_20_cross_entropy_of_a_sure_and_right_recogniser():
    value, (gradient,) = value_and_gradients(entropy([0]), [[FAR, -FAR]])
    assert value == 0
    np.testing.assert_array_equal(gradient, [[0.0, 0.0]])


def test_eq_21_cross_entropy_of_a_sure_and_wrong_recogniser():
    """Wrong by 2e4: a loss of 2e4, not inf, and the full slope."""
    value, (gradient,) = value_and_gradients(entropy([1]), [[FAR, -FAR]])
    assert value == 2 * FAR
    np.testing.assert_array_equal(gradient, [[1.0, -1.0]])


def test_eq_10_l1_of_two_images():
    """|1-2| + |2-0| = 3 and |3-3| + |4-1| = 3: 6/4 a pixel, 3 an image."""
    first = np.reshape([1.0, 2.0, 3.0, 4.0], (2, 1, 2, 1))
    second = np.reshape([2.0, 0.0, 3.0, 1.0], (2, 1, 2, 1))
    value, (_, gradient) = value_and_gradients(losses.l1, first, second)
    assert value == 6 / 4
    np.testing.assert_array_equal(gradient.ravel(), np.array([1, -1, 0, -1]) / 4)
    summed, _ = value_and_gradients(lambda a, b: losses.l1(a, b, "sum"), first, second)
    assert summed == 3


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_eq_10_of_identical_images_is_zero_and_flat(reduction):
    image = np.linspace(-1, 1, 16).reshape(1, 4, 4, 1)
    value, gradients = value_and_gradients(lambda a, b: losses.l1(a, b, reduction), image, image)
    assert value == 0
    np.testing.assert_array_equal(gradients, np.zeros((2, 1, 4, 4, 1)))


REAL, POSITIVE = [[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 13.0]]


def test_eq_15_euclidean_distance_by_hand():
    """Triangles 3-4-5 and 0-12-12: (5 + 12) / 2; squared (25 + 144) / 2."""
    value, (first, second) = value_and_gradients(losses.distance, REAL, POSITIVE)
    assert value == pytest.approx(8.5, rel=1e-6)
    np.testing.assert_allclose(second, np.array([[3 / 5, 4 / 5], [0, 1]]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(first, -second)
    squared, _ = value_and_gradients(
        lambda a, b: losses.distance(a, b, squared=True), REAL, POSITIVE
    )
    assert squared == 84.5


def test_eq_16_of_equal_features_is_zero_and_flat():
    features = np.ones((1, 3))
    value, gradients = value_and_gradients(losses.distance, features, features)
    assert value == pytest.approx(0, abs=1e-5)
    np.testing.assert_array_equal(gradients, np.zeros((2, 1, 3)))


def test_eq_14_the_two_distances_start_from_the_real_face():
    """|x - x^{p,r}| = 5 and |x - x^{p,f}| = 13; not |x^{p,r} - x^{p,f}| = 8."""
    real, positive, synthetic = [[0.0, 0.0]], [[3.0, 4.0]], [[5.0, 12.0]]
    real_real, real_fake = losses.intra_class(*map(tf.constant, (real, positive, synthetic)))
    assert float(real_real) == pytest.approx(5, rel=1e-6)
    assert float(real_fake) == pytest.approx(13, rel=1e-6)


def linear_extractor(term: int, rdbp: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """d L_dist^r (term 0) or L_dist^rf (1) / dW for R_ext(x) = x W, and x, x^{p,r}, x^{p,f}, W."""
    random = np.random.default_rng(5)
    faces = [random.normal(size=(3, 4)) for _ in range(3)]
    start = random.normal(size=(4, 2))

    def loss(weights):
        features = [tf.constant(each, tf.float32) @ weights for each in faces]
        return losses.intra_class(*features, rdbp=rdbp)[term]

    return value_and_gradients(loss, start)[1][0], [*faces, start]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("rdbp", [True, False])
def test_eq_17_real_real_gradient_runs_through_both_branches(rdbp):
    """With d = (x - x^{p,r}) W: x^T d/|d| by the first branch, -(x^{p,r})^T d/|d| by the other."""
    gradient, (real, positive, _, weights) = linear_extractor(0, rdbp)
    direction = unit((real - positive) @ weights) / 3
    np.testing.assert_allclose(gradient, real.T @ direction - positive.T @ direction, rtol=1e-4)


def test_eq_18_real_synthetic_gradient_runs_through_the_synthetic_branch_alone():
    """With d = (x - x^{p,f}) W: -(x^{p,f})^T d/|d|; the term x^T d/|d| of SGD is left out."""
    gradient, (real, _, synthetic, weights) = linear_extractor(1, rdbp=True)
    direction = unit((real - synthetic) @ weights) / 3
    np.testing.assert_allclose(gradient, -synthetic.T @ direction, rtol=1e-4)
    plain, _ = linear_extractor(1, rdbp=False)
    np.testing.assert_allclose(plain, (real - synthetic).T @ direction, rtol=1e-4)


def test_eq_18_changes_the_gradient_and_not_the_value():
    features = [tf.random.stateless_normal((3, 5), (each, 0)) for each in range(3)]
    with_guide = losses.intra_class(*features, rdbp=True)
    np.testing.assert_array_equal(with_guide, losses.intra_class(*features, rdbp=False))
