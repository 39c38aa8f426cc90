"""The demo's face network: how it is trained, and that it verifies people."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from fesr_tf.metrics.face_verification import verification
from fesr_tf.networks.face_networks import load_face_network
from fesr_tf.networks.light_cnn import SPECS, LightCNN
from fesr_tf.weights import pretrain
from fesr_tf.weights.identity_training import People, augment, embed, read_people, train
from pipelines.common.errors import FailedWork
from pipelines.common.files import sha256_of
from tests.support.naming import naming

# isort: split
import tensorflow as tf

SUBJECTS, SEED = 4, 4711
IMAGES_A_PERSON = (3 + 7 * 3) + (3 + 7 * 2)  # neutral and seven sequences; frontal and varied
DEMO = SPECS["light_cnn_demo"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> list[Path]:
    """People of a seed that neither the demo database nor the committed weights have seen."""
    return pretrain.render_people(tmp_path_factory.mktemp("people"), SUBJECTS, SEED)


@pytest.fixture(scope="module")
def people(data) -> People:
    return read_people(data, DEMO.size)


def run(*words: object) -> int:
    return pretrain.main([str(word) for word in words])


@pytest.mark.slow
def test_reads_every_aligned_face_of_all_folders(people):
    # A turned head in a harsh light may be missed by the detector.
    assert 0.95 * SUBJECTS * IMAGES_A_PERSON <= len(people.images) <= SUBJECTS * IMAGES_A_PERSON
    assert people.images.shape[1:] == (64, 64, 1) and people.images.dtype == np.uint8
    assert set(people.subjects) == {f"p{i:03d}" for i in range(SUBJECTS)}
    assert len(set(people.labels)) == 8


@pytest.mark.slow
def test_the_committed_network_verifies_held_out_subjects(people):
    network = load_face_network("light_cnn_demo").network
    result = verification(embed(network, people.images), people.subjects, people.labels)
    assert result.auc > 0.9, result
    assert 0.5 < result.rms < 2
    assert result.l1_same < result.l1_different


@pytest.mark.slow
def test_the_command_end_to_end(data, people, tmp_path, capsys):
    output = tmp_path / "new" / "own.npz"
    command = ["--data", *data, "--held-out", 2, "--epochs", 2, "--batch-size", 16, "--seed", 5]
    assert run(*command, "--output", output) == 0
    assert sorted(path.name for path in output.parent.iterdir()) == ["own.json", "own.npz"]
    said = capsys.readouterr().out
    assert "2/2" in said and "AUC" in said

    record = json.loads(output.with_suffix(".json").read_text())
    assert record["sha256"] == sha256_of(output)
    assert record["command"].startswith("python -m fesr_tf.weights pretrain --data ")
    assert (record["people_trained"], record["people_held_out"], record["epochs"]) == (2, 2, 2)
    assert record["images_trained"] + record["images_held_out"] == len(people.images)
    assert record["versions"]["tensorflow"] == tf.__version__
    # The record's figures are those of the file, on the people who did not train.
    unseen = people.of(["p002", "p003"])
    embeddings = embed(load_face_network("light_cnn_demo", output).network, unseen.images)
    again = verification(embeddings, unseen.subjects, unseen.labels)
    assert record["held_out"]["auc"] == pytest.approx(again.auc, abs=1e-3)
    assert record["held_out"]["pairs_same"] == again.pairs_same


def synthetic_people(count: int = 4, each: int = 24) -> People:
    """Noise patterns that keep their person's low-frequency pattern."""
    rng = np.random.default_rng(0)
    pattern = rng.uniform(40, 215, (count, 1, 8, 8, 1)).repeat(8, axis=2).repeat(8, axis=3)
    images = np.clip(pattern + rng.normal(0, 20, (count, each, 64, 64, 1)), 0, 255)
    return People(
        images.reshape(-1, 64, 64, 1).astype(np.uint8),
        np.repeat([f"p{i}" for i in range(count)], each),
        np.tile(["anger", "fear"], count * each // 2),
    )


def test_training_learns_and_leaves_embeddings_at_unit_scale(capsys):
    people = synthetic_people()
    network = LightCNN(DEMO, seed=3)
    train(network, people, epochs=5, batch_size=16, seed=3)
    lines = capsys.readouterr().out.splitlines()
    loss = [float(re.search(r"loss\D*([\d.]+)", line)[1]) for line in lines]
    assert len(loss) == 5 and loss[-1] < 0.7 * loss[0]
    embeddings = embed(network, people.images)
    assert np.sqrt(np.mean(embeddings**2)) == pytest.approx(1, rel=1e-3)


def test_augmentation_keeps_range_and_shape_and_changes_each_image_on_its_own():
    tf.random.set_seed(0)
    image = tf.tile(tf.constant(synthetic_people().images[:1] / 255, tf.float32), (6, 1, 1, 1))
    changed = augment(image).numpy()
    assert changed.shape == (6, 64, 64, 1) and 0 <= changed.min() <= changed.max() <= 1
    differences = np.abs(changed[:, None] - changed[None]).mean((2, 3, 4))
    assert differences[np.triu_indices(6, 1)].min() > 0.01
    # Mirrored or moved by a little: the mean stays within what brightness may add.
    assert np.abs(changed.mean((1, 2, 3)) - image.numpy().mean((1, 2, 3))).max() < 0.2


def test_verification_against_pairs_counted_by_hand():
    # Pairs of one expression, a0-b0 and a1-b1, do not count.
    embeddings = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], float)
    subjects, expressions = np.array(["a", "a", "b", "b"]), np.array(["x", "y", "x", "y"])
    result = verification(embeddings, subjects, expressions)
    # same: a0-a1 0, b0-b1 0.96; different: a0-b1 0.8, a1-b0 0.8. 2 of the 4 are ordered right.
    assert result.auc == pytest.approx(0.5)
    assert (result.pairs_same, result.pairs_different) == (2, 2)
    assert result.l1_same == pytest.approx((1 + 0.2) / 2)
    assert result.l1_different == pytest.approx((0.4 + 0.4) / 2)
    assert result.rms == pytest.approx(np.sqrt(0.5))
    # Cosine, so lengths are of no account.
    longer = embeddings * np.array([[1], [5], [0.2], [3]])
    assert verification(longer, subjects, expressions).auc == pytest.approx(0.5)


def test_verification_needs_both_kinds_of_pairs():
    with pytest.raises(FailedWork):
        verification(np.eye(3), np.array(["a", "a", "a"]), np.array(["x", "y", "z"]))


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--output", "weights.bin"], ("weights.bin", ".npz")),
        (["--output", "w.npz", "--epochs", 0], ("--epochs", 0)),
        (["--output", "w.npz", "--held-out", 1], ("--held-out", 1)),
        (["--output", "w.npz", "--subjects", 10, "--held-out", 9], (10, 9)),
        (["--output", "w.npz", "--seed", 0], ("--seed", 0)),
        (["--output", "w.npz", "--data", "nowhere"], ("nowhere",)),
    ],
)
def test_bad_use_is_one_sentence(words, values, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert re.search(naming(*values), error) and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_too_few_people_in_the_data(data, tmp_path, capsys):
    assert run("--data", *data, "--held-out", 3, "--output", tmp_path / "w.npz") == 2
    assert re.search(naming(SUBJECTS, 3), capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rendering_is_reported(tmp_path):
    with pytest.raises(FailedWork, match=naming("pipelines.demo_faces", "--subjects 0", 2)):
        pretrain.render_people(tmp_path, 0, 1)
