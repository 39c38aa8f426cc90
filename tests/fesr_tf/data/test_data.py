"""Batches: the right positives, every image once an epoch, a pure function of the step."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config
from fesr_tf.data import Faces, batches, load_fold
from fesr_tf.data.counts import count_classes
from fesr_tf.training.monitoring.events import count_rows
from pipelines.common import roles
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.subjects import counted
from pipelines.databases.base import UNKNOWN
from pipelines.dataset import examples, manifest
from pipelines.dataset.copies import ALLOWED
from tests.support.data_folders import build, some
from tests.support.naming import naming


def numbered(labels: list[int]) -> Faces:
    """Faces whose every pixel is the row number, so that a batch tells where it came from."""
    count = len(labels)
    images = (
        np.zeros((count, 2, 2, 1), np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None, None]
    )
    text = np.array([str(i) for i in range(count)])
    return Faces(images, np.array(labels, np.int32), text, text, np.ones(count, np.float32))


def rows(images) -> np.ndarray:
    return np.rint((images.numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int)


def settings(size: int, *overrides: str):
    return config.resolve("demo", overrides=[f"batch_size={size}", *overrides])


def test_a_positive_is_another_image_of_the_same_class():
    faces = numbered([0, 1, 1, 2, 2, 2, 1, 2, 0, 2])
    seen = set()
    for image, positive, label in itertools.islice(batches(faces, settings(5)), 400):
        own, other = rows(image), rows(positive)
        assert not np.any(own == other)
        np.testing.assert_array_equal(faces.labels[own], label)
        np.testing.assert_array_equal(faces.labels[other], label)
        seen |= set(zip(own, other, strict=True))
    assert len(seen) == 2 * 1 + 3 * 2 + 5 * 4  # every ordered pair of every class


def test_positives_are_uniform():
    faces = numbered([0] * 5)
    others = [
        rows(positive)[rows(image) == 2]
        for image, positive, _ in itertools.islice(batches(faces, settings(5)), 2_000)
    ]
    shares = np.bincount(np.concatenate(others), minlength=5) / 2_000
    np.testing.assert_allclose(shares, [0.25, 0.25, 0, 0.25, 0.25], atol=0.04)


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order():
    faces = numbered([0, 1] * 6)
    shown = [rows(image) for image, _, _ in itertools.islice(batches(faces, settings(4)), 6)]
    first, second = np.concatenate(shown[:3]), np.concatenate(shown[3:])
    assert sorted(first) == sorted(second) == list(range(12))
    assert list(first) != list(second)


def test_batch_t_is_the_same_wherever_the_run_began():
    faces = numbered([0, 1] * 6)
    whole = list(itertools.islice(batches(faces, settings(4, "horizontal_flip=true")), 8))
    later = itertools.islice(batches(faces, settings(4, "horizontal_flip=true"), start=5), 3)
    for left, right in zip(whole[5:], later, strict=True):
        for a, b in zip(left, right, strict=True):
            np.testing.assert_array_equal(a, b)


def test_rows_are_a_part_of_the_epochs_permutation():
    """The order that earlier versions trained in, which resumed runs rest on."""
    faces, seed = numbered([0, 1] * 6), tf.constant([9, 1], tf.int64)
    folded = tf.random.experimental.stateless_fold_in(seed, 3)  # seed 9, epoch 1
    expected = tf.random.experimental.stateless_shuffle(tf.range(12), folded).numpy()
    shown = itertools.islice(batches(faces, settings(5, "seed=9"), start=2), 2)
    np.testing.assert_array_equal(np.concatenate([rows(x[0]) for x in shown]), expected[:10])


def test_a_batch_of_a_million_images_costs_what_one_of_a_thousand_does():
    def seconds(count: int) -> float:
        text = np.full(count, "")
        labels = np.arange(count, dtype=np.int32) % 8
        images = np.zeros((count, 2, 2, 1), np.uint8)
        faces = Faces(images, labels, text, text, np.ones(count, np.float32))
        drawn = iter(batches(faces, settings(4)))
        next(drawn)
        time.sleep(0.5)  # the first ones, with the epoch's permutation
        began = time.process_time()
        for _ in itertools.islice(drawn, 100):
            pass
        return time.process_time() - began

    # With a permutation at every step it was 70 times as much.
    assert seconds(1_000_000) < 4 * seconds(1_000)


def test_a_class_of_one_image_is_its_own_positive():
    image, positive, label = next(iter(batches(numbered([0, 0, 1]), settings(3))))
    alone = label.numpy() == 1
    np.testing.assert_array_equal(rows(image)[alone], rows(positive)[alone])


def test_flips_mirror_about_half_of_the_images():
    faces = numbered([0] * 50)
    faces.images[:, :, 1] = 255  # the right column is white
    flipped = [
        image.numpy()[:, 0, 0, 0] == 1.0
        for image, _, _ in itertools.islice(batches(faces, settings(50, "horizontal_flip=true")), 8)
    ]
    assert np.mean(flipped) == pytest.approx(0.5, abs=0.1)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(BadUse, match=naming("batch_size", 3, 2)):
        batches(numbered([0, 1]), settings(3))


def test_a_fold_is_read_at_the_size_of_the_config_and_shares_no_subject(demo_data):
    fold = load_fold(demo_data, 0, settings(4, "image_size=32"))
    assert fold.train.images.shape[1:] == (32, 32, 1)
    assert len(fold.classes) == 8
    assert not set(fold.train.subjects) & set(fold.test.subjects)
    assert (fold.test.intensity[fold.test.labels > 0] == 1).all()  # peak frames only
    assert set(fold.train.labels) == set(range(8)) and fold.train.votes is None


def test_a_fold_that_does_not_exist_is_named(demo_data):
    with pytest.raises(BadUse, match=naming(0, 1, 2)):
        load_fold(demo_data, 2, settings(4))


def test_a_shard_cut_short_is_refused_by_name(demo_data, tmp_path):
    copy = shutil.copytree(demo_data, tmp_path / "data")
    shard = manifest.load(copy).shards[0].path
    content = (copy / shard).read_bytes()
    (copy / shard).write_bytes(content[: len(content) // 2])
    with pytest.raises(FailedWork, match=shard.replace(".", r"\.")):
        load_fold(copy, 0, settings(4))


def test_a_person_on_both_sides_is_refused_though_every_digest_is_right(demo_data, tmp_path):
    copy = shutil.copytree(demo_data, tmp_path / "data")
    old = manifest.load(copy)
    first = old.shards[0]
    stored = [examples.decode(each) for each in examples.read_records(copy / first.path)]
    stored[0] = dataclasses.replace(stored[0], splits=(roles.TRAIN, roles.TRAIN))
    content = b"".join(examples.framed(examples.encode(record)) for record in stored)
    (copy / first.path).write_bytes(content)
    shard = manifest.Shard(
        first.path, len(stored), len(content), hashlib.sha256(content).hexdigest()
    )
    made = dataclasses.replace(old, shards=(shard, *old.shards[1:]))
    (copy / manifest.NAME).write_text(made.to_json(), encoding="utf-8")
    with pytest.raises(FailedWork, match=naming(stored[0].subject)):
        load_fold(copy, 0, settings(4))


def test_unknown_subjects_are_different_units_named_by_their_keys(demo_images, tmp_path):
    made = some(demo_images)
    samples = [dataclasses.replace(s, subject="", test=True) for s in made.samples]
    nameless = dataclasses.replace(made, samples=samples, people={}, subjects=UNKNOWN)
    # Frames of one person are near copies, and lie on both sides where people are unknown.
    found = build(tmp_path, nameless, rule=ALLOWED)
    counts = count_classes(tmp_path, found)
    assert not counts.known and counts.units(counts.labels >= 0) == len(samples)
    fold = load_fold(tmp_path, 0, settings(1, "image_size=32"))
    parts = [fold.train, fold.valid, fold.test]
    assert sum(len(set(part.subjects.tolist())) for part in parts) == len(samples)
    assert [part.names for part in parts] == [part.keys.tolist() for part in parts]
    assert counted(fold.test.subjects.tolist()) == (0, len(fold.test))
    assert count_rows(fold)[-1][0] != "people"


def test_votes_become_shares_of_the_classes(demo_images, tmp_path):
    made = some(demo_images)
    samples = [
        dataclasses.replace(s, test=True, votes=(6, 2) if s.label else (0, 0)) for s in made.samples
    ]
    build(tmp_path, dataclasses.replace(made, samples=samples))
    train = load_fold(tmp_path, 0, settings(1, "image_size=32")).train
    assert train.votes.dtype == np.float32 and len(train.votes) == len(train)
    np.testing.assert_array_equal(
        train.votes, np.where(train.labels[:, None] == 1, [0.75, 0.25], [0, 0])
    )
