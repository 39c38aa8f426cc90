"""Algorithm 1 by values: what is drawn, in which order networks move, when stage 2 begins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from fesr_tf import config, runs
from fesr_tf.data import Faces, batches
from fesr_tf.model import fesr, losses
from fesr_tf.model.expression_codes import draw
from tests.support import routing
from tests.support.recorded_step import FLOWS, NONE, ZERO, networks, record

# The tests are repeatable: a p-value this small is no bad luck but another distribution.
UNLIKELY = 1e-4


def build(*overrides: str) -> fesr.FESR:
    settings = config.resolve("ckplus", overrides=[*routing.SMALL, *overrides])
    return routing.build(settings)


def value(number: tf.Tensor) -> float:
    return float(number)


@pytest.fixture(scope="module")
def twins():
    """A model, its twin after one step of stage 2 with a large step size, and its record."""
    before, after = (build("learning_rate=0.01") for _ in range(2))
    batch = routing.batch(before.config)
    return before, after, record(after, 2, batch), batch


# --- the order of the updates -----------------------------------------------------------


def test_the_generator_sees_the_code_critic_after_its_update(twins):
    before, after, made, (image, _, _) = twins
    code = before.fesgan.encode(image)
    seen, stale = (
        losses.generator_adversarial_code(model.fesgan.code_critic(code))
        for model in (after, before)
    )
    assert value(made.logs["L_advg_z"]) == pytest.approx(value(seen), rel=1e-5)
    assert value(made.logs["L_advg_z"]) != pytest.approx(value(stale), rel=1e-3)


def test_the_generator_sees_the_image_critic_after_its_update(twins):
    before, after, made, (image, _, label) = twins
    gan = before.fesgan
    draws = gan.draw(label)
    translated = gan.translate(image, label, gan.encode(image), draws)
    for model, near in ((after, True), (before, False)):
        realness, logits = model.fesgan.image_critic(translated)
        wanted = value(losses.generator_adversarial_image(realness))
        assert (value(made.logs["L_advg_img"]) == pytest.approx(wanted, rel=1e-3)) == near
        wanted = value(losses.classification(draws.target_label, logits))
        assert (value(made.logs["L_cls_D_f"]) == pytest.approx(wanted, rel=1e-3)) == near


def test_the_generator_sees_the_recogniser_after_its_update(twins):
    before, after, made, (image, _, label) = twins
    gan = before.fesgan
    draws = gan.draw(label)
    synthetic, labels = before.synthesize(image, gan.encode(image), label, draws)
    feature_map = before.face_network.trunk(synthetic)
    seen, stale = (
        model.classify_synthetic(feature_map, labels, draws.dropout_seeds[3])
        for model in (after, before)
    )
    assert value(made.logs["L_cls_R_f_to_G"]) == pytest.approx(value(seen), rel=1e-4)
    assert value(made.logs["L_cls_R_f_to_G"]) != pytest.approx(value(stale), rel=1e-3)


def test_the_critics_and_the_recogniser_see_the_generator_before_its_update(twins):
    before, _, made, (image, _, label) = twins
    gan = before.fesgan
    draws = gan.draw(label)
    code = gan.encode(image)
    wanted = losses.critic_adversarial_code(
        gan.code_critic(draws.prior_code), gan.code_critic(code)
    )
    assert value(made.logs["L_advd_z"]) == pytest.approx(value(wanted), rel=1e-5)
    critic = gan.image_critic
    translated = gan.translate(image, label, code, draws)
    wanted = losses.critic_adversarial_image(critic.realness(image), critic.realness(translated))
    assert value(made.logs["L_advd_img"]) == pytest.approx(value(wanted), rel=1e-4, abs=1e-6)
    synthetic = gan.decode(draws.prior_code, made.expressions[2])
    np.testing.assert_array_equal(made.seen["x^{p,f}"][0], synthetic)
    wanted = losses.l1(image, gan.reconstruct(code, label, draws))
    assert value(made.logs["L_rec"]) == pytest.approx(value(wanted), rel=1e-5)


# --- what is drawn when -----------------------------------------------------------------


@pytest.mark.parametrize("stage", [1, 2])
def test_one_draw_a_step_and_a_v_of_its_own_for_each_use(stage):
    """u(y') in x_hat, u(y) in x_rec, u(y) in x^{p,f}: eq. 2 by hand, each with its own v."""
    model = build()
    made = record(model, stage, routing.batch(model.config))
    (draws,) = made.draws
    label = routing.batch(model.config)[2].numpy()
    uses = [
        (draws.target_label.numpy(), draws.target_intensity.numpy()),
        (label, draws.own_intensity.numpy()),
        (label, draws.synthetic_intensity.numpy()),
    ][: stage + 1]
    assert len(made.expressions) == len(uses)
    for code, (own, v) in zip(made.expressions, uses, strict=True):
        sign = np.where(np.arange(routing.CLASSES) == own[:, None], 1, -1)
        np.testing.assert_allclose(code, v * sign, rtol=1e-6)
        assert len(np.unique(np.abs(code))) == code.shape[0] * routing.CLASSES  # not one a face
    for first, second in itertools.combinations(made.expressions, 2):
        assert not np.any(np.abs(first) == np.abs(second))


def test_one_z_serves_the_code_critic_and_the_new_face(twins):
    made = twins[2]
    (z,) = made.seen["z"]
    rows = made.rows(networks(twins[1]))
    assert rows["L_advd_z"].reads["z"] == rows["L_cls_R_f"].reads["z"] == FLOWS
    again = twins[0].fesgan.code_critic(z), twins[0].fesgan.code_critic(made.seen["g(x)"][0])
    wanted = losses.critic_adversarial_code(*again)
    assert value(made.logs["L_advd_z"]) == pytest.approx(value(wanted), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 6, 7, 8])
