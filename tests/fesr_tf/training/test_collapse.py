"""The live signals against numbers worked out by hand, and when a warning comes and goes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config
from fesr_tf.model import collapse_signals, fesr
from fesr_tf.model.fesgan import adam, minimise
from fesr_tf.training import collapse_warnings
from fesr_tf.training.collapse_warnings import (
    GRADIENT_PATIENCE,
    PATIENCE,
    SETTLED,
    SIGNS,
    WarnOfCollapse,
    Watched,
)
from tests.support.naming import naming


def sign(name: str) -> collapse_warnings.Sign:
    return next(each for each in SIGNS if each.signal == name)


def test_spread_is_the_share_of_the_real_images_variance():
    real = tf.constant([-1.0, 1.0], shape=(2, 1, 1, 1))  # variance 1
    drawn = tf.constant([0.0, 0.5, -0.5, 0.0], shape=(2, 1, 2, 1))  # variances 0.0625, 0.0625
    assert collapse_signals.spread(drawn, real).numpy() == pytest.approx(0.0625)
    assert collapse_signals.spread(tf.ones_like(real), real).numpy() == 0
    assert (
        collapse_signals.spread(drawn[:1], real[:1]).numpy() == 0
    )  # one image differs from nobody


def test_critic_accuracy_counts_both_kinds():
    prior, encoded = tf.constant([[1.0], [-1.0]]), tf.constant([[-2.0], [-3.0]])
    assert collapse_signals.critic_accuracy(prior, encoded).numpy() == 0.75


@pytest.mark.parametrize(("patches", "kind"), [(1, "sum"), (4, "sum"), (4, "mean")])
def test_the_slope_of_a_critic_that_keeps_to_its_penalty_is_one(patches, kind):
    """D(x) = <w, x> on the sum or mean of its patches with ||w|| = 1, and x - x_hat along w."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(4, 4, 1)).astype(np.float32)
    w /= np.linalg.norm(w)
    image = rng.normal(size=(3, 4, 4, 1)).astype(np.float32)
    drawn = image - 2.5 * w

    def critic(images):
        score = (images * w).sum((1, 2, 3))[:, None] / (patches if kind == "sum" else 1)
        return tf.constant(np.repeat(score, patches, 1))

    images = tf.constant(image), drawn
    slope = collapse_signals.critic_slope(critic(image), critic(drawn), *images, kind)
    assert slope.numpy() == pytest.approx(1, rel=1e-5)


def test_a_real_step_reports_every_signal(tiny_settings):
    settings = config.resolve("demo", "FESR_JL", tiny_settings)
    model = fesr.build(settings, 8)
    rng = np.random.default_rng(0)
    image, positive = (tf.constant(rng.uniform(-1, 1, (4, 32, 32, 1)), tf.float32) for _ in "ab")
    batch = (image, positive, tf.constant([0, 1, 2, 3]))
    networks = ("G", "D_img", "D_z", "R")
    first, second = model.fesgan.train_step(batch), model.train_step(batch)
    known = {f"signals/{each.signal}" for each in SIGNS}
    assert known - first.keys() == {"signals/spread_synthetic", "signals/gradient_R"}
    assert known <= second.keys()
    assert all(second[f"signals/gradient_{name}"] > 0 for name in networks)
    assert second["signals/gap_D_img"] == -second["L_advd_img"]


def test_the_norm_is_that_of_the_gradients_that_were_applied():
    """d/dx sum(c x) = c: norm of (3, 4, 12) is 13."""
    variables = [tf.Variable([1.0, 1.0]), tf.Variable([1.0]), tf.Variable([5.0])]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(variables[0] * [3.0, 4.0]) + 12 * variables[1][0]
    optimizer = adam(config.resolve("demo"))
    optimizer.build(variables)
    assert minimise(optimizer, tape, loss, variables).numpy() == pytest.approx(13)
    assert variables[2].numpy() == 5  # the loss does not reach it


def said_by(watched: Watched, values, steps: int = 1) -> list[int]:
    """The numbers, from 0, of the values after which something was said."""
    return [number for number, value in enumerate(values) if watched.update(value, steps)]


def test_a_bad_signal_warns_once_and_again_only_after_it_recovered():
    watched = Watched(sign("spread_translated"))
    assert said_by(watched, [0.01] * 2 * PATIENCE) == [PATIENCE - 1]
    assert said_by(watched, [0.9] * 30) == []
    assert said_by(watched, [0.01] * 3 * PATIENCE) == []  # not good for long enough
    assert len(said_by(watched, [0.9] * 2 * PATIENCE)) == 1 and not watched.warned
    assert len(said_by(watched, [0.01] * 2 * PATIENCE)) == 1 and watched.warned


def test_a_short_spell_does_not_warn():
    watched = Watched(sign("accuracy_D_z"))
    values = [1.0] * (PATIENCE // 2) + [0.6] * (2 * PATIENCE)
    assert said_by(watched, values) == []


def test_steps_taken_in_one_call_count_as_many():
    watched = Watched(sign("accuracy_D_z"))
    assert said_by(watched, [1.0] * (PATIENCE // 10), steps=10) == [PATIENCE // 10 - 1]


def test_an_exploding_gradient_warns_and_a_swing_does_not():
    calm = [1.0] * 2 * SETTLED
    swing = Watched(sign("gradient_G"))
    assert said_by(swing, [*calm, *([4.0] * 500)]) == []
    burst = Watched(sign("gradient_G"))
    found = said_by(burst, [*calm, *([300.0] * 100)])
    assert len(found) == 1 and len(calm) + GRADIENT_PATIENCE <= found[0]
    gone = Watched(sign("gradient_G"))
    assert len(said_by(gone, [*calm, *([0.0] * 100)])) == 1


def test_the_warning_is_one_plain_line_with_the_step():
    lines = []
    model = type("Model", (), {"fesgan": type("Gan", (), {"step": tf.Variable(0)})})
    guard = WarnOfCollapse(model, lines.append)
    for step in range(1, PATIENCE + 1):
        guard.on_step(step, {"signals/accuracy_D_z": 1.0, "L_G": 1.0})
    assert len(lines) == 1
    assert re.search(naming("warning", PATIENCE, "D_z", "signals/accuracy_D_z", 1), lines[0])
    assert "\n" not in lines[0]
