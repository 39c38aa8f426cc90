"""The geometry of chips: points to pixels, borders repeated, areas averaged."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.faces import chips
from pipelines.faces.chips import NoFaceFound


def test_to_face_of_an_upright_rectangle():
    # 255 pixels wide: two source pixels a chip pixel.
    corners = chips.to_face(np.array([[10.0, 20.0], [264.0, 274.0]]), (10, 20, 264, 274), 0.0)
    np.testing.assert_allclose(corners, [[0, 0], [127, 127]])


def test_to_face_of_a_quarter_turn():
    # Turned by a quarter about (50, 50), the chip's top left corner lies at the top right.
    corner = chips.to_face(np.array([[100.0, 0.0]]), (0, 0, 100, 100), np.pi / 2)
    np.testing.assert_allclose(corner, [[0, 0]], atol=1e-9)


def test_reach_of_an_eighth_turn():
    # A square of side 2 about (0, 0), turned by 45°, reaches out to √2.
    np.testing.assert_allclose(
        chips.reach((-1, -1, 1, 1), np.pi / 4), np.array([-1, -1, 1, 1]) * np.sqrt(2)
    )


def test_eye_centres_are_the_means_of_their_points():
    points = np.zeros((68, 2))
    points[36:42] = [[0, 3], [1, 3], [2, 3], [3, 3], [4, 3], [8, 3]]
    points[42:48] = [10, 7]
    np.testing.assert_allclose(chips.eye_centres(points), [3, 3, 10, 7])
    # dlib's five: the right eye's outer and inner corner, the left one's, the nose.
    five = np.array([[90, 40], [70, 42], [30, 41], [50, 43], [60, 70]])
    np.testing.assert_allclose(chips.eye_centres(five), [40, 42, 80, 41])


def test_a_window_repeats_the_border_outside():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(chips.window(image, (1, 0, 2, 1)), [[1, 2], [5, 6]])
    np.testing.assert_array_equal(chips.window(image, (-2, 1, 0, 3)), [[4] * 3, [8] * 3, [8] * 3])


def test_similarity_is_found_exactly():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 2))
    turned = 3 * points @ np.array([[0, 1], [-1, 0]]) + [5, -2]
    a, b = chips.similarity(points, turned)
    # x, y → -y, x is a quarter turn: multiplication by i.
    assert a == pytest.approx(3j)
    assert b == pytest.approx(5 - 2j)


def test_warp_without_change_gives_the_picture():
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    np.testing.assert_array_equal(chips.warp(image, 1, 0), image)


def test_warp_by_whole_pixels_moves_and_repeats_the_border():
    image = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    # Chip x is source x + 10, chip y is source y - 3.
    moved = chips.warp(image, 1, 10 - 3j)
    np.testing.assert_array_equal(moved[:125, 10:], image[3:, :118])
    np.testing.assert_array_equal(moved[:, 4], moved[:, 10])
    np.testing.assert_array_equal(moved[127], moved[124])


@pytest.mark.parametrize("factor", [0.1, 0.25, 0.37, 0.8, 1.0, 1.64, 5.0])
def test_warp_puts_a_mark_where_the_formula_says(factor):
    side = round(160 / factor)
    image = np.zeros((side, side), np.uint8)
    x, y = 0.3 * side, 0.4 * side
    rows, columns = np.indices(image.shape)
    image[(columns - x) ** 2 + (rows - y) ** 2 < (8 / factor) ** 2] = 255
    rows, columns = np.nonzero(image)
    a = factor * np.exp(0.3j)
    b = 70 + 60j - a * (x + 1j * y)
    chip = chips.warp(image, a, b).astype(float)
    expected = a * (columns.mean() + 1j * rows.mean()) + b
    area = len(rows) * factor**2
    rows, columns = np.indices(chip.shape)
    centre = np.array([(columns * chip).sum(), (rows * chip).sum()]) / chip.sum()
    np.testing.assert_allclose(centre, [expected.real, expected.imag], atol=0.15)
    # The mark's area grows with the square of the factor: nothing is skipped when
    # shrinking (bicubic undershoot is cut off at black: some per cent when enlarging).
    assert chip.sum() / 255 == pytest.approx(area, rel=0.06)


def test_warp_averages_when_it_shrinks():
    # A chessboard of single pixels, ten to a chip pixel, is even gray.
    board = (np.indices((1400, 1400)).sum(0) % 2 * 255).astype(np.uint8)
    chip = chips.warp(board, 0.1 * np.exp(0.2j), 20 - 5j)
    assert np.ptp(chip) <= 12
    assert abs(chip.mean() - 127.5) < 1


def test_warp_of_a_single_pixel_is_its_colour():
    assert (chips.warp(np.full((1, 1, 3), 7, np.uint8), 30 + 2j, 60 + 60j) == 7).all()


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([[10, 10], [10, 10], [10, 10]], r"\b2 pixels\b"),
        ([[10, 10], [np.nan, 10], [20, 30]], "finite"),
        ([[10, 10], [90, 10], [200, 30]], "100×100"),
        ([[-8, 10], [40, 10], [20, 30]], "100×100"),
        ([[80, 40], [20, 40], [50, 90]], "order"),
        ([[20, 40], [80, 40], [50, 0]], "order"),
    ],
)
def test_points_of_no_face_are_refused_with_the_reason(points, reason):
    with pytest.raises(NoFaceFound, match=reason):
        chips.cut_by_points(np.zeros((100, 100), np.uint8), np.array(points, float))


@pytest.mark.parametrize("side", [48, 96, 128, 200])
def test_cropped_faces_are_resized_whole(side):
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    chip = chips.resize_face(np.tile(ramp, (side, 1)))
    assert chip.shape == (128, 128)
    np.testing.assert_allclose(chip[64], np.linspace(0, 255, 128), atol=3)
