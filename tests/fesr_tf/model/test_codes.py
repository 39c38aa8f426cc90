"""What is drawn when. The expression code itself (eq. 2) is in `test_goldens.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from fesr_tf.model.expression_codes import draw


def test_the_other_label_is_never_the_own_one_and_covers_all_others():
    label = tf.constant(np.arange(10_000) % 7, tf.int32)
    target = draw(label, 7, 4, seed=0, step=tf.constant(3)).target_label.numpy()
    assert not np.any(target == label.numpy())
    shares = np.bincount((target - label.numpy()) % 7, minlength=7)[1:] / 10_000
    np.testing.assert_allclose(shares, 1 / 6, atol=0.015)  # 4 standard deviations


def test_ranges_and_independence_of_the_draws():
    draws = draw(tf.zeros((2_000,), tf.int32), 5, 8, seed=1, step=tf.constant(0))
    z = draws.prior_code.numpy()
    assert z.min() < -0.99 and z.max() > 0.99 and abs(z.mean()) < 0.02
    intensities = [draws.own_intensity, draws.target_intensity, draws.synthetic_intensity]
    for each in intensities:
        assert each.numpy().min() >= 0 and each.numpy().max() < 1
        assert each.shape == (2_000, 5)  # one intensity a class, not one a face
    flat = np.stack([each.numpy().ravel() for each in intensities])
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.05


def test_draws_follow_from_seed_and_step_alone():
    label = tf.zeros((4,), tf.int32)
    first = draw(label, 3, 2, 5, tf.constant(9))
    for mine, same in zip(first, draw(label, 3, 2, 5, tf.constant(9)), strict=True):
        np.testing.assert_array_equal(mine, same)
    other = draw(label, 3, 2, 5, tf.constant(10))
    assert not np.array_equal(first.prior_code, other.prior_code)
    assert not np.array_equal(first.dropout_seeds, other.dropout_seeds)
