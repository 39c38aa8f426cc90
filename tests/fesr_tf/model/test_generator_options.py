"""The settings of FESGAN beyond the paper: each against values worked out by hand."""

from __future__ import annotations

import pytest
import tensorflow as tf

from fesr_tf.model import losses


def test_penalty_on_the_mean_of_patches():
    """Patches 3 x and 4 x of one pixel x: a slope of 3.5, so (3.5 - 1)^2; of the sum (7 - 1)^2."""
    weights = tf.constant([3.0, 4.0], shape=(1, 1, 2, 1))
    images = tf.random.stateless_normal((2, 3, 1, 1, 1), (1, 0))
    penalty = losses.gradient_penalty(lambda x: x * weights, *images, [0, 0], patches="mean")
    assert float(penalty) == pytest.approx(6.25, rel=1e-5)
