"""Where the paper is silent there is a key: each changes what it should and nothing else."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config
from fesr_tf.data import Faces, batches
from fesr_tf.model import fesr
from pipelines.common.errors import BadUse
from tests.support import routing
from tests.support.naming import naming
from tests.support.recorded_step import record

# So small that no update changes a bit: a loss then differs by the key alone.
STILL = "learning_rate=1e-30"


def build(*overrides: str) -> fesr.FESR:
    return routing.build(config.resolve("ckplus", overrides=[*routing.SMALL, *overrides]))


@functools.cache
def step(*overrides: str) -> dict[str, float]:
    """Every loss of one step of stage 2."""
    model = build(STILL, *overrides)
    logs = model.train_step(routing.batch(model.config))
    return {name: float(value) for name, value in logs.items() if "/" not in name}


@pytest.fixture(scope="module")
def usual():
    return step()


INTRA = {"L_dist_r", "L_dist_rf", "L_intra", "L_R"}
ON_R = {*INTRA, "L_cls_R_r", "L_cls_R_f", "L_cls_R_f_to_G", "L_G"}
ON_X_HAT = {"L_advd_img", "penalty", "L_D_img", "L_advg_img", "L_cls_D_f", "L_G"}
ON_X_PF = {"L_dist_rf", "L_intra", "L_cls_R_f", "L_R", "L_cls_R_f_to_G"}


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("distance_squared=true", INTRA),
        ("intra_features=pre_dropout", INTRA),
        ("intra_features=shared_mask", INTRA),
        ("l1_reduction=sum", {"L_rec", "L_id", "L_G"}),
        ("penalty_weight=20", {"L_D_img"}),
        ("penalty_patches=mean", {"penalty", "L_D_img"}),
        ("lambda_map=1", {"L_G"}),
        ("style_size=8", ON_X_HAT),
        ("critic_augmentation=light", {*ON_X_HAT, "L_cls_D_r"}),
        ("critic_steps=2", {"penalty", "L_D_img"}),  # another alpha each time
        ("dropout=0.25", ON_R),
        ("intensity=one", {*ON_X_HAT, *ON_X_PF, "L_rec", "L_id"}),
        ("rdbp=false", set()),  # another gradient of the same value
    ],
)
def test_a_key_changes_these_losses_and_no_other(usual, override, changed):
    other = step(override)
    assert {name for name in usual if other[name] != usual[name]} == changed


def test_squared_distances_are_the_squares():
    """Of one image a batch, as the mean of squares is not the square of the mean."""
    plain, squared = (step("batch_size=1", f"distance_squared={yes}") for yes in ("no", "yes"))
    for loss in ("L_dist_r", "L_dist_rf"):
        assert squared[loss] == pytest.approx(plain[loss] ** 2, rel=1e-4)


def test_l1_sums_are_the_means_times_the_entries(usual):
    other = step("l1_reduction=sum")
    assert other["L_rec"] == pytest.approx(usual["L_rec"] * 32 * 32, rel=1e-4)
    features = build().face_network.embedding_size
    assert other["L_id"] == pytest.approx(usual["L_id"] * features, rel=1e-4)


def test_the_penalty_weight_multiplies_the_penalty(usual):
    other = step("penalty_weight=12")
    assert other["L_D_img"] - usual["L_D_img"] == pytest.approx(2 * usual["penalty"], rel=1e-3)
    without = step("penalty_weight=0")
    assert without["L_D_img"] == pytest.approx(usual["L_advd_img"] + usual["L_cls_D_r"], rel=1e-4)


@pytest.mark.parametrize("times", [1, 3])
def test_critic_steps_repeat_the_image_critic_alone(times):
    model = build(f"critic_steps={times}")
    model.train_step(routing.batch(model.config))
    gan = model.fesgan
    optimizers = (gan.image_critic_optimizer, gan.code_critic_optimizer,
                  gan.generator_optimizer, model.recognizer_optimizer)  # fmt: skip
    assert [int(each.iterations) for each in optimizers] == [times, 1, 1, 1]


def test_intensity_one_leaves_codes_of_the_class_alone():
    model = build("intensity=one")
    made = record(model, 2, routing.batch(model.config))
    label = made.draws[0].target_label.numpy()
    wanted = np.where(np.arange(routing.CLASSES) == label[:, None], 1.0, -1.0)
    np.testing.assert_array_equal(made.expressions[0], wanted)
    assert all(set(np.unique(code)) == {-1.0, 1.0} for code in made.expressions)


@functools.cache
def outputs(*overrides: str) -> dict[str, np.ndarray]:
    model = build(*overrides)
    image, code = routing.batch(model.config)[0], tf.linspace([-1.0] * 64, [1.0] * 64, 3)
    made = {
        "G_enc": model.fesgan.encode(image),
        "G_dec": model.fesgan.decode(code, tf.ones((3, routing.CLASSES))),
        "D_img": model.fesgan.image_critic.realness(image),
        "D_z": model.fesgan.code_critic(code),
        "R": model(image),
    }
    return {name: value.numpy() for name, value in made.items()}


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("leaky_slope=0.2", {"G_enc", "D_img", "D_z"}),  # G_dec and R have plain ReLU
        ("instance_norm_epsilon=0.1", {"G_enc", "G_dec"}),
        ("instance_norm_affine=true", set()),  # a scale of 1 and an offset of 0 at first
        ("upsampling=resize", {"G_dec"}),
        ("generator_norm=layer", {"G_enc", "G_dec"}),
        ("dropout=0.9", set()),  # nothing is dropped outside of training
    ],
)
def test_a_key_changes_these_networks_and_no_other(override, changed):
    usual, other = outputs(), outputs(override)
    found = {name for name in usual if not np.allclose(usual[name], other[name], atol=1e-7)}
    assert found == changed


def test_an_affine_instance_norm_adds_a_learned_scale_and_offset_a_channel():
    plain, affine = build(), build("instance_norm_affine=true")
    # 32 pixels: three layers of 64, 128, 256 channels in G_enc, of 512, 256, 128 in G_dec; a
    # sixteenth of each.
    for network, channels in (("encoder", (4, 8, 16)), ("decoder", (32, 16, 8))):
        first, second = (getattr(m.fesgan, network).trainable_variables for m in (plain, affine))
        count = [sum(int(np.prod(v.shape)) for v in variables) for variables in (first, second)]
        assert count[1] - count[0] == 2 * sum(channels)
        assert len(second) - len(first) == 2 * len(channels)
    made = record(affine, 1, routing.batch(affine.config))
    given = {id(variable): gradient for gradient, variable in made.given}
    vectors = [v for v in affine.fesgan.generator_variables if "gamma" in v.name]
    assert len(vectors) == 6 and all(np.any(given[id(v)].numpy()) for v in vectors)


def test_horizontal_flip_mirrors_x_and_its_positive_apart_and_nothing_else():
    count = 40
    images = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2, 1)
    text = np.array([str(i) for i in range(count)])
    faces = Faces(images, np.arange(count, dtype=np.int32) % 2, text, text, np.ones(count))
    plain, flipped = (
        list(itertools.islice(batches(faces, config.resolve(
            "demo", overrides=["batch_size=20", f"horizontal_flip={yes}"])), 10))
        for yes in ("false", "true")
    )  # fmt: skip
    mirrored = []
    for first, second in zip(plain, flipped, strict=True):
        np.testing.assert_array_equal(first[2], second[2])
        for before, after in zip(first[:2], second[:2], strict=True):
            before, after = before.numpy(), after.numpy()
            same = (before == after).all((1, 2, 3))
            assert (same | (before[:, :, ::-1] == after).all((1, 2, 3))).all()
            mirrored.append(~same)
    x, positive = np.concatenate(mirrored[::2]), np.concatenate(mirrored[1::2])
    assert 0.35 < x.mean() < 0.65 and 0.35 < positive.mean() < 0.65
    assert 0.35 < np.mean(x == positive) < 0.65


@pytest.mark.parametrize(
    ("text", "key", "wanted"),
    [
        ("learning_rate=1e-4", "learning_rate", 1e-4),
        ("learning_rate=1E-4", "learning_rate", 1e-4),
        ("learning_rate=.0001", "learning_rate", 1e-4),
        ("lambda2=10", "lambda2", 10.0),
        ("lambda2=+1.0e1", "lambda2", 10.0),
        ("max_iterations=1_000_000", "max_iterations", 1_000_000),
        ("rdbp=no", "rdbp", False),
        (" seed = 7 ", "seed", 7),
    ],
)
def test_ways_of_writing_a_value(text, key, wanted):
    found = getattr(config.resolve("demo", overrides=[text]), key)
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lambda2=1,5", ("lambda2", "number", "'1,5'")),
        ("lambda2=nan", ("lambda2", "number", "nan")),
        ("lambda2=true", ("lambda2", "number", "True")),
        ("lambda2=", ("lambda2", "number", "None")),
        ("batch_size=1e2", ("batch_size", "int", "'1e2'")),
        ("batch_size=16.0", ("batch_size", "int", 16.0)),
        ("rdbp=maybe", ("rdbp", "true", "false", "'maybe'")),
        ("intensity=1", ("intensity", "uniform", "one", 1)),
        ("intensity=two", ("intensity", "uniform", "one", "two")),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(text, values):
    with pytest.raises(BadUse, match=naming(*values)):
        config.resolve("demo", overrides=[text])