def test_the_other_class_is_never_the_own_and_uniform_over_the_others(classes):
    """10,000 draws: 100 steps of 100 images, so that steps count as much as images."""
    label = np.arange(100) % classes
    shifts = [
        (draw(tf.constant(label, tf.int32), classes, 4, 3, tf.constant(t)).target_label - label)
        % classes
        for t in range(100)
    ]
    counts = np.bincount(np.concatenate(shifts), minlength=classes)
    assert counts[0] == 0 and counts.sum() == 10_000
    if classes > 2:
        assert stats.chisquare(counts[1:]).pvalue > UNLIKELY


def test_every_v_and_z_is_uniform_and_fresh_for_each_image_class_use_and_step():
    """10,000 images in 100 steps."""
    label = tf.zeros((100,), tf.int32)
    steps = [draw(label, 5, 3, 1, tf.constant(t)) for t in range(100)]
    v = np.stack(
        [
            np.concatenate([getattr(each, f"{use}_intensity") for each in steps])
            for use in ("own", "target", "synthetic")
        ]
    )
    z = np.concatenate([each.prior_code for each in steps])
    assert v.shape == (3, 10_000, 5) and z.shape == (10_000, 3)
    columns = [v[use, :, k] for use in range(3) for k in range(5)]
    columns += [(z[:, i] + 1) / 2 for i in range(3)]
    for column in columns:
        assert column.min() >= 0 and column.max() <= 1
        assert stats.kstest(column, "uniform").pvalue > UNLIKELY
        # From one image, and one step, to the next.
        for lag in (1, 100):
            assert stats.pearsonr(column[lag:], column[:-lag]).pvalue > UNLIKELY
    for first, second in itertools.combinations(columns, 2):
        assert stats.pearsonr(first, second).pvalue > UNLIKELY
        assert np.mean(first == second) < 1e-3


def test_fesr_real_draws_any_of_the_k_expressions():
    label = tf.constant(np.arange(10_000) % 7, tf.int32)
    drawn = draw(label, 7, 4, 0, tf.constant(0)).synthetic_label.numpy()
    assert stats.chisquare(np.bincount(drawn, minlength=7)).pvalue > UNLIKELY
    assert stats.chisquare(np.bincount((drawn - label.numpy()) % 7, minlength=7)).pvalue > UNLIKELY


