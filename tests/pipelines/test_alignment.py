"""Alignment: dlib's own chip, eyes where they belong, nobody lost who can be found."""

from __future__ import annotations

import dlib
import numpy as np
import pytest
from PIL import Image

from pipelines import alignment, chips, images, scales
from pipelines.alignment import FaceAligner, NoFaceFound

EYES = np.array([40.6, 39.8, 85.7, 39.8])


@pytest.fixture(scope="module")
def aligner():
    return FaceAligner()


@pytest.fixture(scope="module")
def face(demo_people):
    """One neutral face, (192,192,3)."""
    return images.read(demo_people / "neutral" / "p000_00.png")


def test_eyes_of_every_face_land_at_row_40(aligner, demo_people):
    found = [aligner.align(images.read(path)).eyes for path in demo_people.glob("*/*_01.png")]
    assert len(found) == 24
    assert np.abs(np.mean(found, axis=0) - EYES).max() < 2
    assert np.abs(np.array(found) - EYES).max() < 6


def test_chip_is_dlibs_own(aligner, face):
    roomy = np.pad(face, ((60, 60), (60, 60), (0, 0)), mode="edge")
    found = aligner.align(roomy)
    points = dlib.points([dlib.point(int(x), int(y)) for x, y in found.landmarks])
    shape = dlib.full_object_detection(dlib.rectangle(*found.box), points)
    expected = dlib.get_face_chip(roomy, shape, size=128, padding=0.25)
    np.testing.assert_array_equal(found.chip, expected)


@pytest.mark.parametrize("turn", [-20, 0, 15])
def test_reported_eyes_are_where_the_chip_shows_them(aligner, face, turn):
    turned = np.asarray(Image.fromarray(face).rotate(turn, resample=Image.Resampling.BICUBIC))
    found = aligner.align(turned)
    assert abs(found.eyes[1] - found.eyes[3]) < 3
    details = dlib.get_face_chip_details(
        dlib.full_object_detection(
            dlib.rectangle(*found.box),
            dlib.points([dlib.point(int(x), int(y)) for x, y in found.landmarks]),
        ),
        128,
        0.25,
    )
    for eye, point in zip(
        found.eyes.reshape(2, 2),
        chips.eye_centres(found.landmarks).reshape(2, 2),
        strict=True,
    ):
        # A mark painted on the picture at the eye, cut with dlib, is found in the chip.
        marked = np.zeros(face.shape[:2], np.uint8)
        x, y = np.rint(point).astype(int)
        marked[y - 2 : y + 3, x - 2 : x + 3] = 255
        chip = dlib.extract_image_chip(marked, details).astype(float)
        rows, columns = np.indices(chip.shape)
        centre = np.array([(columns * chip).sum(), (rows * chip).sum()]) / chip.sum()
        np.testing.assert_allclose(eye, centre, atol=1.2)


def test_to_chip_of_an_upright_rectangle():
    # 255 pixels wide: two source pixels a chip pixel.
    corners = chips.to_chip(np.array([[10.0, 20.0], [264.0, 274.0]]), (10, 20, 264, 274), 0.0)
    np.testing.assert_allclose(corners, [[0, 0], [127, 127]])


def test_to_chip_of_a_quarter_turn():
    # Turned by a quarter about (50, 50), the chip's top left corner lies at the top right.
    corner = chips.to_chip(np.array([[100.0, 0.0]]), (0, 0, 100, 100), np.pi / 2)
    np.testing.assert_allclose(corner, [[0, 0]], atol=1e-9)


def test_eye_centres_are_the_means_of_their_six_points():
    points = np.zeros((68, 2))
    points[36:42] = [[0, 3], [1, 3], [2, 3], [3, 3], [4, 3], [8, 3]]
    points[42:48] = [10, 7]
    np.testing.assert_allclose(chips.eye_centres(points), [3, 3, 10, 7])


def test_source_box_undoes_scale_and_padding():
    # A box of 10…29 on a copy at half size is 20…59 on the source.
    assert alignment.source_box((10, 10, 29, 29), 0.5, 0) == (20, 20, 59, 59)
    assert alignment.source_box((10, 10, 29, 29), 2.0, 8) == (-3, -3, 6, 6)


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((480, 640), ["small", "full", "upsampled", "padded"]),
        ((192, 192), ["full", "upsampled", "padded"]),
        ((3000, 4000), ["small", "full"]),
        ((1, 60_000), ["small", "full", "upsampled", "padded"]),
    ],
)
def test_ladder_starts_cheap_and_stays_bounded(shape, names):
    rungs = list(scales.ladder(np.zeros(shape, np.uint8)))
    assert [rung.name for rung in rungs] == names
    assert all(rung.gray.size <= max(4_000_000, np.prod(shape)) for rung in rungs)
    if names[0] == "small":
        assert max(rungs[0].gray.shape) == 320


def test_a_small_face_is_found_by_a_later_rung(aligner, face):
    assert aligner.align(images.resize(face, 64, 64)).scale == "upsampled"


def test_a_large_photograph_is_searched_small_and_cut_sharp(aligner, face):
    large = images.resize(face, 960, 960)
    found = aligner.align(large)
    assert found.scale == "small"
    np.testing.assert_allclose(found.landmarks / 5, aligner.align(face).landmarks, atol=5)


def test_a_face_cut_by_the_border_is_found_and_has_no_black_bar(aligner, face):
    left, top, right, bottom = aligner.align(face).box
    found = aligner.align(face[top:bottom, left:right])
    assert found.chip.shape == (128, 128, 3)
    assert found.chip.min(axis=(1, 2))[[0, -1]].min() > 0
    assert np.abs(found.eyes - EYES).max() < 8


def test_gray_pictures_give_gray_chips(aligner, face):
    found = aligner.align(images.to_gray(face))
    assert found.chip.shape == (128, 128)
    np.testing.assert_allclose(found.landmarks, aligner.align(face).landmarks, atol=4)


def test_largest_face_wins_and_all_are_found(aligner, demo_people, face):
    other = images.resize(images.read(demo_people / "neutral" / "p001_00.png"), 384, 384)
    canvas = np.full((420, 620, 3), 128, np.uint8)
    canvas[10:394, 10:394] = other
    canvas[100:292, 410:602] = face
    everyone = aligner.find_all(canvas)
    assert len(everyone) == 2
    assert everyone[0].box[0] < 394 < everyone[1].box[0]
    assert aligner.align(canvas).landmarks[:, 0].max() < 410


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (5000, 2), (64, 64, 3), (500, 500)])
def test_a_picture_without_a_face_says_so(aligner, shape):
    picture = np.full(shape, 90, np.uint8)
    assert aligner.find_all(picture) == []
    with pytest.raises(NoFaceFound, match="no face"):
        aligner.align(picture)


@pytest.mark.parametrize("side", [48, 96, 128, 200])
def test_cropped_faces_are_resized_whole(side):
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    chip = alignment.resize_to_chip(np.tile(ramp, (side, 1)))
    assert chip.shape == (128, 128)
    np.testing.assert_allclose(chip[64], np.linspace(0, 255, 128), atol=3)
