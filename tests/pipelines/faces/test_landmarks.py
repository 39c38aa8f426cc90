"""Chips by landmarks that somebody else measured."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.faces import chips
from pipelines.faces.alignment import FaceAligner
from pipelines.faces.chips import NoFaceFound
from pipelines.faces.landmarks import align_by_anchors, align_by_landmarks, read_landmarks
from pipelines.media import images

# Where the template lies in an image of 400×300 in which a pixel of the aligned face is two pixels.
ANCHORS = (82 + 30, 80 + 20, 172 + 30, 80 + 20, 127 + 30, 176 + 20)


def written(points: np.ndarray) -> str:
    """As CK+ writes them."""
    return "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points)


def test_files_of_landmarks_come_back():
    points = np.random.default_rng(0).uniform(0, 640, (68, 2))
    np.testing.assert_allclose(read_landmarks(written(points)), points, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"\b0\b.*\b68\b"),
        ("1 2\n" * 67, r"\b67\b.*\b68\b"),
        ("1 2\n" * 67 + "1\n", r"\brow 68\b"),
        ("1 2\n" * 67 + "1 x\n", r"\bnumber\b"),
        ("1 2\n" * 67 + "nan 1\n", "finite"),
    ],
)
def test_files_that_are_not_landmarks_say_why(text, reason):
    with pytest.raises(NoFaceFound, match=reason):
        read_landmarks(text)


def test_landmarks_give_nearly_dlibs_chip(demo_people):
    aligner = FaceAligner()
    moves = [(dy, dx) for dy in (-4, 0, 4) for dx in (-4, 0, 4)]
    for path in sorted(demo_people.glob("neutral/*.png")):
        image = images.read(path)
        found = aligner.align(image)
        given = align_by_landmarks(image, read_landmarks(written(found.landmarks)))
        assert given.scale == "landmarks"
        assert np.abs(given.eyes - found.eyes).max() < 2.5
        # And the pixels: the two faces agree better unmoved than moved by four.
        apart = [given.chip - np.roll(found.chip, move, (0, 1)).astype(float) for move in moves]
        assert np.argmin([np.abs(each[8:-8, 8:-8]).mean() for each in apart]) == 4


def test_landmarks_put_the_eyes_near_dlibs_on_average(demo_people):
    aligner = FaceAligner()
    photos = [images.read(path) for path in sorted(demo_people.glob("*/*_01.png"))]
    faces = [aligner.align(photo) for photo in photos]
    given = [align_by_landmarks(p, f.landmarks).eyes for p, f in zip(photos, faces, strict=True)]
    assert np.abs(np.mean([f.eyes for f in faces], 0) - np.mean(given, 0)).max() < 2


def test_anchors_on_the_template_leave_the_picture_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    found = align_by_anchors(image, (41, 40, 86, 40, 63.5, 88))
    np.testing.assert_array_equal(found.chip, image)
    np.testing.assert_allclose(found.eyes, [41, 40, 86, 40])
    assert found.box == (41, 40, 86, 88)


def test_anchors_twice_as_far_apart_halve_the_picture():
    y, x = np.indices((300, 400))
    image = ((x + 2 * y) / 5).astype(np.uint8)
    chip = align_by_anchors(image, ANCHORS).chip
    rows, columns = np.indices((128, 128))
    # Chip pixel (u, v) lies at (2u + 30, 2v + 20) of a ramp.
    expected = (2 * columns + 30 + 2 * (2 * rows + 20)) / 5
    np.testing.assert_allclose(chip, expected, atol=1.5)
    assert chip.shape == (128, 128)


def test_a_48_pixel_face_fills_the_chip_with_its_borders_repeated():
    image = np.full((48, 48), 200, np.uint8)
    image[:3] = 50
    chip = align_by_anchors(image, (10, 10, 37.5, 10, 24, 39)).chip
    assert chip[:5].max() <= 60
    assert abs(int(chip[60, 0]) - 200) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (8192, 3), (300, 400, 3)])
def test_images_too_small_for_their_landmarks_say_so(shape):
    with pytest.raises(NoFaceFound):
        align_by_anchors(np.zeros(shape, np.uint8), (1e6, 1e6, 2e6, 1e6, 1.5e6, 2e6))
    with pytest.raises(NoFaceFound):
        align_by_landmarks(np.zeros(shape, np.uint8), np.full((68, 2), 0.5))


def test_a_huge_picture_is_cut_without_being_copied():
    image = np.zeros((8192, 8192), np.uint8)
    a, b = chips.similarity(chips.TEMPLATE, chips.TEMPLATE * 64)
    corners = (chips.TEMPLATE @ np.array([1, 1j])) * a + b
    anchors = np.stack([corners.real, corners.imag], 1).ravel()
    assert align_by_anchors(image, anchors).chip.shape == (128, 128)


@pytest.mark.parametrize("count", [5, 67, 69])
def test_another_number_of_landmarks_is_refused(count):
    with pytest.raises(NoFaceFound, match=rf"\b{count}\b.*\b68\b"):
        align_by_landmarks(np.zeros((100, 100), np.uint8), np.ones((count, 2)))
