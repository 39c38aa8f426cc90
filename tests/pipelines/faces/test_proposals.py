"""Faces near proposed boxes: those of the whole search, without searching the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.faces import chips
from pipelines.faces.alignment import FaceAligner, Proposal
from pipelines.media import images


@pytest.fixture(scope="module")
def aligner():
    return FaceAligner()


@pytest.fixture(scope="module")
def face(demo_people):
    return images.read(demo_people / "neutral" / "p000_00.png")


def on_canvas(*placed):
    canvas = np.full((480, 640, 3), 128, np.uint8)
    for face, side, x, y in placed:
        canvas[y : y + side, x : x + side] = images.resize(face, side, side)
    return canvas


def moved(box, share):
    """A box, moved and widened by a share of its width."""
    by = round(share * (box[2] - box[0]))
    return box[0] - by, box[1], box[2] + 2 * by, box[3] + 3 * by


@pytest.mark.parametrize("side", [384, 300, 220, 150])
@pytest.mark.parametrize("share", [0, 0.08, -0.08])
def test_a_face_near_a_proposal_is_the_one_of_align_to_the_pixel(aligner, face, side, share):
    image = on_canvas((face, side, 90, 60))
    expected = aligner.align(image)
    (found,) = aligner.find_all(image, [Proposal(moved(expected.box, share))])
    assert found.box == expected.box and found.scale == expected.scale
    np.testing.assert_array_equal(found.chip, expected.chip)


def test_each_proposal_gives_its_face_the_largest_first(aligner, face):
    image = on_canvas((face, 384, 0, 50), (face, 140, 450, 200))
    everyone = aligner.find_all(image)
    proposals = [Proposal(each.box) for each in everyone]
    found = aligner.find_all(image, [proposals[1], proposals[0], proposals[1]])
    assert [each.box for each in found] == [each.box for each in everyone]
    assert [each.box for each in aligner.find_all(image, proposals[1:])] == [everyone[1].box]


def test_a_proposal_of_nothing_gives_nothing(aligner, face):
    image = on_canvas((face, 150, 20, 20))
    assert aligner.find_all(image, [Proposal((400, 250, 550, 400))]) == []
    assert aligner.find_all(image, []) == []
    assert aligner.find_all(np.zeros((9, 400), np.uint8), [Proposal((0, 0, 8, 8))]) == []


def test_a_face_that_dlib_does_not_detect_is_aligned_by_its_eyes_and_mouth(aligner, face):
    # Upside down: dlib detects nothing, and the eyes lie at row 40 nevertheless.
    upright = on_canvas((face, 300, 90, 60))
    eyes = aligner.align(upright).landmarks
    left, right = chips.eye_centres(eyes).reshape(2, 2)
    mouth = (eyes[48] + eyes[54]) / 2
    anchors = np.array([right, left, mouth]) * -1 + [639, 479]
    turned = np.ascontiguousarray(upright[::-1, ::-1])
    box = (300, 150, 520, 370)
    assert aligner.find_all(turned, [Proposal(box)]) == []
    # Left in the image is the person's other eye now.
    (found,) = aligner.find_all(turned, [Proposal(box, tuple(anchors[[1, 0, 2]].ravel()))])
    assert (found.box, found.scale) == (box, "anchors")
    np.testing.assert_allclose(found.eyes, [41, 40, 86, 40], atol=3)
    impossible = tuple(anchors[[0, 1, 2]].ravel())
    assert aligner.find_all(turned, [Proposal(box, impossible)]) == []
