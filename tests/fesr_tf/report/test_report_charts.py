"""Charts: every mark stands where its value is, and a page may hold several charts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from fesr_tf.plots.palette import COLOURS
from fesr_tf.report.charts import Row, accuracies, curves, stroke, swatch
from fesr_tf.results.curves import thinned

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> dict[str, float]:
    """{text: its x}."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return {each.text: float(each.get("x")) for each in found}


def paths(svg: str, style: str) -> list[list[tuple[float, float]]]:
    """The corners of each path with this in its style."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}path")
    corners = [
        re.findall(r"[ML] (\S+) (\S+)", e.get("d")) for e in found if style in e.get("style")
    ]
    return [[(float(x), float(y)) for x, y in each] for each in corners]


def shares(svg: str, xs: list[float], low: tuple[str, float], high: tuple[str, float]) -> list:
    """Values at these places, by two labels of the axis."""
    at = texts(svg)
    start, end = at[low[0]], at[high[0]]
    return [low[1] + (x - start) / (end - start) * (high[1] - low[1]) for x in xs]


def test_a_value_its_interval_and_its_folds_stand_at_their_shares():
    svg = accuracies([Row("R", 0.25, (0.1, 0.4), (0.2, 0.3), 7, "25.0")], "accuracy")
    axis = (("0", 0.0), ("40", 0.4))
    (dot,) = paths(svg, f"stroke: {COLOURS[0]}")
    (interval,) = paths(svg, "stroke-width: 1.4")
    folds = paths(svg, "stroke-width: 3")
    assert shares(svg, [dot[0][0]], *axis) == pytest.approx([0.25], abs=2e-3)
    assert shares(svg, [x for x, _ in interval], *axis) == pytest.approx([0.1, 0.4], abs=2e-3)
    assert shares(svg, [fold[0][0] for fold in folds], *axis) == pytest.approx([0.2, 0.3], abs=2e-3)
    assert re.search(r'<g data-figure="7">\s*<text[^>]*>25\.0<', svg)


@pytest.mark.parametrize(
    ("value", "ends", "start"), [(0.95, (0.9, 0.98), "90"), (0.6, (0.4, 0.8), "0")]
)
def test_the_axis_begins_at_0_unless_all_is_high(value, ends, start):
    svg = accuracies([Row("R", value, ends, (), 0, "")], "accuracy")
    assert min(texts(svg), key=texts(svg).get) == "R" and start in texts(svg)
    assert any("90" in text and "axis" in text for text in texts(svg)) == (start == "90")


def test_what_was_not_run_has_no_mark():
    svg = accuracies([Row("R", None, None, (), 3, "not run")], "accuracy")
    assert paths(svg, f"stroke: {COLOURS[0]}") == [] and "not run" in texts(svg)


def test_a_curve_goes_from_its_first_point_to_its_last():
    svg = curves({"a": [(0, 0.0), (50, 1.0), (100, 0.5)]}, ["a"], "loss", (0.0, 1.0))
    (((x0, y0), (x1, y1), (x2, y2)),) = paths(svg, f"stroke: {COLOURS[0]}")
    assert x1 - x0 == pytest.approx(x2 - x1, abs=1e-3)
    assert y1 < y2 < y0 and y0 - y2 == pytest.approx(y2 - y1, abs=1e-3)


def test_a_single_point_is_a_dot():
    svg = curves({"a": [(40, 0.1)], "b": [(40, 0.3)]}, ["a", "b"], "loss")
    for colour in COLOURS[:2]:
        ((start, end),) = paths(svg, f"stroke: {colour}")
        assert start == end
    assert "40" in texts(svg)


def test_values_that_are_near_have_different_labels():
    svg = curves({"a": [(0, 2.0793), (9, 2.0796)]}, ["a"], "loss")
    labels = [text for text in texts(svg) if text.startswith("2.07")]
    assert len(labels) == len(set(labels)) > 1


def test_lines_differ_in_colour_and_in_dashes_and_the_legend_shows_both():
    names = [f"v{i}" for i in range(7)]
    strokes = [stroke(names, name) for name in names]
    assert len({colour for colour, _ in strokes}) == len({dashes for _, dashes in strokes}) == 7
    drawn = {re.search(r"(stroke-dasharray: [^;]*; )?[^\"]*stroke: #\w+", swatch(names, name))[0]
             for name in names}  # fmt: skip
    assert len(drawn) == 7


def test_charts_have_no_ids_and_take_the_pages_colour():
    rows = [Row(name, 0.9, (0.8, 1.0), (0.85,), i, "90.0") for i, name in enumerate("ab")]
    for svg in (accuracies(rows, "<R&D>"), curves({"a": [(0, 1.0), (1, 2.0)]}, ["a"], "loss")):
        assert " id=" not in svg and "href=" not in svg and "url(" not in svg
        assert "fill: currentColor" in svg
    assert 'aria-label="&lt;R&amp;D&gt;"' in accuracies(rows, "<R&D>")


def test_names_are_escaped():
    assert "<b>" not in accuracies([Row("<b>", 0.5, (0.4, 0.6), (), 0, "50.0")], "")


def test_thinning_keeps_the_ends_and_invents_nothing():
    curve = [(step, step**2 / 7) for step in range(1000)]
    few = thinned(curve, 60)
    assert len(few) == 60 and few[0] == curve[0] and few[-1] == curve[-1]
    assert set(few) <= set(curve)
    assert thinned(curve[:60], 60) == curve[:60]
