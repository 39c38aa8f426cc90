"""The settings of R beyond the paper: each against values worked out by hand."""

from __future__ import annotations

import dataclasses
import itertools
import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config, runs
from fesr_tf.data import Faces, batches
from fesr_tf.evaluate import main as evaluate
from fesr_tf.export import main as export
from fesr_tf.model import losses
from fesr_tf.model.batch import require
from fesr_tf.model.frozen_features import cached_bytes, frozen_features
from fesr_tf.model.optimizers import adam, recognizer_adam
from fesr_tf.train import main as train
from pipelines.common.errors import BadUse
from tests.fesr_tf.model.test_fesr import batch, build, moved, snapshot

# So small that no update changes a bit.
STILL = "learning_rate=1e-30"
LOGITS = tf.constant([[0.0, 0.0, 0.0], [math.log(2), 0.0, 0.0]])
"""Probabilities 1/3, 1/3, 1/3 and 1/2, 1/4, 1/4."""


def settings(*overrides: str) -> config.Config:
    return config.resolve("demo", overrides=["image_size=32", "batch_size=4", *overrides])


def some(faces: Faces, *overrides: str, frozen=None, start: int = 0, count: int = 6) -> list[tuple]:
    """`count` batches of 4, and which image each row is."""
    made = itertools.islice(batches(faces, settings(*overrides), start, frozen), count)
    tables = faces.floats().numpy()
    both = np.concatenate([tables, tables[:, :, ::-1]])

    def rows(image: tf.Tensor) -> np.ndarray:
        found = (image.numpy()[:, None] == both).all((2, 3, 4))
        assert (found.sum(1) == 1).all()
        return found.argmax(1)

    return [(each, rows(each[0])) for each in made]


