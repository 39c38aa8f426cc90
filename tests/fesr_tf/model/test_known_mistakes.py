"""Known to be wrong in public re-implementations, beside those of test_routing_mistakes.py."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config, evaluate
from fesr_tf.model import fesr
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.networks.light_cnn import LightCNN
from tests.support import routing


def build(*overrides: str) -> fesr.FESR:
    return routing.build(config.resolve("ckplus", overrides=[*routing.SMALL, *overrides]))


def test_the_code_critic_learns_that_the_prior_is_real_and_the_code_is_not():
    """Eq. 7. With -log D(g) in place of -log(1 - D(g)), D_z would call both of them real."""
    model = build("learning_rate=0.01")
    gan, (image, _, label) = model.fesgan, routing.batch(model.config)
    code, draws = gan.encode(image), gan.draw(label)

    def said() -> tuple[float, float]:
        prior = tf.reduce_mean(gan.code_critic(draws.prior_code))
        return float(prior), float(tf.reduce_mean(gan.code_critic(code)))

    before = said()
    for _ in range(30):
        gan.update_code_critic(code, draws)
    after = said()
    assert after[0] > before[0] and after[0] > 0  # logits: above 0 is `from the prior`
    assert after[1] < before[1] and after[1] < 0


def test_the_image_critic_learns_to_give_real_faces_the_higher_number():
    model = build("learning_rate=0.001")
    gan, (image, _, label) = model.fesgan, routing.batch(model.config)
    draws = gan.draw(label)
    translated = gan.translate(image, label, gan.encode(image), draws)

    def lead() -> float:
        real, fake = gan.image_critic.realness(image), gan.image_critic.realness(translated)
        return float(tf.reduce_mean(real) - tf.reduce_mean(fake))

    before = lead()
    for _ in range(30):
        gan.update_image_critic(image, translated, label, draws)
    assert lead() > before and lead() > 0


@pytest.mark.parametrize("stage", [1, 2])
def test_the_face_network_gets_0_to_1_wherever_a_step_shows_it_a_face(stage, monkeypatch):
    shown = []
    trunk = LightCNN.trunk
    monkeypatch.setattr(
        LightCNN, "trunk", lambda self, image: (shown.append(image), trunk(self, image))[1]
    )
    model = build("image_size=64")  # the demo network's own size, so that nothing is resized
    image, positive, _ = batch = routing.batch(model.config)
    shown.clear()
    (model.fesgan if stage == 1 else model).train_step(batch)
    assert len(shown) == (2 if stage == 1 else 4)  # x, x_rec; x, x^{p,r}, x^{p,f}, x_rec
    for each in shown:
        assert float(tf.reduce_min(each)) >= 0 and float(tf.reduce_max(each)) <= 1
    np.testing.assert_allclose(shown[0], (image + 1) / 2, atol=1e-6)
    assert float(tf.reduce_min(shown[0])) < 0.01 and float(tf.reduce_max(shown[0])) > 0.99
    if stage == 2:
        np.testing.assert_allclose(shown[1], (positive + 1) / 2, atol=1e-6)


def test_evaluation_draws_no_face(opened_run, monkeypatch):
    """Synthetic images must not count in the test accuracy."""

    def refuse(*_: object) -> None:
        raise AssertionError("a face was drawn")

    fold = evaluate.load_data(opened_run)
    monkeypatch.setattr(FESGAN, "decode", refuse)
    result = evaluate.evaluate(opened_run, fold.test)
    assert result["total"] == len(fold.test) == len({row["key"] for row in result["predictions"]})
    assert set(fold.test.keys) == {row["key"] for row in result["predictions"]}
