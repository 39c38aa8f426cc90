"""Equations 22 to 26, with 14 and 17 to 19, as the real train steps report and apply them.

A real step is taken by plain gradient descent, so that what a network moved by, over the
learning rate, is the gradient that was applied. Everything that the step reported is then
computed again in numpy from the weights and from the step's own draws, and the applied
gradient is compared with differences of those numpy losses: nothing is differentiated by
TensorFlow twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.support.goldens_model import CLASSES, batch, build, face_network_of, weights_of
from tests.support.paper_in_numpy import (
    Array,
    DemoFaceNetwork,
    Weights,
    code_critic,
    critic_gradient,
    cross_entropy,
    decoder,
    encoder,
    image_critic,
    one_hot,
    recognizer_features,
    recognizer_logits,
)

RATE = 0.005
LAMBDA = {1: 2.0, 2: 3.0, 3: 4.0, 4: 5.0, 5: 6.0, 6: 0.7}
PENALTY, DROPOUT = 0.3, 0.5


class Step(NamedTuple):
    """One real step: what went in, what was drawn, the weights around it, what it reported."""

    image: Array
    positive: Array
    label: Array
    draws: dict[str, Array]
    face_network: DemoFaceNetwork
    before: dict[str, Weights]
    after: dict[str, Weights]
    logs: dict[str, float]


def descent() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(RATE, jit_compile=False)


@cache
def taken(stage: int, rdbp: bool = True) -> Step:
    weights = [f"lambda{index}={value}" for index, value in LAMBDA.items()]
    model = build(*weights, f"penalty_weight={PENALTY}", f"dropout={DROPOUT}", f"rdbp={rdbp}")
    gan = model.fesgan
    for name in ("generator", "image_critic", "code_critic"):
        setattr(gan, f"{name}_optimizer", descent())
    model.recognizer_optimizer = descent()
    # At their start the critics and R answer the same to every face, and half of the terms
    # would have next to no slope.
    for network in (gan.image_critic, gan.code_critic, model.recognizer):
        for variable in network.trainable_variables:
            variable.assign(2.0 * variable)
    image, positive, label = batch()
    drawn = gan.draw(label)
    draws = {name: value.numpy() for name, value in drawn._asdict().items()}
    draws["alpha"] = tf.random.stateless_uniform((3, 1, 1, 1), drawn.penalty_seed).numpy()
    before = weights_of(model)
    ones = tf.ones((3, len(before["R"][-2])))
    drop = tf.nn.experimental.stateless_dropout
    draws["masks"] = np.stack([drop(ones, DROPOUT, seed) for seed in drawn.dropout_seeds])
    logs = (gan if stage == 1 else model).train_step((image, positive, label))
    return Step(
        image.numpy().astype(np.float64),
        positive.numpy().astype(np.float64),
        label.numpy(),
        draws,
        face_network_of(model),
        before,
        weights_of(model),
        {name: float(value) for name, value in logs.items()},
    )


def code(label: Array, intensity: Array) -> Array:
    """Eq. 2."""
    return intensity * (2 * one_hot(label, CLASSES) - 1)


class Faces(NamedTuple):
    code: Array
    translated: Array
    reconstructed: Array
    synthetic: Array


def faces(step: Step, g_enc: Weights, g_dec: Weights) -> Faces:
    """Eq. 1, 3, 11 and 13."""
    draws, face_code = step.draws, encoder(step.image, g_enc)
    target = code(draws["target_label"], draws["target_intensity"])
    own = code(step.label, draws["own_intensity"])
    synthetic = code(step.label, draws["synthetic_intensity"])
    return Faces(
        face_code,
        decoder(face_code, target, g_dec),
        decoder(face_code, own, g_dec),
        decoder(draws["prior_code"], synthetic, g_dec),
    )


def faces_before(step: Step) -> Faces:
    return faces(step, step.before["G_enc"], step.before["G_dec"])


def log_sigmoid(logits: Array) -> Array:
    return -np.logaddexp(0, -logits)


def code_critic_terms(step: Step, weights: Weights) -> dict[str, float]:
    """Eq. 7 and 24."""
    prior, face = step.draws["prior_code"], faces_before(step).code
    on_prior, on_face = code_critic(prior, weights), code_critic(face, weights)
    return {
        "L_advd_z": -log_sigmoid(on_prior).mean() - np.log1p(-np.exp(log_sigmoid(on_face))).mean()
    }


def image_critic_terms(step: Step, weights: Weights) -> dict[str, float]:
    """Eq. 5, 9 and 23, with the penalty of WGAN-GP on the line from x to x_hat."""
    translated = faces_before(step).translated
    real, logits = image_critic(step.image, weights)
    fake, _ = image_critic(translated, weights)
    between = (1 - step.draws["alpha"]) * step.image + step.draws["alpha"] * translated
    slope = np.sqrt(np.square(critic_gradient(between, weights)).sum((1, 2, 3)))
    terms = {
        "L_advd_img": fake.mean() - real.mean(),
        "penalty": np.square(slope - 1).mean(),
        "L_cls_D_r": cross_entropy(step.label, logits),
    }
    adversarial = terms["L_advd_img"] + PENALTY * terms["penalty"]
    return terms | {"L_D_img": LAMBDA[5] * adversarial + terms["L_cls_D_r"]}


def recognizer_terms(step: Step, weights: Weights, guide: Array | None) -> dict[str, float]:
    """Eq. 14 to 16, 19 to 21 and 26. `guide`: R_ext(x) as a fixed value in eq. 16 (RDBP)."""
    pictures = (step.image, step.positive, faces_before(step).synthetic)
    maps = [step.face_network.trunk(picture) for picture in pictures]
    real, positive, synthetic = (
        recognizer_features(each, weights) * mask
        for each, mask in zip(maps, step.draws["masks"][:3], strict=True)
    )
    guide = real if guide is None else guide
    terms = {
        "L_dist_r": np.linalg.norm(real - positive, axis=1).mean(),
        "L_dist_rf": np.linalg.norm(guide - synthetic, axis=1).mean(),
        "L_cls_R_r": cross_entropy(step.label, recognizer_logits(real, weights)),
        "L_cls_R_f": cross_entropy(step.label, recognizer_logits(synthetic, weights)),
    }
    intra = terms["L_dist_r"] + terms["L_dist_rf"]
    recogniser = LAMBDA[6] * intra + terms["L_cls_R_r"] + terms["L_cls_R_f"]
    return terms | {"L_intra": intra, "L_R": recogniser}


def guide_of(step: Step) -> Array:
    trunk = step.face_network.trunk(step.image)
    return recognizer_features(trunk, step.before["R"]) * step.draws["masks"][0]


def generator_terms(step: Step, generator: Weights, stage: int) -> dict[str, float]:
    """Eq. 4, 6, 8, 10, 12 and 22; 21 and 25 in stage 2. D_z, D_img and R are the updated ones."""
    split = len(step.before["G_enc"])
    drawn = faces(step, generator[:split], generator[split:])
    realness, logits = image_critic(drawn.translated, step.after["D_img"])
    embed = step.face_network.embed
    terms = {
        "L_advg_img": -realness.mean(),
        "L_advg_z": -log_sigmoid(code_critic(drawn.code, step.after["D_z"])).mean(),
        "L_rec": np.abs(step.image - drawn.reconstructed).mean(),
        "L_id": np.abs(embed(drawn.reconstructed) - embed(step.image)).mean(),
        "L_cls_D_f": cross_entropy(step.draws["target_label"], logits),
    }
    weights = {"L_advg_img": 1.0, "L_advg_z": LAMBDA[1], "L_rec": LAMBDA[2], "L_id": LAMBDA[3]}
    weights |= {"L_cls_D_f": LAMBDA[4], "L_cls_R_f_to_G": LAMBDA[4]}
    if stage == 2:
        trunk, r = step.face_network.trunk(drawn.synthetic), step.after["R"]
        features = recognizer_features(trunk, r) * step.draws["masks"][3]
        terms["L_cls_R_f_to_G"] = cross_entropy(step.label, recognizer_logits(features, r))
    return terms | {"L_G": sum(weights[name] * term for name, term in terms.items())}


def assert_reported(step: Step, terms: dict[str, float]) -> None:
    reported = {name: step.logs[name] for name in terms}
    assert reported == pytest.approx(terms, rel=2e-5, abs=1e-6)


def assert_applied(loss: Callable[[Weights], float], before: Weights, after: Weights) -> None:
    """(before - after) / rate against central differences of `loss` in random directions."""
    applied = [(old - new) / RATE for old, new in zip(before, after, strict=True)]
    random = np.random.default_rng(6)
    measured, expected = [], []
    for _ in range(4):
        way = [random.normal(size=each.shape) / np.sqrt(each.size) for each in before]
        ends = [
            loss([old + move * each for old, each in zip(before, way, strict=True)])
            for move in (1e-6, -1e-6)
        ]
        expected.append((ends[0] - ends[1]) / 2e-6)
        measured.append(sum(np.vdot(*pair) for pair in zip(applied, way, strict=True)))
    scale = np.linalg.norm(expected)
    assert scale > 0
    assert np.linalg.norm(np.subtract(measured, expected)) < 1e-4 * scale


def both(weights: dict[str, Weights]) -> Weights:
    return [*weights["G_enc"], *weights["G_dec"]]


@pytest.mark.parametrize("stage", [1, 2])
def test_eq_24_code_critic(stage):
    step = taken(stage)
    assert_reported(step, code_critic_terms(step, step.before["D_z"]))
    assert_applied(
        lambda weights: code_critic_terms(step, weights)["L_advd_z"],
        step.before["D_z"],
        step.after["D_z"],
    )


@pytest.mark.parametrize("stage", [1, 2])
def test_eq_23_image_critic(stage):
    step = taken(stage)
    assert_reported(step, image_critic_terms(step, step.before["D_img"]))
    assert_applied(
        lambda weights: image_critic_terms(step, weights)["L_D_img"],
        step.before["D_img"],
        step.after["D_img"],
    )


def test_eq_22_generator_of_stage_one():
    step = taken(1)
    assert_reported(step, generator_terms(step, both(step.before), 1))
    assert_applied(
        lambda weights: generator_terms(step, weights, 1)["L_G"],
        both(step.before),
        both(step.after),
    )
    for old, new in zip(step.before["R"], step.after["R"], strict=True):
        np.testing.assert_array_equal(old, new)


def test_eq_25_generator_of_stage_two():
    step = taken(2)
    assert_reported(step, generator_terms(step, both(step.before), 2))
    assert_applied(
        lambda weights: generator_terms(step, weights, 2)["L_G"],
        both(step.before),
        both(step.after),
    )


def test_eq_14_eq_19_sums_of_the_recogniser():
    step = taken(2)
    terms = recognizer_terms(step, step.before["R"], None)
    assert step.logs["L_intra"] == pytest.approx(terms["L_dist_r"] + terms["L_dist_rf"], rel=2e-5)
    classification = step.logs["L_R"] - LAMBDA[6] * step.logs["L_intra"]
    assert classification == pytest.approx(terms["L_cls_R_r"] + terms["L_cls_R_f"], rel=2e-5)


def test_eq_26_recogniser_with_real_data_guided_back_propagation():
    """The gradient of eq. 17 and 18: R_ext(x) is a fixed value in the real-synthetic term."""
    step = taken(2)
    guide = guide_of(step)
    assert_reported(step, recognizer_terms(step, step.before["R"], guide))
    assert_applied(
        lambda weights: recognizer_terms(step, weights, guide)["L_R"],
        step.before["R"],
        step.after["R"],
    )


def test_eq_26_recogniser_with_the_plain_gradient():
    """The same loss where R_ext(x) moves in both terms (FESR_JL-RDBP)."""
    step = taken(2, rdbp=False)
    assert_reported(step, recognizer_terms(step, step.before["R"], None))
    assert_applied(
        lambda weights: recognizer_terms(step, weights, None)["L_R"],
        step.before["R"],
        step.after["R"],
    )
