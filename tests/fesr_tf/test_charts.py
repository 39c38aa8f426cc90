"""Charts: bars as high as their values, marks by kind, nothing cut off at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf.plots import charts
from fesr_tf.plots.charts import BAR, PALETTE, Bar


def inked(sheet: np.ndarray, colour) -> np.ndarray:
    return (sheet == np.array(colour)).all(-1)


def edges_are_blank(sheet: np.ndarray) -> bool:
    return all((edge == 255).all() for edge in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]))


def test_bars_are_as_high_as_their_values():
    bars = [Bar(f"V{i}", value, None, (), "") for i, value in enumerate((0.25, 0.5, 1.0))]
    sheet = charts.bars(bars, "title")
    columns = np.flatnonzero(inked(sheet, BAR).any(0))
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    assert len(groups) == 3
    # 600 pixels stand for 100 %.
    heights = [inked(sheet, BAR)[:, group[len(group) // 4]].sum() for group in groups]
    assert heights == pytest.approx([150, 300, 600], abs=3)
    assert edges_are_blank(sheet)


def test_a_bar_that_was_not_run_has_no_ink_and_keeps_its_place():
    whole = charts.bars(
        [Bar("A", 0.5, (0.4, 0.6), (0.5,), "x"), Bar("B", None, None, (), "y")], "t"
    )
    colour = inked(whole, BAR)
    assert colour[:, : whole.shape[1] // 2 + 56].any() and not colour[:, -216:].any()


def test_an_interval_reaches_from_its_low_to_its_high_end():
    without, with_it = (
        charts.bars([Bar("A", 0.5, interval, (), "")], "t") for interval in (None, (0.2, 0.7))
    )
    middle = 2 * (56 + 54)
    # The value's own number stands above the interval and moves with it.
    bottom = 2 * (64 + 300)
    dark = (with_it[:, middle] < 60).all(-1)
    assert dark[bottom - 2 * 210 + 4 : bottom - 2 * 60 - 4].all()
    assert not dark[bottom - 2 * 60 + 4 : bottom - 4].any()
    assert (without != with_it).any()


def test_marks_are_discs_and_hollow_triangles_in_the_colour_of_the_class():
    places = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    labels, drawn = np.array([0, 1, 2, 3]), np.array([False, False, True, True])
    sheet = charts.points(places, labels, drawn, "title", ["a note", "another"])
    middles = {}
    for k in range(4):
        found = np.argwhere(inked(sheet, PALETTE[k]))
        assert len(found)
        middles[k] = found.mean(0).round().astype(int)
    # Filled and hollow: what is in the middle of each.
    for k in (0, 1):
        assert (sheet[tuple(middles[k])] == PALETTE[k]).all()
    for k in (2, 3):
        assert (sheet[tuple(middles[k])] == 255).all()
    assert middles[0][1] < middles[1][1] and middles[0][0] < middles[2][0]
    assert edges_are_blank(sheet)


def test_colours_differ_for_the_usual_eight_classes():
    assert len(set(PALETTE)) == 8
    legend = charts.legend([f"class {k}" for k in range(8)], ("real", "drawn"), 5, 800)
    assert all(inked(legend, colour).sum() >= 100 for colour in PALETTE)
    assert legend.shape[1] == 1600 and edges_are_blank(legend)


def test_stacked_and_beside_keep_every_pixel():
    random = np.random.default_rng(0)
    first, second = (random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((5, 9), (7, 4)))
    below = charts.stacked([first, second])
    assert below.shape == (12, 9, 3)
    np.testing.assert_array_equal(below[:5], first)
    np.testing.assert_array_equal(below[5:, :4], second)
    aside = charts.beside([first, second])
    assert aside.shape == (7, 13, 3)
    np.testing.assert_array_equal(aside[:, 9:], second)
    assert charts.stacked([first], "a title").shape[0] == 5 + 2 * charts.TITLE + 4
