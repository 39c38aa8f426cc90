"""The settings of FESGAN beyond the paper: each against values worked out by hand."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from fesr_tf import config, runs
from fesr_tf.data import batches
from fesr_tf.export import main as export
from fesr_tf.model import critic_augmentation, losses
from fesr_tf.model.details import keep_details
from fesr_tf.model.expression_codes import Draws, draw, expression_code
from fesr_tf.model.frozen_features import cache_place, cached_bytes, frozen_features
from fesr_tf.networks.code_prior import CodePrior
from fesr_tf.networks.face_networks import load_face_network
from fesr_tf.synthesize import main as synthesize
from fesr_tf.train import main as train
from pipelines.common.errors import BadUse
from tests.fesr_tf.model.test_beyond_paper import STILL, checkpoint_values, settings, some
from tests.fesr_tf.model.test_fesr import batch, build

ALL = (
    *("penalty_patches=mean", "upsampling=resize", "lambda_map=0.5", "own_intensity=data"),
    *("generator_norm=layer", "details=0.2", "prior=fitted"),
    *("style_size=8", "critic_augmentation=light", "generator_augmentation=standard"),
    "synthetic_weight=critic",
)


def test_penalty_on_the_mean_of_patches():
    """Patches 3 x and 4 x of one pixel x: a slope of 3.5, so (3.5 - 1)^2; of the sum (7 - 1)^2."""
    weights = tf.constant([3.0, 4.0], shape=(1, 1, 2, 1))
    images = tf.random.stateless_normal((2, 3, 1, 1, 1), (1, 0))
    penalty = losses.gradient_penalty(lambda x: x * weights, *images, [0, 0], patches="mean")
    assert float(penalty) == pytest.approx(6.25, rel=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("stage", [1, 2])
def test_the_loss_of_trunk_maps_enters_l_g_with_its_weight(stage, reduction):
    overrides = STILL, f"l1_reduction={reduction}"
    plain, model = build("FESR_JL", *overrides), build("FESR_JL", *overrides, "lambda_map=2")
    (image, _, label), gan = batch(), model.fesgan
    reconstructed = gan.reconstruct(gan.encode(image), label, gan.draw(label))
    x, x_rec = (model.face_network.trunk(each).numpy() for each in (image, reconstructed))
    wanted = np.abs(x - x_rec).mean() if reduction == "mean" else np.abs(x - x_rec).sum() / 3
    before, after = (
        (each.fesgan if stage == 1 else each).train_step(batch()) for each in (plain, model)
    )
    assert float(after["L_map"]) == pytest.approx(wanted, rel=1e-4)
    assert float(after["L_G"] - before["L_G"]) == pytest.approx(2 * wanted, rel=1e-3)


@pytest.mark.parametrize(
    ("overrides", "tables"),
    [
        ((), 1),
        (("augmentation=flip",), 2),  # R reads another orientation than F_id, of the same table
        (("augmentation=standard",), 1),  # F_id's alone
        (("trunk=light_cnn_photo",), 1),
        (("trunk_learning_rate=1e-4", "lambda3=0"), 1),
    ],
)
def test_cached_maps_are_f_ids_of_the_image_that_fesgan_sees(faces, demo, overrides, tables):
    chosen = settings("lambda_map=1", *overrides)
    other = load_face_network("light_cnn_photo") if chosen.trunk else None
    frozen = frozen_features(demo, faces, chosen, progress=False, trunk_network=other)
    for cached, _ in some(faces, "lambda_map=1", *overrides, frozen=frozen):
        np.testing.assert_allclose(cached[3]["identity_map"], demo.trunk(cached[0]), atol=1e-4)
    assert (frozen.identity_maps is frozen.maps) == (overrides in ((), ("augmentation=flip",)))
    embedding = 128 * bool(chosen.lambda3)
    size = tables * (8 * 8 * 48 + embedding) + 8 * 8 * 80 * bool(chosen.trunk)
    assert cached_bytes(demo, chosen, 8, other) == 8 * 4 * size


def test_a_step_with_cached_maps_is_that_without(faces, demo):
    plain = build("FESR_JL", "batch_size=4", "lambda_map=1", "passes=separate")
    frozen = frozen_features(demo, faces, plain.config, progress=False)
    logs = []
    for known in (None, frozen):
        model = build("FESR_JL", "batch_size=4", "lambda_map=1", "passes=separate")
        step = tf.function(model.train_step, autograph=False)
        logs.append(step(next(iter(batches(faces, model.config, frozen=known)))))
    assert logs[0].keys() == logs[1].keys()
    for name, value in logs[0].items():
        assert float(value) == pytest.approx(float(logs[1][name]), rel=1e-5), name


def test_the_own_class_has_the_datas_intensity_in_x_rec():
    """Classes 1 and 0 of three at 0.25 and 1: the own entry, the others as drawn."""
    label = tf.constant([1, 0])
    drawn = draw(label, 3, 4, 0, tf.constant(0))
    given = drawn.with_own(label, tf.constant([0.25, 1.0]))
    first, second = drawn.own_intensity.numpy()
    found = expression_code(label, given.own_intensity, 3)
    wanted = [[-first[0], 0.25, -first[2]], [1.0, -second[1], -second[2]]]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    for name in set(Draws._fields) - {"own_intensity"}:
        np.testing.assert_array_equal(getattr(given, name), getattr(drawn, name))


def test_a_batch_carries_its_images_intensities(faces):
    """Those of the sequence of one class; of the other, none of which is above 0, 1."""
    intensity = np.array([0.1, 0.5, 1, 0.7, 0.2, 1, 0, 0], np.float32)
    changed = dataclasses.replace(faces, intensity=intensity)
    for recognizer in (True, False):
        chosen = batches(changed, settings("own_intensity=data"), recognizer=recognizer)
        for (image, _, _, more), (_, rows) in zip(chosen.take(6), some(faces), strict=True):
            np.testing.assert_array_equal(image, faces.floats(rows))
            np.testing.assert_array_equal(more["intensity"], np.where(rows > 5, 1, intensity[rows]))


@pytest.mark.parametrize("stage", [1, 2])
def test_a_step_reconstructs_with_the_datas_intensity(stage):
    """L_rec as with every v of the own class at the batch's 0.5, and no other loss changes."""
    (image, positive, label), more = batch(), {"intensity": tf.fill([3], 0.5)}
    model, plain = (build("FESR_JL", STILL, f"own_intensity={each}") for each in ("data", "drawn"))
    draws = plain.fesgan.draw(label).with_own(label, more["intensity"])
    reconstructed = plain.fesgan.reconstruct(plain.fesgan.encode(image), label, draws)
    wanted = losses.l1(image, reconstructed)
    found, drawn = (
        (each.fesgan if stage == 1 else each).train_step((image, positive, label, more))
        for each in (model, plain)
    )
    assert float(found["L_rec"]) == pytest.approx(float(wanted), rel=1e-5)
    changed = {name for name in drawn if "/" not in name and drawn[name] != found[name]}
    assert changed == {"L_rec", "L_id", "L_G"}
    with pytest.raises(BadUse, match="own_intensity"):
        model.fesgan.train_step((image, positive, label))


