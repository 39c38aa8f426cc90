"""KID against a loop over the definition, and about 0 where there is no difference."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf.synthesis.quality import kid


def mmd2_by_loops(x, y):
    def k(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


def sample(random, count, shift=0.0, a_group=1):
    return kid.Sample(random.normal(shift, 1, (count, 8)), np.arange(count) // a_group)


def mmd2(x, y):
    return kid.mmd2(*(kid.Sample(each, np.arange(len(each))) for each in (x, y)))


def test_the_estimate_is_the_definitions():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(6, 5)), random.normal(0.5, 2, size=(4, 5))
    assert mmd2(x, y) == pytest.approx(mmd2_by_loops(x, y), rel=1e-12)


def test_it_is_unbiased():
    """Over 400 pairs of equal samples of ten, the mean is 0 within its own error; with the
    diagonal left in it would be far above."""
    random = np.random.default_rng(1)
    values = [mmd2(*random.normal(size=(2, 10, 8))) for _ in range(400)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    x = random.normal(size=(10, 8))
    biased = np.trace(kid.kernel(x, x)) / 100
    assert biased > 20 * error


def test_likeness_of_one_persons_pictures_is_no_difference():
    """Ten people with five pictures each, twice from one distribution: the usual estimator is far
    above 0, that over pairs of different people is not."""
    random = np.random.default_rng(7)
    people = np.repeat(np.arange(10), 5)
    by_people, by_pictures = [], []
    for _ in range(300):
        x, y = (np.repeat(random.normal(size=(10, 8)), 5, 0) for _ in range(2))
        by_people.append(kid.mmd2(kid.Sample(x, people), kid.Sample(y, people)))
        by_pictures.append(mmd2(x, y))
    error = np.std(by_people) / np.sqrt(len(by_people))
    assert abs(np.mean(by_people)) < 3 * error
    assert np.mean(by_pictures) > 10 * error


def test_a_difference_is_found_and_its_interval_excludes_none():
    random = np.random.default_rng(2)
    same = kid.kid(sample(random, 60), sample(random, 60), seed=0)
    apart = kid.kid(sample(random, 60), sample(random, 60, shift=1), seed=0)
    assert same["interval"][0] < 0 < same["interval"][1]
    assert apart["interval"][0] > 0 and apart["value"] > same["value"] + 1
    assert apart["pictures"] == [60, 60] and apart["n"] == 120


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    """On 50 pairs of samples whose MMD² is that of 4,000 pictures."""
    random = np.random.default_rng(3)
    truth = mmd2(random.normal(0, 1, (4000, 8)), random.normal(0.5, 1, (4000, 8)))
    held = 0
    for seed in range(50):
        low, high = kid.kid(sample(random, 60), sample(random, 60, 0.5), seed)["interval"]
        held += low <= truth <= high
    assert 43 <= held <= 50


def test_people_are_halved_whole():
    """Three equal pictures a person: by pictures the interval would be far too narrow."""
    random = np.random.default_rng(4)
    x, y = random.normal(size=(30, 8)), random.normal(size=(30, 8))
    people = np.repeat(np.arange(30), 3)
    by_people = kid.kid(
        kid.Sample(np.repeat(x, 3, 0), people), kid.Sample(np.repeat(y, 3, 0), people), 0
    )
    alone = kid.kid(kid.Sample(x, np.arange(30)), kid.Sample(y, np.arange(30)), 0)
    width = np.diff(by_people["interval"])[0] / np.diff(alone["interval"])[0]
    assert 0.8 < width < 1.25
    assert by_people["groups"] == [30, 30]


def test_the_floor_of_people_who_are_alike_is_about_0():
    found = kid.floor(sample(np.random.default_rng(5), 80, a_group=2), seed=0)
    assert found["interval"][0] < 0 < found["interval"][1] and found["people"] == 40
    few = kid.floor(sample(np.random.default_rng(5), 6, a_group=2), seed=0)
    assert few["value"] is None and few["divisions"] == 0


def test_the_networks_scale_does_not_matter():
    random = np.random.default_rng(6)
    sets = [sample(random, 20), sample(random, 20, 0.3), sample(random, 20)]
    larger = [kid.Sample(7 * each.features, each.groups) for each in sets]
    one, other = (kid.kids(*each, seed=0) for each in (sets, larger))
    assert other["scale"] == pytest.approx(7 * one["scale"])
    assert other["new_train"]["value"] == pytest.approx(one["new_train"]["value"])
