"""The face network for photographs: the command on a miniature table, and its parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fesr_tf import config
from fesr_tf.data.augmentation import augment
from fesr_tf.networks.face_networks import load_face_network, pack_weights
from fesr_tf.networks.light_cnn import SPECS, LightCNN, layers_of
from fesr_tf.networks.weight_cache import cached_weights
from fesr_tf.weights import distillation, expression_training, pretrain
from fesr_tf.weights.expression_faces import read_faces, training_faces
from fesr_tf.weights.expression_training import ExpressionNetwork
from pipelines.common.errors import FailedWork
from pipelines.common.files import sha256_of
from tests.support.miniatures import web
from tests.support.naming import naming

# isort: split
import tensorflow as tf

PHOTO = SPECS["light_cnn_photo"]
DEMO_WORDS = ("--faces", "f.csv", "--votes", "v.csv")
PHOTO_WORDS = ("--identity", "light_cnn_photo", "--faces", "f.csv", "--votes", "v.csv")


@pytest.fixture(scope="module")
def tables(tmp_path_factory, demo_images):
    folder = tmp_path_factory.mktemp("tables")
    web.ferplus(folder, demo_images)
    return folder / "fer2013.csv", folder / "fer2013new.csv"


@pytest.fixture(scope="module")
def teacher():
    """A teacher in the cache, where the command looks for it."""
    path = cached_weights("light_cnn_v4")
    path.parent.mkdir(parents=True, exist_ok=True)
    network = LightCNN(SPECS["light_cnn_v4"], seed=0)
    path.write_bytes(pack_weights(network))
    yield network
    path.unlink()


def run(*words: object) -> int:
    return pretrain.main([str(word) for word in words])


@pytest.mark.slow
def test_the_command_end_to_end_and_again_from_its_work(
    tables, teacher, demo_data, tmp_path, capsys
):
    work, output = tmp_path / "work", tmp_path / "new" / "photo.npz"
    command = [
        *("--identity", "light_cnn_photo", "--faces", tables[0], "--votes", tables[1]),
        *("--data", demo_data, "--work", work, "--held-out", 4, "--epochs", 1, "--cycles", 1),
        *("--tail-epochs", 1, "--batch-size", 8, "--seed", 5),
    ]
    assert run(*command, "--output", output) == 0
    assert sorted(path.name for path in output.parent.iterdir()) == ["photo.json", "photo.npz"]
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["sha256"] == sha256_of(output) and record["teacher"] == "light_cnn_v4"
    faces, counts = training_faces(read_faces(*tables))
    assert record["images"] == counts and record["data_digest"] == faces.digest
    assert record["images_trained"] == len(faces) - 4 and record["held_out"]["images"] == 4
    held_out = faces.divided(4, seed=5)[1]
    assert (work / "held_out.txt").read_text().split() == sorted(held_out.keys.tolist())
    assert (record["parameters"], record["multiply_adds"]) == (450_944, 61_407_232)
    assert np.isfinite(list(record["held_out"].values())).all()

    network = load_face_network("light_cnn_photo", output)
    embeddings = network.embed(tf.zeros((2, 64, 64, 1)))
    assert embeddings.shape == (2, 256) and np.isfinite(embeddings).all()
    with np.load(work / "recognizer.npz") as own:
        assert own["conv1.kernel"].shape == (3, 3, 80, 64) and own["labels.bias"].shape == (7,)

    # What is finished is not trained again, and gives the same weights.
    capsys.readouterr()
    again = tmp_path / "again.npz"
    assert run(*command, "--output", again) == 0
    assert "resumes after epoch 1" in capsys.readouterr().out
    assert again.read_bytes() == output.read_bytes()
    assert run(*command, "--epochs", 2, "--output", again) == 2
    assert re.search(naming(work, "epochs"), capsys.readouterr().err)


@pytest.mark.slow
def test_the_demo_s_network_learns_from_embeddings_without_a_label(
    tables, teacher, demo_data, tmp_path
):
    output = tmp_path / "taught.npz"
    words = ["--faces", tables[0], "--votes", tables[1], "--data", demo_data, "--held-out", 4]
    assert run(*words, "--tail-epochs", 1, "--batch-size", 8, "--output", output) == 0
    record = json.loads(output.with_suffix(".json").read_text())
    assert (record["identity"], record["epochs"]) == ("light_cnn_demo", 0)
    assert record["held_out"].keys() == {"images", "correlation_of_cosines"}
    network = load_face_network("light_cnn_demo", output)
    assert network.embed(tf.zeros((2, 64, 64, 1))).shape == (2, 128)


def test_multiply_adds_and_parameters_by_hand():
    """conv1 at 64x64, group1 at 32, block2 and group2 at 16; group3 at 8, and fc."""
    trunk = [
        64**2 * 9 * 1 * 32,
        32**2 * 16 * 32, 32**2 * 9 * 16 * 96,
        16**2 * 9 * 48 * 96, 16**2 * 9 * 48 * 96, 16**2 * 48 * 96, 16**2 * 9 * 48 * 160,
    ]  # fmt: skip
    tail = [8**2 * 80 * 160, 8**2 * 9 * 80 * 96, 4 * 4 * 48 * 256]
    layers = list(layers_of(PHOTO))
    assert [layer.multiply_adds for layer in layers] == trunk + tail
    assert sum(trunk) == 55_967_744 and sum(trunk + tail) == 61_407_232
    weights = [9 * 32, 16 * 32, 9 * 16 * 96, *[9 * 48 * 96] * 2, 48 * 96, 9 * 48 * 160]
    weights += [80 * 160, 9 * 80 * 96, 768 * 256]
    biases = 32 + 32 + 96 * 4 + 160 + 160 + 96 + 256
    assert sum(layer.parameters for layer in layers) == sum(weights) + biases == 450_944


def test_augmentation_changes_each_image_by_itself_and_follows_from_the_seed():
    images = np.tile(np.arange(48 * 48).reshape(1, 48, 48, 1) % 251, (6, 1, 1, 1)).astype(np.uint8)
    images[:] = np.linspace(20, 200, 48).astype(np.uint8)[None, :, None, None]
    changed = augment(images, 64, tf.constant([1, 2])).numpy()
    assert changed.shape == (6, 64, 64, 1) and 0 <= changed.min() <= changed.max() <= 1
    differences = np.abs(changed[:, None] - changed[None]).mean((2, 3, 4))
    assert differences[np.triu_indices(6, 1)].min() > 0.005
    np.testing.assert_array_equal(augment(images, 64, tf.constant([1, 2])), changed)
    assert (augment(images, 64, tf.constant([1, 3])).numpy() != changed).any()


def test_the_rate_falls_to_zero_in_every_cycle_and_starts_again_from_half_the_peak():
    rate = expression_training.Cycles(100)  # five steps of warm-up
    rates = [float(rate(tf.constant(step, tf.int64))) for step in range(200)]
    assert (rates[0], rates[5]) == (0, pytest.approx(2e-3))
    assert rates[99] < 2e-6 and rates[100] == 0
    assert rates[105] == pytest.approx(1e-3) and max(rates[100:]) == rates[105]


@pytest.mark.slow
def test_an_interrupted_training_resumes_to_the_same_weights(tables, tmp_path, monkeypatch):
    faces, _ = training_faces(read_faces(*tables))
    settings = config.resolve("images", overrides=["width=0.0625"])
    rows = expression_training.batches

    def trained(folder: Path) -> list[np.ndarray]:
        network = ExpressionNetwork(PHOTO, settings, seed=2)
        expression_training.train(network, faces, 2, 8, 2, folder)
        return [v.numpy() for v in [*network.variables, *network.trunk.statistics]]

    def interrupted(count: int, batch_size: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
        if epoch == 1:
            raise KeyboardInterrupt
        return rows(count, batch_size, seed, epoch)

    begin = [v.numpy() for v in ExpressionNetwork(PHOTO, settings, seed=2).variables]
    whole = trained(tmp_path / "whole")
    assert all((a != b).any() for a, b in zip(begin, whole, strict=False))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(expression_training, "batches", interrupted)
        trained(tmp_path / "stopped")
    for again, value in zip(trained(tmp_path / "stopped"), whole, strict=True):
        np.testing.assert_array_equal(again, value)


@pytest.mark.parametrize("whole", [False, True])
def test_distillation_turns_the_tail_or_all_of_it_to_the_teacher(whole, capsys):
    network = LightCNN(PHOTO, seed=0)
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (16, 8, 8, 1), np.uint8).repeat(8, 1).repeat(8, 2)
    targets = (1 + 0.5 * rng.normal(size=(16, 256))).astype(np.float32)
    before = {name: layer.get_weights() for name, layer in network.layers_by_name.items()}
    distillation.distil(network, faces, targets, 20, batch_size=8, seed=0, whole=whole)
    cosines = [float(each) for each in re.findall(r"cosine ([-\d.]+)", capsys.readouterr().out)]
    assert len(cosines) == 20 and cosines[-1] > cosines[0] + 0.3 > 0.3
    for layer in layers_of(PHOTO):
        same = np.array_equal(network.layers_by_name[layer.name].kernel, before[layer.name][0])
        assert same == (layer.in_trunk and not whole), layer.name
    embeddings = network(tf.cast(faces, tf.float32) / 255.0)
    assert np.sqrt(np.mean(embeddings**2)) == pytest.approx(1, rel=1e-3)


def test_leading_dimensions_keep_the_scalar_products():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(20, 3)) @ rng.normal(size=(3, 8))  # of rank 3
    kept = distillation.leading(flat, 3)
    assert kept.shape == (20, 3)
    np.testing.assert_allclose(kept @ kept.T, flat @ flat.T, atol=1e-9)
    assert distillation.leading(flat, 8) is flat


def test_targets_that_are_not_finite_end_the_distillation():
    faces = np.zeros((4, 64, 64, 1), np.uint8)
    with pytest.raises(FailedWork):
        distillation.distil(
            LightCNN(PHOTO, seed=0), faces, np.full((4, 256), np.nan, np.float32), 1, 4, 0
        )


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--identity", "light_cnn_photo", "--output", "w.npz"], ("light_cnn_photo", "--faces")),
        (["--faces", "f.csv", "--output", "w.npz"], ("light_cnn_demo", "--votes")),
        (["--work", "w", "--output", "w.npz"], ("--work", "--faces")),
        (["--cycles", "2", "--output", "w.npz"], ("--cycles", "--faces")),
        ([*DEMO_WORDS, "--epochs", "5", "--output", "w.npz"], ("light_cnn_demo", "--epochs")),
        ([*PHOTO_WORDS, "--epochs", "5", "--cycles", "2", "--output", "w.npz"], (5, 2)),
    ],
)
def test_bad_use_is_one_sentence(words, values, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert re.search(naming(*values), error) and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
