"""Labelled pictures: the faces are where they belong, and nothing is lost at the edges."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from fesr_tf.plots import annotations, image_grids
from fesr_tf.plots.palette import BOXES

CLASSES = ("neutral", "happiness", "surprise")


def flat(value: int, size: int = 16) -> np.ndarray:
    return np.full((size, size, 1), value, np.uint8)


def test_a_png_holds_the_very_pixels():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image_grids.png(image)))), image)


def test_the_grid_keeps_rows_and_columns_apart():
    rows = [[flat(10), flat(60), None], [flat(110), flat(160), flat(210)]]
    sheet = image_grids.grid(rows, ["a", "b", "c"], ["one", "two"], "title", cell=32)
    # Smoothed letters share a few of these grays; the median is the face's all the same.
    found = {
        value: np.median(np.argwhere((sheet == value).all(-1)), axis=0).round()
        for value in (10, 60, 110, 160, 210)
    }
    assert all((sheet == value).all(-1).sum() >= 32 * 32 for value in found)
    assert found[10][0] == found[60][0] < found[110][0]
    assert found[10][1] == found[110][1] < found[60][1] == found[160][1] < found[210][1]


def test_small_faces_are_enlarged_and_gray_becomes_rgb():
    sheet = image_grids.grid([[flat(50, 8)]], cell=64)
    assert (sheet == 50).all(-1).sum() == 64 * 64


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\b1\b.*\b2\b|\b2\b.*\b1\b"):
        image_grids.grid([[flat(1), flat(2)]], ["only one"])


def test_pictures_other_than_uint8_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        image_grids.png(np.zeros((4, 4), np.float32))


def test_stacked_images_keep_every_pixel_below_a_title():
    random = np.random.default_rng(0)
    first, second = (random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((5, 9), (7, 4)))
    below = image_grids.stacked([first, second])
    assert below.shape == (12, 9, 3)
    np.testing.assert_array_equal(below[:5], first)
    np.testing.assert_array_equal(below[5:, :4], second)
    titled = image_grids.stacked([first], "a title")
    np.testing.assert_array_equal(titled[-5:, :9], first)
    assert (titled[:-5] < 128).any()


def test_the_annotated_copy_holds_the_photograph_and_a_box_and_bars():
    photo = np.full((500, 600, 3), 128, np.uint8)
    shares = np.array([[0.1, 0.8, 0.1], [0.6, 0.2, 0.2]])
    boxes = [(100, 100, 200, 220), (560, 2, 598, 60)]
    copy = annotations.annotate(photo, boxes, shares, CLASSES)
    assert copy.shape[0] == 500 and copy.shape[1] > 600
    np.testing.assert_array_equal(copy[160, 150], photo[160, 150])
    for i in range(2):
        inked = np.argwhere((copy == np.array(ImageColor.getrgb(BOXES[i]))).all(-1))
        assert (inked[:, 1] < 600).any() and (inked[:, 1] >= 600).any()
    assert (photo == 128).all()


def test_small_photographs_and_many_faces_are_annotated():
    shares = np.full((40, 3), 1 / 3)
    boxes = [(1, 1, 20, 20)] * 40
    copy = annotations.annotate(np.zeros((60, 80), np.uint8), boxes, shares, CLASSES)
    assert copy.shape[0] == 480
    assert (
        annotations.annotate(np.zeros((60, 80), np.uint8), [], shares[:0], CLASSES).shape[1] == 640
    )
