"""Charts: what is drawn lies where its number says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from fesr_tf.report.charts import Bar, curves, intervals, legend, nice_ticks, ticked
from fesr_tf.results.curves import thinned


def shapes(svg: str, tag: str) -> list[dict]:
    return [each.attrib for each in ElementTree.fromstring(svg).iter(tag)]


def texts(svg: str) -> list[str]:
    return [each.text for each in ElementTree.fromstring(svg).iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.93, 0.994, [0.92, 0.94, 0.96, 0.98, 1.0]),
        (-3.0, 41.0, [-10.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
        (2.0, 2.0, [2.0, 2.5]),
    ],
)
def test_ticks_are_round_and_hold_what_is_shown(low, high, expected):
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_ticks_that_are_near_are_told_apart():
    ticks = nice_ticks(2.0793, 2.0796)
    assert len({ticked(tick, ticks) for tick in ticks}) == len(ticks)


def test_a_bar_is_as_long_as_its_share_and_its_interval_lies_around_its_end():
    svg = intervals([Bar("R", 0.25, 0.1, 0.4, (0.2, 0.3), 7, "25.0")], "accuracy")
    (bar,) = shapes(svg, "rect")
    left, wide = float(bar["x"]), float(bar["width"])
    # The axis ends at the first round tick beyond 0.4, so that 0.25 is 0.25/0.4 of 228 units.
    assert wide == pytest.approx(0.25 / 0.4 * (360 - 92 - 40), abs=0.06)
    whisker = next(line for line in shapes(svg, "line") if line["stroke-width"] == "1.5")
    assert float(whisker["x1"]) == pytest.approx(left + wide * 0.1 / 0.25, abs=0.1)
    assert float(whisker["x2"]) == pytest.approx(left + wide * 0.4 / 0.25, abs=0.1)
    circles = [float(each["cx"]) for each in shapes(svg, "circle")]
    assert circles == pytest.approx([left + wide * v / 0.25 for v in (0.2, 0.3)], abs=0.1)
    assert 'data-figure="7">25.0<' in svg


def test_where_all_is_high_dots_stand_for_bars_and_the_axis_says_where_it_begins():
    svg = intervals([Bar("R", 0.95, 0.9, 0.98, (), 0, "95.0")], "accuracy")
    assert shapes(svg, "rect") == [] and len(shapes(svg, "circle")) == 1
    assert any(text.startswith("accuracy") and text.endswith(" 90") for text in texts(svg))


def test_what_was_not_run_has_no_bar():
    svg = intervals([Bar("R", None, None, None, (), 3, "not run")], "accuracy")
    assert shapes(svg, "rect") == [] and "not run" in texts(svg)


def test_a_curve_goes_from_its_first_point_to_its_last():
    svg = curves({"a": [(0, 0.0), (50, 1.0), (100, 0.5)]}, ["a"], "loss", (0.0, 1.0))
    (line,) = shapes(svg, "polyline")
    points = [tuple(map(float, pair.split(","))) for pair in line["points"].split()]
    # 54 to 352 across, 8 (top) to 178 down.
    assert points == [(54.0, 178.0), (203.0, 8.0), (352.0, 93.0)]


def test_a_single_point_is_a_dot():
    svg = curves({"a": [(40, 0.1)], "b": [(40, 0.3)]}, ["a", "b"], "loss")
    assert len(shapes(svg, "circle")) == 2 and any(
        re.search(r"\b40\b", text) for text in texts(svg)
    )


def test_lines_differ_in_colour_and_in_dashes_and_the_legend_shows_both():
    names = [f"v{i}" for i in range(7)]
    drawn = re.findall(
        r'stroke="(#\w+)" stroke-width="2.5"( stroke-dasharray="[\d ]+")?', legend(names)
    )
    assert len(set(drawn)) == 7 and len({colour for colour, _ in drawn}) == 7


def test_thinning_keeps_the_ends_and_invents_nothing():
    curve = [(step, step**2 / 7) for step in range(1000)]
    few = thinned(curve, 60)
    assert len(few) == 60 and few[0] == curve[0] and few[-1] == curve[-1]
    assert set(few) <= set(curve)
    assert thinned(curve[:60], 60) == curve[:60]