def test_translation_takes_the_style_from_z_and_reconstruction_from_the_face():
    """The last 8 of 64 entries; in FESR_Real x^{p,f}, too, is a translation."""
    model = build(
        "FESR_Real", "style_size=8", "critic_augmentation=light", "generator_augmentation=standard"
    )
    (image, _, label), gan = batch(), model.fesgan
    draws, decoded = gan.draw(label), []
    face_code = gan.encode(image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan, "decode", lambda code, _: decoded.append(code.numpy()))
        gan.translate(image, label, face_code, draws)
        gan.reconstruct(face_code, label, draws)
        model.synthesize(image, face_code, label, draws)
    g, z = face_code.numpy(), draws.prior_code.numpy()
    styled = np.concatenate([g[:, :56], z[:, 56:]], 1)
    for found, wanted in zip(decoded, (styled, g, styled), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_detail_of_an_image_stays_where_the_expression_changes_little():
    """64 pixels, d a mean over 5 x 5: to column 20 nothing changes, from column 26 all does."""
    image, own = (tf.random.stateless_uniform((2, 64, 64, 1), (s, 1), -0.5, 0.5) for s in (0, 1))
    drawn = own + tf.cast(tf.range(64) >= 24, tf.float32)[:, tf.newaxis] * 0.4
    found = keep_details(image, own, drawn, 0.2).numpy()
    x, r, t = image.numpy(), own.numpy(), drawn.numpy()
    np.testing.assert_allclose(found[:, :, :22], x[:, :, :22], atol=1e-6)
    np.testing.assert_allclose(
        found[:, :, 26:], (t + np.exp(-4) * (x - r))[:, :, 26:].clip(-1, 1), atol=1e-5
    )
    # At column 23 two of five columns of the square change by 0.4.
    weight = np.exp(-((0.16 / 0.2) ** 2))
    np.testing.assert_allclose(found[:, :, 23], (t + weight * (x - r))[:, :, 23], atol=1e-5)


@pytest.mark.parametrize("variant", ["FESR_JL", "FESR_Real"])
def test_a_translated_face_keeps_the_detail_in_training_and_use(variant):
    """In training r is x_rec; in use its class is that of D_img's head, at v = 1."""
    model = build(variant, STILL, "details=0.3", "penalty_weight=0")
    (image, positive, label), gan = batch(), model.fesgan
    draws, face_code = gan.draw(label), gan.encode(image)
    x_rec = gan.reconstruct(face_code, label, draws)
    code = expression_code(draws.target_label, draws.target_intensity, gan.num_classes)
    wanted = keep_details(image, x_rec, gan.decode(face_code, code), 0.3)
    np.testing.assert_array_equal(gan.translate(image, label, face_code, draws), wanted)
    on_real, on_fake = gan.image_critic.realness(image), gan.image_critic.realness(wanted)
    logs = model.train_step((image, positive, label))
    adversarial = losses.critic_adversarial_image(on_real, on_fake)
    assert float(logs["L_advd_img"]) == pytest.approx(float(adversarial), rel=1e-4, abs=1e-6)

    named = gan.image_critic(image)[1].numpy().argmax(1)
    own = gan.decode(face_code, expression_code(tf.constant(named), 1.0, gan.num_classes))
    wanted = keep_details(image, own, gan.decode(face_code, code), 0.3)
    np.testing.assert_allclose(gan((image, code)), wanted, atol=1e-5)
    synthetic, labels = model.synthesize(image, face_code, label, draws)
    code = expression_code(labels, draws.synthetic_intensity, gan.num_classes)
    if variant == "FESR_Real":
        wanted = keep_details(image, x_rec, gan.decode(face_code, code), 0.3)
    else:
        wanted = gan.decode(draws.prior_code, code)
    np.testing.assert_array_equal(synthetic, wanted)


def test_the_fitted_prior_by_scipy():
    """Averages by hand from those of U(-1, 1); z of the quantiles of a normal."""
    prior, random = CodePrior(3), np.random.default_rng(0)
    mean, square = np.zeros(3), np.eye(3) / 3
    for codes in random.uniform(-0.5, 1, (4, 5, 3)).astype(np.float32):
        prior.update(tf.constant(codes))
        mean = 0.999 * mean + 0.001 * codes.mean(0)
        square = 0.999 * square + 0.001 * codes.T @ codes / 5
    np.testing.assert_allclose(prior.mean, mean, atol=1e-6)
    np.testing.assert_allclose(prior.square, square, atol=1e-6)
    z = random.uniform(-1, 1, (50, 3))
    factor = np.linalg.cholesky(square - np.outer(mean, mean) + 1e-4 * np.eye(3))
    wanted = (mean + stats.norm.ppf((z + 1) / 2) @ factor.T).clip(-1, 1)
    np.testing.assert_allclose(prior(tf.constant(z, tf.float32)), wanted, atol=1e-4)
    assert np.isfinite(prior(tf.constant([[-1.0, 1.0, 0.0]]))).all()


def test_new_faces_of_a_fitted_prior_have_the_mean_and_covariance_of_codes():
    prior = CodePrior(2)
    mean, square = np.array([0.2, -0.1]), np.array([[0.12, 0.0], [0.0, 0.05]])
    prior.mean.assign(mean)
    prior.square.assign(square)
    codes = prior(tf.random.stateless_uniform((100_000, 2), (0, 1), -1.0, 1.0)).numpy()
    np.testing.assert_allclose(codes.mean(0), mean, atol=3e-3)
    np.testing.assert_allclose(np.cov(codes.T), square - np.outer(mean, mean), atol=2e-3)


@pytest.mark.parametrize("stage", [1, 2])
def test_each_step_moves_the_fitted_prior_and_r_reads_its_faces(stage):
    model = build("FESR_JL", STILL, "prior=fitted")
    (image, positive, label), gan = batch(), model.fesgan
    codes, draws = gan.encode(image).numpy(), gan.draw(label)
    synthetic, _ = model.synthesize(image, gan.encode(image), label, draws)
    code = expression_code(label, draws.synthetic_intensity, gan.num_classes)
    np.testing.assert_array_equal(synthetic, gan.decode(gan.prior(draws.prior_code), code))
    assert not np.allclose(gan.prior(draws.prior_code), draws.prior_code, atol=0.01)
    (gan if stage == 1 else model).train_step((image, positive, label))
    np.testing.assert_allclose(gan.prior.mean, 0.001 * codes.mean(0), atol=1e-6)
    wanted = 0.999 * np.eye(gan.config.code_size) / 3 + 0.001 * codes.T @ codes / 3
    np.testing.assert_allclose(gan.prior.square, wanted, atol=1e-6)


def numpy_augment(image: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """`critic_augmentation.augment` of one image (S,S,c), by loops."""
    side = len(image)
    brightness, contrast, down, right, top, left = draws
    image = image + brightness - 0.5
    image = image.mean() + (contrast + 0.5) * (image - image.mean())
    shifts = [int(draw * (2 * (side // 8) + 1)) - side // 8 for draw in (down, right)]
    out = np.zeros_like(image)
    for i, j in np.ndindex(side, side):
        source = i + shifts[0], j + shifts[1]
        far = max(abs(i + 0.5 - side * top), abs(j + 0.5 - side * left))
        if all(0 <= each < side for each in source) and far >= side / 8:
            out[i, j] = image[source]
    return out


@pytest.mark.parametrize("channels", [1, 3])
def test_what_the_critic_sees_by_loops(channels):
    images = tf.random.stateless_uniform((5, 16, 16, channels), (0, 1), -1.0, 1.0)
    draws = tf.random.stateless_uniform((5, 6), (3, 4)).numpy()
    wanted = [numpy_augment(image, row) for image, row in zip(images.numpy(), draws, strict=True)]
    found = critic_augmentation.augment(images, [3, 4])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert len(np.unique(np.floor(5 * draws[:, 2:4]))) > 2


def test_the_critics_changes_pass_their_gradient_on():
    """Every pixel that is neither shifted away nor covered, by its contrast less the mean's."""
    with tf.GradientTape() as tape:
        image = tf.Variable(tf.zeros((1, 16, 16, 1)))
        first = critic_augmentation.augment(image, [0, 1])[0, 2, 3, 0]
    gradient = tape.gradient(first, image).numpy()[0, ..., 0]
    contrast = tf.random.stateless_uniform((1, 6), [0, 1])[0, 1].numpy() + 0.5
    source = np.unravel_index(np.argmax(gradient), (16, 16))
    wanted = np.full((16, 16), (1 - contrast) / 256)
    wanted[source] += contrast
    np.testing.assert_allclose(gradient, wanted, atol=1e-6)


def test_both_updates_see_changed_images_and_the_class_head_too():
    model = build("FESR_JL", STILL, "critic_augmentation=light", "penalty_weight=0")
    (image, positive, label), gan = batch(), model.fesgan
    draws = gan.draw(label)
    translated = gan.translate(image, label, gan.encode(image), draws)
    seeds = tf.unstack(draws.augmentation_seeds)
    real, fake, again = (
        gan.image_critic(critic_augmentation.augment(each, seed))
        for each, seed in zip((image, translated, translated), seeds, strict=True)
    )
    logs = gan.train_step((image, positive, label))
    wanted = {
        "L_advd_img": losses.critic_adversarial_image(real[0], fake[0]),
        "L_cls_D_r": losses.classification(label, real[1]),
        "L_advg_img": losses.generator_adversarial_image(again[0]),
        "L_cls_D_f": losses.classification(draws.target_label, again[1]),
    }
    for name, value in wanted.items():
        assert float(logs[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("kind", ["flip", "standard"])
def test_generator_augmentation_changes_what_fesgan_sees_and_not_what_r_sees(faces, kind):
    override = f"generator_augmentation={kind}"
    mirrored = []
    made = batches(faces, settings(override)).take(6)
    for (image, positive, label, more), (plain, _) in zip(made, some(faces), strict=True):
        np.testing.assert_array_equal(more["recognizer_image"], plain[0])
        np.testing.assert_array_equal(positive, plain[1])
        np.testing.assert_array_equal(label, plain[2])
        same = (image == plain[0]).numpy().all((1, 2, 3))
        if kind == "flip":
            mirrored += (~same).tolist()
            assert (same | (image == plain[0][:, :, ::-1]).numpy().all((1, 2, 3))).all()
        else:
            assert not same.any() and image.shape == plain[0].shape
    assert kind == "standard" or 5 < sum(mirrored) < 19
    # Stage 1 sees the same, and BASELINE, which has no FESGAN, the originals alone.
    first = next(iter(batches(faces, settings(override), recognizer=False)))
    np.testing.assert_array_equal(first[0], next(iter(made))[0])
    assert len(first) == 3
    alone = config.resolve("demo", "BASELINE", ["image_size=32", "batch_size=4", override])
    assert len(next(iter(batches(faces, alone)))) == 3


@pytest.mark.parametrize("kind", ["flip", "standard"])
@pytest.mark.parametrize("own", ["none", "flip"])
def test_the_cache_serves_f_id_of_the_changed_image_or_not_at_all(faces, demo, kind, own):
    overrides = (f"generator_augmentation={kind}", f"augmentation={own}", "lambda_map=1")
    chosen = settings(*overrides)
    frozen = frozen_features(demo, faces, chosen, progress=False)
    uncached = batches(faces, chosen).take(6)
    for cached, plain in zip(batches(faces, chosen, frozen=frozen).take(6), uncached, strict=True):
        image, _, _, more = cached
        np.testing.assert_array_equal(image, plain[0])
        np.testing.assert_allclose(more["map"], demo.trunk(plain[3]["recognizer_image"]), atol=1e-4)
        if kind == "standard":
            assert more.keys() == {"map", "positive_map"}
        else:
            np.testing.assert_allclose(more["identity"], demo.embed(image), atol=1e-4)
            np.testing.assert_allclose(more["identity_map"], demo.trunk(image), atol=1e-4)
    place = cache_place(demo, chosen, 8)
    assert (kind == "standard") == ("generator_augmentation=standard" in place)


def test_f_id_reads_the_changed_image_where_r_has_the_map_of_another():
    """L_id and L_map of a batch with R's cached map alone."""
    (image, positive, label), other = batch(), batch(5)[0]
    model = build("FESR_JL", STILL, "generator_augmentation=standard", "lambda_map=1")
    network, gan = model.face_network, model.fesgan
    more = {"map": network.trunk(other), "positive_map": network.trunk(positive)}
    reconstructed = gan.reconstruct(gan.encode(image), label, gan.draw(label))
    wanted = {
        "L_id": losses.l1(network.embed(image), network.embed(reconstructed)),
        "L_map": losses.l1(network.trunk(image), network.trunk(reconstructed)),
    }
    logs = model.train_step((image, positive, label, more))
    for name, value in wanted.items():
        assert float(logs[name]) == pytest.approx(float(value), rel=1e-4), name


def test_synthetic_images_count_by_the_critics_probability():
    """L_cls,R^f of R before its update; that which guides G is of images alike."""
    model = build("FESR_JL", STILL, "synthetic_weight=critic")
    (image, _, label), gan = batch(), model.fesgan
    head = gan.image_critic.class_logits.kernel
    head.assign(300 * head)  # at first every class is about as probable
    draws = gan.draw(label)
    synthetic, _ = model.synthesize(image, gan.encode(image), label, draws)
    shares = tf.nn.softmax(gan.image_critic(synthetic)[1]).numpy()[range(3), label]
    recognizer = model.recognizer
    features = recognizer.extract(model.frozen.trunk(synthetic))
    cross_entropies = {}
    for stream in (2, 3):
        logits = recognizer.classify(recognizer.drop(features, draws.dropout_seeds[stream]))
        every = tf.nn.log_softmax(logits).numpy()
        cross_entropies[stream] = -every[range(3), label]
    logs = model.train_step(batch())
    weights = shares / shares.mean()
    assert weights.max() > 1.2
    weighted = np.mean(weights * cross_entropies[2])
    assert float(logs["L_cls_R_f"]) == pytest.approx(weighted, rel=1e-4)
    assert float(logs["L_cls_R_f_to_G"]) == pytest.approx(cross_entropies[3].mean(), rel=1e-4)


def test_weights_of_a_classification_by_hand():
    """Probabilities 1/2 and 1/4 of the labels, of weights 3/2 and 1/2."""
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    loss = losses.classification(tf.constant([0, 2]), logits, tf.constant([1.5, 0.5]))
    assert float(loss) == pytest.approx((1.5 * np.log(2) + 0.5 * np.log(4)) / 2)


@pytest.mark.parametrize("missing", ["image_critic=false", "auxiliary_classifier=false"])
@pytest.mark.parametrize("override", ["synthetic_weight=critic", "details=0.2"])
def test_what_asks_the_critic_for_a_class_needs_its_class_head(override, missing):
    with pytest.raises(BadUse, match=override):
        settings(override, missing)
    assert config.resolve("demo", "BASELINE", [override, missing])


def test_a_run_with_all_resumes_to_the_same_bits_and_is_exported(
    demo_data, tiny_settings, tmp_path
):
    words = ["--db", "demo", "--data", str(demo_data), *tiny_settings, *ALL, "checkpoint_every=1"]
    words.append("keep_checkpoints=4")
    assert train([*words, "--runs", str(tmp_path / "whole")]) == 0
    folder = runs.run_folder(tmp_path / "whole", "demo", "FESR_JL", 0)
    values = checkpoint_values(folder)
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    stopped = runs.run_folder(tmp_path / "stopped", "demo", "FESR_JL", 0)
    for step in (2, 3, 4):  # from the middle of stage 1
        shutil.rmtree(stopped / f"checkpoints/step-{step:06d}")
    assert train([*words, "--runs", str(tmp_path / "stopped")]) == 0
    again = checkpoint_values(stopped)
    assert again.keys() == values.keys() and len(values) > 100
    for name, value in values.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)

    assert export(["--run", str(folder), "--name", "m", "--models", str(tmp_path / "m")]) == 0
    assert synthesize([str(folder), "--output", str(tmp_path / "sheets")]) == 0
    settings = stopped / "config.yaml"
    settings.write_text(
        settings.read_text().replace("upsampling: resize", "upsampling: transposed")
    )
    with pytest.raises(BadUse, match="upsampling"):
        runs.open_run(stopped)
