"""Who is compared with whom, on five pictures of three people, worked out by hand."""

from __future__ import annotations

import numpy as np

from fesr_tf import evaluate
from fesr_tf.data import Faces
from fesr_tf.synthesis.quality import pairs
from pipelines.dataset import examples
from pipelines.dataset import manifest as manifests

# a: classes 0 and 1; b: 0, 1 and 1 turned; c: 2 alone.
SUBJECTS = np.array(list("aabbbc"))
LABELS = np.array([0, 1, 0, 1, 1, 2])
YAW = np.array([0, 0, 0, 0, 15, 0])


def faces(labels, subjects, intensity, keys) -> Faces:
    count = len(labels)
    images = np.zeros((count, 32, 32, 1), np.uint8)
    return Faces(
        images,
        np.array(labels, np.int32),
        np.array(subjects),
        np.array(keys),
        np.array(intensity, np.float32),
    )


def test_a_translation_is_held_against_the_same_person_and_yaw_with_the_other_expression():
    found = pairs.translation_pairs(LABELS, SUBJECTS, YAW)
    assert set(zip(*map(np.ndarray.tolist, found), strict=True)) == {(0, 1), (1, 0), (2, 3), (3, 2)}


def test_pictures_without_a_target_are_counted_by_class():
    found = pairs.translation_pairs(LABELS, SUBJECTS, YAW)
    # Class 0 lacks for the turned picture and for c; 1 for c; 2 for all but c.
    np.testing.assert_array_equal(pairs.missing_targets(LABELS, found, 3), [2, 1, 5])


def test_one_picture_a_person_and_class_the_strongest_and_then_the_last():
    some = faces(
        [0, 0, 0, 1, 1, 0], list("aaaaab"), [0.5, 1, 1, 0.2, 0.1, 0], ["3", "2", "1", "4", "5", "6"]
    )
    np.testing.assert_array_equal(pairs.peaks(some), [1, 3, 5])


def test_two_real_frames_are_alike_in_everything():
    some = faces([0, 0, 0, 0, 1], list("aaaba"), [1, 1, 0.5, 1, 1], list("12345"))
    found = pairs.repeated_pairs(some, np.zeros(5, int))
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == [(0, 1)]
    assert not len(pairs.repeated_pairs(some, np.array([0, 10, 0, 0, 0])).first)


def test_the_papers_pairs_are_2k_a_picture_half_of_them_of_another_person():
    found = pairs.verification_pairs(SUBJECTS, 3, seed=5)
    assert len(found.real) == len(SUBJECTS) * 2 * 3
    same = SUBJECTS[found.real] == SUBJECTS[found.source]
    np.testing.assert_array_equal(found.same, same)
    np.testing.assert_array_equal(found.real[same], found.source[same])
    for picture in range(len(SUBJECTS)):
        for kind in (True, False):
            chosen = (found.real == picture) & (found.same == kind)
            assert sorted(found.label[chosen]) == [0, 1, 2]


def test_other_people_are_drawn_by_the_seed_and_all_of_them_come_in():
    one, again, other = (pairs.verification_pairs(SUBJECTS, 200, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.source, again.source)
    assert (one.source != other.source).any()
    strangers = one.source[(one.real == 0) & ~one.same]
    assert set(strangers) == {2, 3, 4, 5}


def test_real_pairs_are_balanced_and_strangers_show_the_same_expression_where_they_can():
    found, same = pairs.real_pairs(LABELS, SUBJECTS, seed=0)
    np.testing.assert_array_equal(same, SUBJECTS[found.first] == SUBJECTS[found.second])
    assert same.sum() == (~same).sum() == 2 + 4
    half = len(same) // 2
    np.testing.assert_array_equal(LABELS[found.second[:half]], LABELS[found.second[half:]])


def test_a_stranger_with_another_expression_is_better_than_none():
    found, same = pairs.real_pairs(np.array([0, 1, 2]), np.array(list("aab")), seed=0)
    np.testing.assert_array_equal(found.second[~same], [2, 2])


def test_the_yaw_is_the_stored_one(opened_run, demo_data):
    test = evaluate.load_data(opened_run).test
    stored = {
        record.key: round(record.yaw)
        for shard in manifests.load(demo_data).shards
        for record in map(examples.decode, examples.read_records(demo_data / shard.path))
    }
    np.testing.assert_array_equal(
        pairs.yaws(demo_data, test), [stored[key] for key in test.keys.tolist()]
    )