def test_loss_of_votes_by_hand():
    votes = tf.constant([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    loss = losses.soft_classification(losses.shares(None, 3, 0.0, votes), LOGITS)
    assert loss.numpy() == pytest.approx((math.log(3) + math.log(4)) / 2)
    none = tf.constant([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    assert losses.soft_classification(none, LOGITS).numpy() == pytest.approx(math.log(3) / 2)


def test_smoothed_and_weighted_loss_by_hand():
    target = losses.shares(tf.constant([1, 0]), 3, 0.3)
    np.testing.assert_allclose(target, [[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]], rtol=1e-6)
    loss = losses.soft_classification(target, LOGITS, tf.constant([0.5, 2.0]))
    second = 0.8 * math.log(2) + 0.2 * math.log(4)
    assert loss.numpy() == pytest.approx((0.5 * math.log(3) + 2 * second) / 2)


def test_labels_as_shares_give_the_papers_loss():
    label = tf.constant([2, 0])
    shares = losses.shares(label, 3, 0.0)
    first, second = losses.soft_classification(shares, LOGITS), losses.classification(label, LOGITS)
    assert first.numpy() == pytest.approx(second.numpy())


def test_a_batch_carries_its_images_votes_and_class_weights(faces):
    """Six images of one class and two of another, of three: 8 / (2 * 6) and 8 / (2 * 2)."""
    seen = {}
    for (*_, label, more), rows in some(faces, "targets=votes", "class_weights=balanced"):
        np.testing.assert_array_equal(more["votes"], faces.votes[rows])
        np.testing.assert_allclose(more["weight"], np.where(label == 0, 2 / 3, 2), rtol=1e-6)
        seen |= dict(zip(rows, more["weight"].numpy(), strict=True))
    assert np.mean(list(seen.values())) == pytest.approx(1) and len(seen) == 8


def test_balanced_batches_have_every_class_as_often(faces):
    """Six images of one class and two of another: a half each, and all eight occur."""
    seen = Counter()
    for (*_, label), rows in some(faces, "sampling=balanced", count=200):
        np.testing.assert_array_equal(faces.labels[rows], label)
        seen.update(rows.tolist())
    total, rare = sum(seen.values()), sum(seen[row] for row in np.flatnonzero(faces.labels == 2))
    assert len(seen) == 8
    # Four standard deviations of a fair coin.
    assert abs(rare / total - 0.5) < 2 / np.sqrt(total)


def test_votes_are_refused_where_the_data_have_none(faces):
    with pytest.raises(BadUse, match="votes"):
        batches(dataclasses.replace(faces, votes=None), settings("targets=votes"))
    # Stage 1 does not read them.
    unvoted = dataclasses.replace(faces, votes=None)
    assert batches(unvoted, settings("targets=votes"), recognizer=False)


@pytest.mark.parametrize(
    "override",
    [
        *("targets=votes", "class_weights=balanced", "augmentation=standard"),
        *("generator_augmentation=flip", "own_intensity=data"),
    ],
)
def test_a_dataset_of_ones_own_without_them_is_refused(override):
    with pytest.raises(BadUse, match=override):
        require({}, settings(override))
    require({}, settings())


@pytest.mark.parametrize("kind", ["flip", "standard"])
def test_augmentation_changes_what_r_sees_and_not_what_fesgan_sees(faces, kind):
    override = f"augmentation={kind}"
    plain, changed, later = some(faces), some(faces, override), some(faces, override, start=3)
    mirrored = []
    for (before, _), (after, _) in zip(plain, changed, strict=True):
        np.testing.assert_array_equal(before[0], after[0])
        np.testing.assert_array_equal(before[2], after[2])
        own, original = after[3]["recognizer_image"].numpy(), before[0].numpy()
        assert own.shape == (4, 32, 32, 1) and own.min() >= -1 and own.max() <= 1
        if kind == "flip":
            flips = (own == original[:, :, ::-1]).all((1, 2, 3))
            assert (flips | (own == original).all((1, 2, 3))).all()
            mirrored += flips.tolist()
        else:
            assert (own != original).any((1, 2, 3)).all()
    if kind == "flip":
        assert 5 < sum(mirrored) < 19
    # A batch is a function of the seed and the step.
    for (first, _), (again, _) in zip(changed[3:], later[:3], strict=True):
        np.testing.assert_array_equal(first[1], again[1])
        np.testing.assert_array_equal(first[3]["recognizer_image"], again[3]["recognizer_image"])


def test_the_cache_keeps_the_maps_of_both_orientations_for_flips(faces, demo):
    chosen = settings("augmentation=flip")
    frozen = frozen_features(demo, faces, chosen, progress=False)
    uncached = some(faces, "augmentation=flip")
    for (cached, _), (computed, _) in zip(
        some(faces, "augmentation=flip", frozen=frozen), uncached, strict=True
    ):
        own = computed[3]["recognizer_image"]
        np.testing.assert_allclose(cached[3]["map"], demo.trunk(own), atol=1e-4)
        np.testing.assert_allclose(cached[3]["positive_map"], demo.trunk(computed[1]), atol=1e-4)
        np.testing.assert_allclose(cached[3]["identity"], demo.embed(cached[0]), atol=1e-4)
    assert cached_bytes(demo, chosen, 8) == 2 * cached_bytes(demo, settings(), 8)


@pytest.mark.parametrize("override", ["augmentation=standard", "trunk_learning_rate=1e-4"])
def test_the_cache_holds_no_maps_that_change(faces, demo, override):
    frozen = frozen_features(demo, faces, settings(override), progress=False)
    assert frozen.maps is None and frozen.embeddings.shape == (8, 128)


def test_cosine_rate_by_hand():
    chosen = settings(
        "learning_rate_schedule=cosine", "pretrain_iterations=100", "max_iterations=104"
    )
    optimizer, variable = recognizer_adam(chosen, 0.2), tf.Variable(1.0)
    optimizer.build([variable])
    rates = []
    for _ in range(5):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
        rates.append(float(optimizer.learning_rate))
    half = 0.1 / math.sqrt(2)
    np.testing.assert_allclose(rates, [0.2, 0.1 + half, 0.1, 0.1 - half, 0.0], atol=1e-7)
    # Adam moves by its rate, whatever the gradient's size, while that stays the same.
    assert 1 - float(variable) == pytest.approx(sum(rates), rel=1e-5)


def test_moving_average_by_hand():
    """From 1 by two steps of 0.5: 0.9 (0.9 * 1 + 0.1 * 0.5) + 0.1 * 0."""
    optimizer, variable = adam(settings("ema=0.9"), 0.5, averages=True), tf.Variable(1.0)
    optimizer.build([variable])
    for _ in range(2):
        optimizer.apply_gradients([(tf.constant(3.0), variable)])
    assert float(variable) == pytest.approx(0, abs=1e-5)
    optimizer.finalize_variable_values([variable])
    assert float(variable) == pytest.approx(0.855, rel=1e-5)
    assert not adam(settings(), averages=True).use_ema


@pytest.mark.parametrize("variant", ["FESR_JL", "BASELINE"])
def test_a_trained_trunk_moves_by_adams_first_step_and_f_id_does_not(variant):
    model = build(variant, "trunk_learning_rate=1e-3")
    before = [each.numpy() for each in model.recognizer.trunk_variables]
    for own, other in zip(before, model.face_network.network.trunk_variables, strict=True):
        np.testing.assert_array_equal(own, other)
    found = moved(model, lambda: model.train_step(batch()))
    assert "F_id" in snapshot(model) and "F_id" not in found and "R" in found
    for old, new in zip(before, model.recognizer.trunk_variables, strict=True):
        assert np.abs(new.numpy() - old).max() == pytest.approx(1e-3, rel=0.02)


def test_the_generator_is_guided_by_the_updated_trunk():
    """With every other weight at rest, the loss on x^{p,f} before and after R's update."""
    model = build("FESR_JL", STILL, "trunk_learning_rate=1e-2")
    gan, (image, _, label) = model.fesgan, batch()
    draws = gan.draw(label)
    synthetic, _ = model.synthesize(image, gan.encode(image), label, draws)

    def loss(stream: int) -> float:
        seed = draws.dropout_seeds[stream]
        return float(model.classify_synthetic(model.frozen.trunk(synthetic), label, seed))

    before = loss(2), loss(3)
    logs = model.train_step(batch())
    assert float(logs["L_cls_R_f"]) == pytest.approx(before[0], rel=1e-4)
    assert float(logs["L_cls_R_f_to_G"]) == pytest.approx(loss(3), rel=1e-4)
    assert abs(loss(3) - before[1]) > 1e-3


ALL = (
    *("augmentation=standard", "learning_rate_schedule=cosine", "ema=0.9", "label_smoothing=0.1"),
    *("class_weights=balanced", "trunk_learning_rate=1e-3", "learning_rate=1e-3"),
)


def trained(home: Path, data: Path, words: list[str]) -> tuple[Path, dict[str, np.ndarray]]:
    """A BASELINE with all settings: its folder, and every value of its last checkpoint."""
    command = ["--db", "demo", "--data", data, "--runs", home, "--variant", "BASELINE", *words]
    assert train([str(word) for word in command]) == 0
    folder = runs.run_folder(home, "demo", "BASELINE", 0)
    return folder, checkpoint_values(folder)


def checkpoint_values(folder: Path) -> dict[str, np.ndarray]:
    """Every value of a run's last checkpoint."""
    last = max((folder / "checkpoints").glob("step-*"))
    reader = tf.train.load_checkpoint(str(last / "weights"))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names}


def test_a_run_with_all_resumes_to_the_same_bits_and_opens_with_averages(
    demo_data, tiny_settings, tmp_path
):
    words = [*tiny_settings, *ALL, "checkpoint_every=1", "max_iterations=5"]
    folder, values = trained(tmp_path / "whole", demo_data, words)
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    stopped = runs.run_folder(tmp_path / "stopped", "demo", "BASELINE", 0)
    for step in (4, 5):
        shutil.rmtree(stopped / f"checkpoints/step-{step:06d}")
    _, again = trained(tmp_path / "stopped", demo_data, words)
    assert again.keys() == values.keys() and len(values) > 100
    for name, value in values.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)

    run = runs.open_run(folder)
    averages = run.fesr.recognizer_optimizer._model_variables_moving_average
    for variable, average in zip(run.fesr.recognizer.trained_variables, averages, strict=True):
        np.testing.assert_array_equal(variable, average)
    name = next(name for name in values if name.startswith("model/recognizer/logits/kernel"))
    assert (values[name] != run.fesr.recognizer.logits.kernel.numpy()).any()
    assert evaluate([str(folder)]) == 0
    assert export(["--run", str(folder), "--name", "m", "--models", str(tmp_path / "m")]) == 0


def test_averages_are_lent_and_training_keeps_its_own_weights():
    model = build("BASELINE", "ema=0.5", "learning_rate=0.1")
    kernel = model.recognizer.logits.kernel
    first = kernel.numpy()
    model.train_step(batch())
    second = kernel.numpy()
    with model.averaged():
        np.testing.assert_allclose(kernel, (first + second) / 2, atol=1e-6)
    np.testing.assert_array_equal(kernel, second)
