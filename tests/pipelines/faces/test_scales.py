"""The ladder of scales: cheap first, bounded, and on the grid of dlib's own search."""

from __future__ import annotations

import dlib
import numpy as np
import pytest

from pipelines.faces import scales
from pipelines.faces.scales import Rung
from pipelines.media import images


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((480, 640), ["small", "small", "full", "upsampled", "padded"]),
        ((192, 192), ["full", "upsampled", "padded"]),
        ((240, 320), ["full", "upsampled", "padded"]),
        ((3000, 4000, 3), ["small"] * 4 + ["full", "padded"]),
        ((8192, 8192), ["small"] * 4 + ["full", "padded"]),
        ((20, 60_000), ["small"] * 4 + ["full", "padded"]),
        ((1, 60_000), []),
    ],
)
def test_ladder_starts_cheap_and_stays_bounded(shape, names):
    rungs = list(scales.ladder(np.zeros(shape, np.uint8)))
    assert [rung.name for rung in rungs] == names
    assert all(rung.gray.ndim == 2 for rung in rungs)
    searched = [rung.gray.size * 4**rung.upsample for rung in rungs]
    assert all(size <= 2**24 for size in searched)
    assert all(
        size <= 4_050_000
        for rung, size in zip(rungs, searched, strict=True)
        if rung.name in ("upsampled", "padded")
    )
    if "small" in names:
        assert 200 < max(rungs[0].gray.shape) < 280


def test_padded_boxes_come_back_without_scale_and_border():
    rung = Rung("padded", np.zeros((1, 1), np.uint8), factor=2.0, pad=8)
    # On the copy of twice the size, 8 pixels of border: 10…29 is 2…21 there, 1…10 here.
    assert rung.source_box((10, 10, 29, 29)) == (1, 1, 10, 10)


def test_level_sizes_shrink_by_a_sixth():
    # 1280×960 is twice the size; 5/6 of it 1066.7×800, whole pixels kept.
    assert [scales.level_size((640, 480), level) for level in (0, 1, 2)] == [
        (1280, 960),
        (1066, 800),
        (888, 666),
    ]


def test_every_box_of_dlibs_search_lies_on_the_grid(demo_people):
    detector = dlib.get_frontal_face_detector()
    edges = [
        {
            (scales.grid_edge(cell, level, axis), scales.grid_edge(cell + 9, level, axis))
            for level in range(14)
            for cell in range(-10, 60)
        }
        for axis in (0, 1)
    ]
    seen = 0
    for i, path in enumerate(sorted(demo_people.glob("*/*_00.png"))):
        side = 120 + 12 * i
        for box in detector(images.resize(images.read(path), side, side), 1):
            assert (box.left(), box.right()) in edges[0]
            assert (box.top(), box.bottom()) in edges[1]
            seen += 1
    assert seen >= 20


@pytest.mark.parametrize("level", [4, 7])
def test_a_closeup_shows_what_the_level_shows(level):
    # Smooth, so that resampling cannot explain a shift.
    y, x = np.indices((480, 640))
    image = (127 + 60 * np.sin(x / 25) + 60 * np.cos(y / 31)).astype(np.uint8)
    whole = scales.scaled(image, scales.level_size((640, 480), level))
    close = scales.closeup(image, (250, 180, 370, 300), level)
    left, top = close.origin
    height, width = close.gray.shape
    assert left % 48 == top % 48 == 0
    part = whole[top : top + height, left : left + width].astype(int)
    assert np.abs(close.gray - part).mean() < 2


def test_overlap_of_boxes():
    # 10×10 and 10×10, half of it shared: 50 of 150 pixels.
    assert scales.overlap((0, 0, 9, 9), (5, 0, 14, 9)) == pytest.approx(1 / 3)
    assert scales.overlap((0, 0, 9, 9), (20, 0, 29, 9)) == 0
