"""Alignment: dlib's own pixels, eyes at their places, every detectable face found."""

from __future__ import annotations

import re

import dlib
import numpy as np
import pytest
from PIL import Image

from pipelines.common.errors import BadUse
from pipelines.faces import chips, scales
from pipelines.faces.alignment import FaceAligner, NoFaceFound
from pipelines.media import images

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
        # A mark painted on the image at the eye, cut with dlib, is found in the aligned face.
        marked = np.zeros(face.shape[:2], np.uint8)
        x, y = np.rint(point).astype(int)
        marked[y - 2 : y + 3, x - 2 : x + 3] = 255
        chip = dlib.extract_image_chip(marked, details).astype(float)
        rows, columns = np.indices(chip.shape)
        centre = np.array([(columns * chip).sum(), (rows * chip).sum()]) / chip.sum()
        np.testing.assert_allclose(eye, centre, atol=1.2)


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


def test_gray_images_give_gray_faces(aligner, face):
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


@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 300), (5000, 2), (1, 1_000_000), (20, 9000, 3), (64, 64, 3), (500, 500)]
)
def test_an_image_without_a_face_is_refused(aligner, shape):
    plain = np.full(shape, 90, np.uint8)
    assert aligner.find_all(plain) == []
    with pytest.raises(NoFaceFound, match="face"):
        aligner.align(plain)


def test_boxes_are_mostly_those_of_the_detector_on_the_whole_picture_upsampled(
    aligner, demo_people
):
    # The usual way with dlib, beside which this one is ten times faster.
    detector = dlib.get_frontal_face_detector()
    same = []
    for i, path in enumerate(sorted(demo_people.glob("*/*_01.png"))):
        canvas = np.full((480, 640, 3), 128, np.uint8)
        canvas[i : i + 384, 5 * i : 5 * i + 384] = images.resize(images.read(path), 384, 384)
        found = aligner.align(canvas)
        assert found.scale == "small"
        usual = max(detector(canvas, 1), key=lambda box: box.area())
        edges = (usual.left(), usual.top(), usual.right(), usual.bottom())
        assert scales.overlap(found.box, edges) > 0.4
        same.append(found.box == edges)
    assert np.mean(same) >= 0.7


@pytest.mark.parametrize(("side", "scale"), [(384, "small"), (130, "full"), (60, "upsampled")])
def test_the_largest_of_all_faces_is_the_one_that_align_takes(aligner, face, side, scale):
    canvas = np.full((480, 640, 3), 128, np.uint8)
    canvas[40 : 40 + side, 100 : 100 + side] = images.resize(face, side, side)
    one, everyone = aligner.align(canvas), aligner.find_all(canvas)
    assert one.scale == everyone[0].scale == scale
    np.testing.assert_array_equal(one.chip, everyone[0].chip)
    assert len(everyone) == 1


def test_a_small_face_beside_a_large_one_is_found_too(aligner, face):
    canvas = np.full((480, 640, 3), 128, np.uint8)
    canvas[50:434, 0:384] = images.resize(face, 384, 384)
    canvas[200:340, 450:590] = images.resize(face, 140, 140)
    everyone = aligner.find_all(canvas)
    assert [found.scale for found in everyone] == ["small", "full"]
    assert everyone[1].box[0] > 450
    np.testing.assert_array_equal(everyone[0].chip, aligner.align(canvas).chip)


def test_a_given_box_is_used_as_it_is(aligner, face):
    found = aligner.align(face)
    again = aligner.align(face, found.box)
    assert again.scale == "box"
    np.testing.assert_array_equal(again.chip, found.chip)


def test_a_given_box_chooses_the_face(aligner, face):
    canvas = np.full((420, 620, 3), 128, np.uint8)
    canvas[10:394, 10:394] = images.resize(face, 384, 384)
    canvas[100:292, 410:602] = face
    left, top, right, bottom = aligner.align(face).box
    found = aligner.align(canvas, (left + 410, top + 100, right + 410, bottom + 100))
    np.testing.assert_allclose(found.landmarks - [410, 100], aligner.align(face).landmarks, atol=1)


def test_a_given_box_is_clipped_to_the_picture(aligner, face):
    found = aligner.align(face, (-50, -20, 150, 191 + 40))
    assert found.box == (0, 0, 150, 191)


@pytest.mark.parametrize("box", [(-90, 10, -10, 90), (300, 300, 400, 400), (50, 50, 53, 120)])
def test_a_given_box_outside_the_image_is_refused_by_name(aligner, face, box):
    with pytest.raises(NoFaceFound, match=re.escape(str(box))):
        aligner.align(face, box)


def test_five_points_put_the_eyes_where_sixty_eight_do(aligner, demo_people):
    five = FaceAligner(points=5)
    apart = []
    for path in sorted(demo_people.glob("*/*_01.png")):
        image = images.read(path)
        few = five.align(image)
        assert few.landmarks.shape == (5, 2)
        many = aligner.align(image)
        # Both sets of eyes, as the 68 points see them, in the face aligned by five.
        a, b = chips.similarity(
            chips.eye_centres(few.landmarks).reshape(2, 2), few.eyes.reshape(2, 2)
        )
        eyes = chips.eye_centres(many.landmarks).reshape(2, 2) @ np.array([1, 1j]) * a + b
        apart.append(np.stack([eyes.real, eyes.imag], 1).ravel() - many.eyes)
    assert np.abs(np.mean(apart, axis=0)).max() < 2
    assert np.abs(apart).max() < 6


def test_only_two_landmark_models_are_known():
    with pytest.raises(BadUse, match=r"\b7\b.*\b68\b.*\b5\b"):
        FaceAligner(points=7)


def test_certainty_tells_a_face_that_stands_on_its_feet(aligner, demo_people):
    for path in sorted(demo_people.glob("neutral/*_00.png")):
        image = images.read(path)
        on_its_head = np.ascontiguousarray(image[::-1, ::-1])
        assert aligner.certainty(image) > 1 > aligner.certainty(on_its_head)
    assert aligner.certainty(np.full((100, 100), 90, np.uint8)) == 0


def test_a_face_near_the_corner_of_a_large_picture_has_its_border_repeated(aligner, face):
    left, top, right, bottom = aligner.align(face).box
    canvas = np.full((1500, 2000, 3), 128, np.uint8)
    part = face[top:, left:]
    canvas[: part.shape[0], : part.shape[1]] = part
    found = aligner.align(canvas, (0, 0, right - left, bottom - top))
    assert found.chip.min(axis=(1, 2)).min() > 0
    moved = found.landmarks + np.array([left, top])
    np.testing.assert_allclose(moved, aligner.align(face).landmarks, atol=4)