def numbered(labels: list[int]) -> Faces:
    """Faces whose pixels are the row number."""
    count = len(labels)
    images = np.arange(count, dtype=np.uint8).repeat(4).reshape(count, 2, 2, 1)
    text = np.array([str(i) for i in range(count)])
    return Faces(images, np.array(labels, np.int32), text, text, np.ones(count, np.float32))


def test_10_000_positives_are_other_images_of_the_class_each_as_likely():
    labels = np.array([0] * 2 + [1] * 3 + [2] * 8 + [3])  # the last class has one image
    settings = config.resolve("demo", overrides=[f"batch_size={len(labels)}"])
    counts = np.zeros((len(labels), len(labels)), int)
    for image, positive, label in itertools.islice(batches(numbered(labels), settings), 720):
        own, other = (np.rint((x.numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int)
                      for x in (image, positive))  # fmt: skip
        np.testing.assert_array_equal(labels[own], label)
        counts[own, other] += 1
    assert counts.sum() > 10_000
    assert counts[-1, -1] == 720 and counts[-1].sum() == 720  # nobody else to draw
    for i, row in enumerate(counts[:-1]):
        same = labels == labels[i]
        assert row[~same].sum() == 0 and row[i] == 0
        others = row[same & (np.arange(len(labels)) != i)]
        assert len(others) == 1 or stats.chisquare(others).pvalue > UNLIKELY


@pytest.mark.parametrize("features", ["post_dropout", "shared_mask", "pre_dropout"])
def test_what_the_only_image_of_a_class_does_to_the_real_real_term(features):
    """It is its own x^{p,r}. Before dropout or under one mask that pair is at distance 0 and moves
    nothing. After dropout, the literal reading, two masks of one image are compared, and R moves a
    little."""
    model = build(f"intra_features={features}")
    image, _, label = routing.batch(model.config)
    row = (made := record(model, 2, (image, image, label))).rows(networks(model))["L_dist_r"]
    if features != "post_dropout":
        assert value(made.logs["L_dist_r"]) == pytest.approx(0, abs=2e-6)
        assert row.moves["R_ext"] == ZERO
    else:
        assert value(made.logs["L_dist_r"]) > 1e-3
        assert row.moves["R_ext"] == FLOWS
    assert row.moves["R_cls"] == NONE


# --- P_pre and P_max through the command ------------------------------------------------


def test_stage_2_begins_at_p_pre_within_one_run(tiny_run):
    """P_pre = 2 and P_max = 4: the recogniser's losses exist from iteration 3 on only."""
    steps: dict[str, list[int]] = {}
    for path in (tiny_run / "events").glob("events.out.*"):
        for record_ in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record_.numpy())
            for each in event.summary.value:
                steps.setdefault(each.tag.removeprefix("losses/"), []).append(event.step)
    for loss in ("L_advd_z", "L_D_img", "L_advg_img", "L_rec", "L_id", "L_G"):
        assert steps[loss] == [1, 2, 3, 4]
    for loss in ("L_R", "L_dist_r", "L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G"):
        assert steps[loss] == [3, 4]


def test_the_recogniser_is_untouched_when_stage_2_begins(tiny_run):
    info, settings = runs.read_info(tiny_run), config.load(tiny_run / "config.yaml")
    parts = [fesr.build(settings, len(info.classes)) for _ in range(3)]
    for model, step in zip(parts[1:], (2, 4), strict=True):
        path = str(tiny_run / "checkpoints" / f"step-{step:06d}" / "weights")
        tf.train.Checkpoint(model=model).read(path).assert_existing_objects_matched()
        assert int(model.fesgan.step) == step
    begun, middle, end = (
        [variable.numpy() for variable in model.recognizer.trained_variables] for model in parts
    )
    for first, second, third in zip(begun, middle, end, strict=True):
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(second, third)
    assert not np.array_equal(
        parts[0].fesgan.decoder.trainable_variables[0],
        parts[1].fesgan.decoder.trainable_variables[0],
    )
