"""Fig. 9: t-SNE that repeats itself, and the figures that stand below it, against hand's work."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fesr_tf import config
from fesr_tf.figures import features, run_images
from fesr_tf.figures.sources import Source
from fesr_tf.training.monitoring.projector import HELD_OUT, SYNTHETIC, Points
from tests.support.naming import naming


def make(real, made, labels, people) -> Points:
    """Points of as many real as drawn faces."""
    count = len(labels)
    return Points(
        features=np.array([*real, *made], np.float32),
        thumbnails=np.zeros((2 * count, 4, 4, 1), np.uint8),
        labels=np.array([*labels, *labels]),
        predictions=np.zeros(2 * count, int),
        origins=np.array([HELD_OUT] * count + [SYNTHETIC] * count),
        people=np.array([*people, *(f"new {i}" for i in range(count))]),
    )


def cloud(shift: float, count: int = 60) -> Points:
    """Two classes; the drawn faces are `shift` standard deviations from the real ones."""
    random = np.random.default_rng(1)
    labels = np.arange(count) % 2
    centres = 30 * np.eye(2, 8)[labels]
    real, made = (centres + random.normal(size=(count, 8)) for _ in range(2))
    made[:, 7] += shift
    return make(real, made, labels, [f"s{i // 2}" for i in range(count)])


def test_the_embedding_repeats_itself():
    points = cloud(0)
    first, again = (features.embedding(points.features, 3) for _ in range(2))
    assert first.shape == (120, 2)
    np.testing.assert_array_equal(first, again)


def test_the_embedding_keeps_classes_apart():
    points = cloud(0)
    places = features.embedding(points.features, 0)
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (points.labels[distance.argmin(1)] == points.labels).all()


def test_the_smallest_panel_of_four_points_is_embedded():
    assert np.isfinite(features.embedding(np.eye(4, 5), 0)).all()


def test_distance_ratio_and_neighbours_by_hand():
    # One feature, two people of class 0 at 0 and 2, of class 1 at 100 and 104.
    points = make(
        real=[[0], [2], [100], [104]],
        made=[[1], [3], [110], [112]],
        labels=[0, 0, 1, 1],
        people=["a", "b", "a", "b"],
    )
    found = features.gap(points, 0)
    across = np.mean([1, 3, 1, 1, 10, 12, 6, 8])
    assert found.distance == pytest.approx(across)
    assert found.ratio == pytest.approx(across / 3)
    # 0 and 2 have the drawn 1 nearest, 1 and 3 a real one; 100 and 104 each other, 110 and 112
    # each other: 4 of 8.
    assert found.own_kind == 0.5
    assert re.findall(r"\d+\.\d+", found.lines()[0])[:2] == ["5.25", "1.75"]


def test_two_faces_of_one_person_are_no_pair_of_the_class():
    points = make([[0], [9], [2]], [[1], [1], [1]], [0, 0, 0], ["a", "a", "b"])
    across = np.mean([1, 1, 1, 8, 8, 8, 1, 1, 1])
    assert features.gap(points, 0).ratio == pytest.approx(across / np.mean([2, 7]))
    alone = make([[0], [9]], [[1], [1]], [0, 0], ["a", "a"])
    assert features.gap(alone, 0).ratio is None
    # The distance stands there, and no ratio.
    assert re.findall(r"\d+\.\d+", features.gap(alone, 0).lines()[0]) == ["4.5"]


def test_mixed_clouds_have_a_ratio_of_1_and_parted_ones_a_larger():
    mixed, parted = features.gap(cloud(0, 400), 0), features.gap(cloud(12, 400), 0)
    assert mixed.ratio == pytest.approx(1, abs=0.05) and abs(mixed.own_kind - 0.5) < 0.15
    assert mixed.interval[0] < 1 < mixed.interval[1]
    # Twelve deviations on one axis, beside two on each of eight: sqrt(16 + 144) / sqrt(16).
    assert parted.ratio == pytest.approx(np.sqrt(10), rel=0.1) and parted.own_kind == 1
    assert parted.interval[0] > 2


def test_the_papers_class_is_shown_where_two_faces_show_it():
    points = cloud(0)
    assert features.one_class(points, ("happiness", "anger")) == 1
    few = make([[0], [1], [2]], [[0], [1], [2]], [0, 1, 1], ["a", "b", "c"])
    assert features.one_class(few, ("anger", "joy")) == 1
    assert features.one_class(few, ("fear", "joy")) == 1


def test_a_class_keeps_its_own_real_and_drawn_faces():
    some = features.of_class(cloud(0), 1)
    assert len(some.labels) == 60 and (some.labels == 1).all()
    assert (some.origins == SYNTHETIC).sum() == 30


@pytest.fixture(scope="module")
def drawn(opened_run):
    """A real run twice, under the two names that the figure compares."""
    made = {}
    for name in features.FIG_9:
        info = opened_run.info.__class__(**{**opened_run.info.__dict__, "variant": name})
        source = Source(opened_run.folder, info, config.load(opened_run.folder / "config.yaml"))
        made[name] = run_images.generate(source, None, 2, 0, features=True)
    return made


def test_each_test_face_has_a_drawn_one_of_its_class_and_the_same_z_in_both(drawn, opened_run):
    from fesr_tf.runs.opening import load_data

    test = load_data(opened_run).test
    for each in drawn.values():
        real = each.points.origins == HELD_OUT
        assert real.sum() == (~real).sum() == len(test)
        np.testing.assert_array_equal(each.points.labels[real], test.labels)
        np.testing.assert_array_equal(each.points.labels[~real], test.labels)
    first, second = drawn.values()
    np.testing.assert_array_equal(first.points.thumbnails, second.points.thumbnails)


def test_the_figure_tells_its_figures_and_their_definition(drawn):
    (picture,) = features.figure_9(drawn, 0)
    assert (picture.file, picture.figure) == ("fig-9.png", "9")
    count = len(drawn["FESR_JL"].points.labels) // 2
    assert re.search(naming("eq. 16", "95 %", "t-SNE", count), picture.caption)
    for name, each in drawn.items():
        assert f"{name} {', '.join(features.gap(each.points, 0).lines())}" in picture.caption
    assert picture.content == features.figure_9(drawn, 0)[0].content
