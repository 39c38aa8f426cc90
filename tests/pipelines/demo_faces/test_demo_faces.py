"""The demo database: its files and truth, its people, its expressions and its rasteriser."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

from pipelines.demo_faces import (
    ACTION_UNITS,
    CLASSES,
    build_figure,
    load_head,
    perform,
    person,
    render,
    render_database,
    subject,
)
from pipelines.demo_faces.__main__ import main
from pipelines.demo_faces.action_units import column
from pipelines.demo_faces.expression import at_rest
from pipelines.demo_faces.neutral import _rules
from pipelines.demo_faces.raster import rasterize
from pipelines.demo_faces.render import deform
from tests.support.inspection import contents, mentions

EXPRESSIONS = [label for label in CLASSES if label != "neutral"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two posed people, three intensities, rendered in this process."""
    folder = tmp_path_factory.mktemp("demo") / "faces"
    count = render_database(
        folder, 2, 5, frames=3, size=64, pose=30, light=True, jobs=1, progress=False
    )
    assert count == 2 * (3 + 7 * 3)
    return folder


@pytest.fixture(scope="module")
def figures():
    return [build_figure(load_head(), person(3, index)) for index in range(3)]


def sequence(figure, label: str):
    return perform(figure.identity, label, np.random.default_rng(1))


def test_the_bytes_do_not_depend_on_the_number_of_processes(database, tmp_path):
    again = tmp_path / "again"
    arguments = ["--output", str(again), "--subjects", "2", "--seed", "5", "--frames", "3"]
    arguments += ["--size", "64", "--pose", "30", "--light", "--jobs", "2"]
    assert main(arguments) == 0
    assert contents(again) == contents(database)


def test_a_person_is_rendered_with_one_thread_of_linear_algebra(tmp_path, monkeypatch):
    """With several, OpenBLAS on a busy machine gave other bytes in one of four renderings."""
    rendered, seen = subject.render, []

    def render(*args, **options):
        seen.append(blas_threads())
        return rendered(*args, **options)

    monkeypatch.setattr(subject, "render", render)
    with threadpool_limits(2, "blas"):
        render_database(tmp_path / "one", subjects=1, seed=0, frames=2, size=64, progress=False)
        assert blas_threads() == {2}
    assert seen and set().union(*seen) == {1}


def blas_threads() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_another_seed_gives_other_people():
    one, other, same = person(5, 0), person(6, 0), person(5, 0)
    assert one.shape == same.shape
    assert not np.array_equal(one.skin, other.skin)
    assert one.shape != other.shape


def test_a_person_depends_on_neither_the_number_of_people_nor_of_frames(database, tmp_path):
    alone = tmp_path / "alone"
    render_database(alone, 1, 5, frames=2, size=64, pose=30, light=True, jobs=1, progress=False)
    peak = (database / "fear/p000_02.png").read_bytes()
    assert (alone / "fear/p000_01.png").read_bytes() == peak


