"""Memorisation and diversity of made-up people whose faces are points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fesr_tf.synthesis.quality import novelty
from fesr_tf.synthesis.quality.diversity import diversity, intra_class_variance, mean_distance
from fesr_tf.synthesis.quality.embeddings import People, distances


def crowd(random, people, classes=4, noise=0.15, size=16, name="p") -> People:
    """A direction a person, some noise a picture."""
    centres = random.normal(size=(people, size)) / np.sqrt(size)
    rows = np.repeat(centres, classes, 0)
    rows = rows + noise * random.normal(size=rows.shape) / np.sqrt(size)
    subjects = np.repeat([f"{name}{i:03d}" for i in range(people)], classes)
    return People(rows, np.tile(np.arange(classes), people), subjects)


@pytest.fixture(scope="module")
def sets():
    random = np.random.default_rng(0)
    return crowd(random, 40), crowd(random, 40, name="t"), crowd(random, 100, 1, name="new ")


def memorisation(new: People, train: People, test: People) -> dict:
    """Of a generator that redraws everybody perfectly."""
    return novelty.memorisation(new, train, test, train, test, seed=0)[0]


def test_distance_is_scipys():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 7))
    np.testing.assert_allclose(distances(a, b), cdist(a, b, "cosine"), atol=1e-12)


def test_the_nearest_of_those_allowed():
    distance = np.array([[0.1, 0.2, 0.3], [0.5, 0.4, 0.3]])
    assert novelty.nearest(distance).row.tolist() == [0, 2]
    found = novelty.nearest(distance, np.array([[0, 1, 1], [0, 0, 0]], bool))
    assert found.row.tolist() == [1, -1]
    assert found.distance[0] == 0.2 and np.isnan(found.distance[1])


def test_a_generator_that_copies_training_faces_memorises_all(sets):
    train, test, _ = sets
    copied = People(train.embeddings[::3], train.labels[::3], np.arange(len(train.labels[::3])))
    found, nearest = novelty.memorisation(copied, train, test, train, test, seed=0)
    assert found["real"]["new"]["value"] == 1
    assert found["real"]["new"]["n"] == len(copied.labels)
    assert nearest.row.tolist() == list(range(0, len(train.labels), 3))
    np.testing.assert_allclose(nearest.distance, 0, atol=1e-6)


def test_a_generator_of_other_expressions_of_training_people_is_found_out(sets):
    train, test, _ = sets
    random = np.random.default_rng(1)
    noise = 0.15 * random.normal(size=(100, 16)) / 4
    again = People(train.embeddings[:100] + noise, train.labels[:100], np.arange(100))
    assert memorisation(again, train, test)["real"]["new"]["value"] > 0.95


def test_truly_new_people_are_called_known_about_as_often_as_unseen_real_ones(sets):
    train, test, new = sets
    found = memorisation(new, train, test)
    shares = found["real"]
    assert shares["new"]["value"] < 0.15 and shares["unseen_people"]["value"] < 0.15
    assert shares["known_people"]["value"] > 0.95
    assert found["nearest_people"]["of"] == 40 and found["nearest_people"]["people"] > 20


def test_blur_hides_a_copy_from_the_real_threshold_and_not_from_that_of_redrawn_faces(sets):
    """Whatever is drawn is moved far off one way, as by blur; the people are all training ones."""
    train, test, new = sets
    away = np.zeros(16)
    away[0] = 1.3

    def drawn(people: People) -> People:
        return People(people.embeddings + away, people.labels, people.subjects)

    copies, strangers = drawn(train), drawn(new)
    known = (drawn(train), drawn(test), 0)
    found, _ = novelty.memorisation(copies, train, test, *known)
    assert found["real"]["new"]["value"] < 0.2 and found["redrawn"]["new"]["value"] > 0.4
    # Among redrawn faces the measure knows that it finds few; by real ones it would find all.
    assert found["redrawn"]["known_people"]["value"] < 0.5
    assert found["real"]["known_people"]["value"] == 1
    of_new = novelty.memorisation(strangers, train, test, *known)[0]
    assert of_new["redrawn"]["new"]["value"] < 0.15


def test_the_threshold_calls_one_in_twenty_training_pictures_known(sets):
    train, test, new = sets
    threshold = memorisation(new, train, test)["real"]["threshold"]
    other, _ = novelty.nearest_by_person(train, train)
    assert np.mean(other.distance < threshold) == pytest.approx(0.05, abs=1 / len(other.row))


def test_a_generator_of_one_face_is_all_near_one_person(sets):
    train, test, _ = sets
    one = People(np.repeat(train.embeddings[8:9], 50, 0), np.zeros(50, int), np.arange(50))
    found = memorisation(one, train, test)["nearest_people"]
    assert found["people"] == 1 and found["largest_share"] == 1 and found["largest"] == "p002"


def test_mean_distance_leaves_out_pictures_of_one_person():
    rows = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]], float)
    people = People(rows, np.zeros(4, int), np.array(list("aabc")))
    apart = cdist(rows, rows, "cosine")
    by_hand = np.mean([apart[0, 2], apart[0, 3], apart[1, 2], apart[1, 3], apart[2, 3]])
    found = mean_distance(people, seed=0)
    assert found["value"] == pytest.approx(by_hand)
    assert found["people"] == 3 and found["interval"] is None


def test_intra_class_variance_is_the_mean_distance_within_classes():
    random = np.random.default_rng(2)
    people = People(random.normal(size=(30, 6)), np.arange(30) % 3, np.arange(30))
    means = []
    for k in range(3):
        rows = people.embeddings[people.labels == k]
        means.append(cdist(rows, rows, "cosine")[np.triu_indices(10, 1)].mean())
    found = intra_class_variance(people, 4, seed=0)
    assert found["value"] == pytest.approx(np.mean(means))
    np.testing.assert_allclose(found["by_class"][:3], means)
    assert found["by_class"][3] is None
    assert found["interval"][0] < found["value"] < found["interval"][1]


def test_a_generator_of_one_face_has_no_diversity(sets):
    train, test, _ = sets
    one = People(np.repeat(train.embeddings[:1], 20, 0), np.arange(20) % 4, np.arange(20))
    found = diversity(one, train, test, 4, seed=0)
    assert found["mean_distance"]["new"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["intra_class_variance"]["new"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["mean_distance"]["train"]["value"] > 0.8
