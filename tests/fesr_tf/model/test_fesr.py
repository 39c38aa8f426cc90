"""Both train steps: who is moved by what, in which order, repeatably.

The sums of equations 22 to 26 are in `test_goldens_steps.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config
from fesr_tf.model import fesr
from fesr_tf.networks.face_networks import load_face_network

CLASSES = 4
TINY = ["image_size=32", "width=0.0625", "batch_size=3", "dropout=0.5"]


def build(variant: str = "FESR_JL", *overrides: str) -> fesr.FESR:
    settings = config.resolve("demo", variant, [*TINY, *overrides])
    return fesr.build(settings, CLASSES, load_face_network("light_cnn_demo", random_seed=0))


def batch(seed: int = 0) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    images = tf.random.stateless_uniform((2, 3, 32, 32, 1), (seed, 1), -1.0, 1.0)
    return images[0], images[1], tf.constant([0, 2, 3])


def snapshot(model: fesr.FESR) -> dict[str, list[np.ndarray]]:
    gan, recognizer = model.fesgan, model.recognizer
    networks = {
        "G_enc": gan.encoder.trainable_variables,
        "G_dec": gan.decoder.trainable_variables,
        "D_img": gan.image_critic.trainable_variables,
        "D_z": gan.code_critic.trainable_variables,
        "R": recognizer.trained_variables,
        "F_id": model.face_network.variables,
    }
    return {name: [v.numpy() for v in variables] for name, variables in networks.items()}


def moved(model: fesr.FESR, step) -> set[str]:
    before = snapshot(model)
    step()
    after = snapshot(model)
    return {
        name
        for name, arrays in before.items()
        if any(not np.array_equal(*pair) for pair in zip(arrays, after[name], strict=True))
    }


@pytest.mark.parametrize(
    ("variant", "stage", "expected"),
    [
        ("FESR_JL", "fesgan", {"G_enc", "G_dec", "D_img", "D_z"}),
        ("FESR_JL", "fesr", {"G_enc", "G_dec", "D_img", "D_z", "R"}),
        ("BASELINE", "fesr", {"R"}),
        ("FG-Dimg", "fesgan", {"G_enc", "G_dec", "D_z"}),
        ("FG-Dz", "fesgan", {"G_enc", "G_dec", "D_img"}),
    ],
)
def test_each_stage_moves_its_networks_and_no_other(variant, stage, expected):
    model = build(variant)
    target = model.fesgan if stage == "fesgan" else model
    assert moved(model, lambda: target.train_step(batch())) == expected
    assert int(model.fesgan.step) == 1


def test_losses_are_reported_by_name():
    first = {"L_advd_z", "L_advd_img", "penalty", "L_cls_D_r", "L_D_img", "L_advg_img"}
    first |= {"L_cls_D_f", "L_advg_z", "L_rec", "L_id", "L_G"}
    second = {"L_dist_r", "L_dist_rf", "L_intra", "L_cls_R_r", "L_cls_R_f", "L_R"}
    model = build()

    def losses(logs):
        return {name for name in logs if not name.startswith("signals/")}

    assert losses(model.fesgan.train_step(batch())) == first
    assert losses(model.train_step(batch())) == first | second | {"L_cls_R_f_to_G"}


def test_the_recogniser_guides_the_generator_only_when_asked():
    """With every other term of L_G off, R's loss on synthetic faces alone moves the decoder."""
    off = ["lambda1=0", "lambda2=0", "lambda3=0", "image_critic=false", "code_critic=false"]
    model = build("FESR_JL", *off, "lambda4=1")
    assert moved(model, lambda: model.train_step(batch())) == {"G_dec", "R"}
    assert "L_cls_R_f_to_G" not in build("FESR_SL").train_step(batch())


def test_equal_seeds_repeat_to_the_bit():
    runs = []
    for _ in range(2):
        model = build()
        model.fesgan.train_step(batch())
        model.train_step(batch(1))
        runs.append(snapshot(model))
    for first, second in zip(runs[0].values(), runs[1].values(), strict=True):
        for pair in zip(first, second, strict=True):
            np.testing.assert_array_equal(*pair)


def test_gradients_reach_the_picture_through_both_uses_of_the_face_network():
    model = build()
    image = tf.Variable(batch()[0])
    with tf.GradientTape(persistent=True) as tape:
        identity = tf.reduce_sum(model.face_network.embed(image))
        logits = tf.reduce_sum(model(image)[:, 0])
    for loss in (identity, logits):
        assert np.abs(tape.gradient(loss, image)).max() > 0


@pytest.mark.slow
def test_compile_and_fit_are_the_way_in():
    """As in docs/guide/notebook.md, which tests/fesr_tf/training/test_notebook.py runs."""
    model = build()
    data = tf.data.Dataset.from_tensors(batch()).repeat()
    history = model.fesgan.fit(data, steps_per_epoch=2, epochs=2, verbose=0).history
    assert len(history["L_rec"]) == 2
    assert np.isfinite(model.fit(data, steps_per_epoch=2, verbose=0).history["L_R"]).all()
    assert int(model.fesgan.step) == 6