def test_the_table_tells_the_truth_about_the_files(database):
    with open(database / "faces.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    paths = {name for name in contents(database) if name.endswith(".png")}
    assert {row["path"] for row in rows} == paths
    assert [row["path"] for row in rows] == sorted(paths)
    for row in rows:
        assert row["path"] == f"{row['label']}/{row['subject']}_{int(row['frame']):02d}.png"
        with Image.open(database / row["path"]) as image:
            assert (image.size, image.mode) == ((64, 64), "RGB")
        assert abs(float(row["yaw"])) <= 30
        assert abs(float(row["pitch"])) <= 12
        assert abs(float(row["roll"])) <= 6
    smiles = [row for row in rows if row["label"] == "happiness" and row["subject"] == "p001"]
    assert [float(row["intensity"]) for row in smiles] == [0, 0.5, 1]
    assert float(smiles[2]["au12_l"]) > 0.6
    assert float(smiles[0]["au12_l"]) < 0.2
    assert len({row["yaw"] for row in smiles}) == 1
    neutral = [row for row in rows if row["label"] == "neutral"]
    assert len(neutral) == 6
    units = [column(unit, side) for unit in ACTION_UNITS for side in "lr"]
    assert max(float(row[unit]) for row in neutral for unit in units) < 0.35


@pytest.mark.parametrize("label", EXPRESSIONS)
def test_expressions_grow_steadily_and_half_is_half(figures, label):
    for figure in figures:
        course = sequence(figure, label)
        start, half, peak = (course.at(time) for time in (0.0, 0.5, 1.0))
        steps = [course.at(time) for time in np.linspace(0, 1, 6)]
        for before, after in itertools.pairwise(steps):
            assert all(after[key] >= before[key] for key in before)
        moved = [
            np.linalg.norm(deform(figure, now) - deform(figure, start), axis=1).mean()
            for now in (half, peak)
        ]
        assert 0.4 < moved[0] / moved[1] < 0.6


def test_half_the_intensity_is_half_the_change_of_the_picture(figures):
    course = sequence(figures[1], "surprise")
    start, half, peak = (
        render(figures[1], course.at(time), size=96).astype(float) for time in (0.0, 0.5, 1.0)
    )
    # Where a fine edge moves, half the way changes more than half of its pixels.
    assert 0.35 < np.abs(half - start).mean() / np.abs(peak - start).mean() < 0.8


def test_a_neutral_face_moves_far_less_than_an_expression(figures):
    random = np.random.default_rng(0)
    for figure in figures:
        rest = [np.linalg.norm(deform(figure, at_rest(random)) - figure.vertices) for _ in "123"]
        shown = [
            np.linalg.norm(deform(figure, sequence(figure, label).at(1)) - figure.vertices)
            for label in EXPRESSIONS
        ]
        assert max(rest) < 0.4 * min(shown)


def test_no_neutral_face_frowns_or_droops():
    head = load_head()
    for index in range(12):
        shape = head.morphs.add(head.vertices.copy(), person(8, index).shape)
        for rule in _rules(head):
            difference = rule.measure(shape) - rule.measure(head.vertices)
            assert rule.band[0] - 0.02 <= difference <= rule.band[1] + 0.02


def test_contempt_is_one_sided(figures):
    for figure in figures:
        peak = sequence(figure, "contempt").at(1)
        left, right = peak.get((14, "l"), 0), peak.get((14, "r"), 0)
        assert max(left, right) > 0.7
        assert min(left, right) < 0.2


def test_a_triangle_covers_the_pixels_worked_out_by_hand():
    # Right angle at (0, 0), legs of 4 pixels. Centres with x + y <= 4: rows of 4, 3, 2, 1,
    # the hypotenuse included.
    corners = np.array([[0, 0, 0], [0, 4, 4], [4, 0, 8]], float)
    seen = rasterize(corners, np.array([[0, 1, 2]]), 5, 5)
    expected = [row * 5 + col for row in range(5) for col in range(5) if row + col + 1 <= 4]
    assert seen.pixel.tolist() == expected
    # Pixel (column 1, row 0) has its centre at (1.5, 0.5): weights 1 - 2/4, 0.5/4, 1.5/4.
    at = seen.pixel.tolist().index(1)
    np.testing.assert_allclose(seen.weight[at], [0.5, 0.125, 0.375], atol=1e-6)
    assert seen.depth[at] == pytest.approx(0.125 * 4 + 0.375 * 8)


def test_the_nearest_triangle_wins_whatever_the_order_and_backs_are_left_out():
    far = [[0, 0, 1], [0, 8, 1], [8, 0, 1]]
    # Crosses the far one: nearer at the left, farther at the right.
    crossing = [[0, 0, 3], [0, 8, 3], [8, 0, -3]]
    corners = np.array(far + crossing, float)
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        seen = rasterize(corners, np.array(order), 8, 8)
        depth = dict(zip(seen.pixel.tolist(), seen.depth.tolist(), strict=True))
        for pixel, found in depth.items():
            assert found == pytest.approx(max(1, 3 - 6 * (pixel % 8 + 0.5) / 8), abs=1e-5)
    assert len(rasterize(corners, np.array([[0, 2, 1]]), 8, 8).pixel) == 0
    assert len(rasterize(corners, np.array([[0, 2, 1]]), 8, 8, both_sides=True).pixel) == 36


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"--subjects": "0"}, "subjects"),
        ({"--frames": "1"}, "frames"),
        ({"--size": "8"}, "size"),
        ({"--pose": "90"}, "pose"),
        ({"--seed": "-1"}, "seed"),
        ({"--jobs": "0"}, "jobs"),
        ({"--output": "file"}, "file"),
        ({"--output": "full"}, "full"),
    ],
)
def test_a_bad_request_is_one_line_and_leaves_nothing(change, word, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/holiday.png").write_text("mine")
    before = contents(tmp_path)
    asked = {"--output": "new", "--subjects": "1", "--seed": "0"} | change
    asked["--output"] = str(tmp_path / asked["--output"])
    assert main([part for pair in asked.items() for part in pair]) == 2
    message = capsys.readouterr().err
    assert mentions(message, word) and message.count("\n") == 1
    assert contents(tmp_path) == before


def test_a_folder_of_other_images_is_not_replaced(tmp_path, capsys):
    table = tmp_path / "faces.csv"
    table.write_text("path,label,subject\nfear/anna_1.jpg,fear,anna\n")
    assert main(["--output", str(tmp_path), "--subjects", "1"]) == 2
    assert mentions(capsys.readouterr().err, tmp_path)
    assert list(tmp_path.iterdir()) == [table]
