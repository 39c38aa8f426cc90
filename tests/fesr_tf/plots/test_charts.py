"""Charts: bars, intervals and labels where the values are, and renderings that can be relied on."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from PIL import Image

from fesr_tf.config.variants import FIG_8
from fesr_tf.plots import charts
from fesr_tf.plots.charts import Bar, Cloud
from fesr_tf.plots.palette import COLOURS, PAPER

CLASSES = ("neutral", "happiness", "surprise")


def texts(axes) -> dict[str, tuple[float, float]]:
    return {text.get_text(): text.get_position() for text in axes.texts}


def edges_are_blank(figure) -> bool:
    image = charts.pixels(figure)
    return all((edge == 255).all() for edge in (image[0], image[-1], image[:, 0], image[:, -1]))


def labels_overlap(figure) -> bool:
    """Whether two of the labels of the first axes' x axis share a pixel."""
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    return any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_bars_are_as_high_as_their_shares_and_named_below():
    shown = [Bar(f"V{i}", value, None, (), f"{i} runs") for i, value in enumerate((0.25, 0.5, 1))]
    (axes,) = charts.bars(shown, "Accuracy").axes
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert [bar.get_height() for bar in axes.patches] == [25, 50, 100]
    assert middles == pytest.approx(list(axes.get_xticks()))
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["V0\n0 runs", "V1\n1 runs", "V2\n2 runs"]
    assert set(texts(axes)) == {"25.0", "50.0", "100.0"}
    assert axes.get_title("left") == "Accuracy"
    low, high = axes.get_ylim()
    assert low == 0 and high > 100


def test_a_variant_that_was_not_run_keeps_its_place_without_a_bar():
    shown = [Bar("A", None, None, (), "x"), Bar("B", 0.5, (0.4, 0.6), (0.5,), "y")]
    (axes,) = charts.bars(shown, "t").axes
    (bar,) = axes.patches
    assert bar.get_x() < 1 < bar.get_x() + bar.get_width()
    assert texts(axes)["not run"][0] == 0


def test_intervals_and_points_stand_at_their_shares_on_their_bar():
    shown = [Bar("A", 0.5, (0.2, 0.7), (0.4, 0.9), ""), Bar("B", 0.1, None, (), "")]
    (axes,) = charts.bars(shown, "t").axes
    lines = [line.get_xydata() for line in axes.lines]
    np.testing.assert_allclose(lines[0], [[0, 20], [0, 70]])
    np.testing.assert_allclose(lines[1][:, 1], [40, 90])
    assert (np.abs(lines[1][:, 0]) < 0.28).all() and lines[1][0, 0] != lines[1][1, 0]
    # The number stands above everything that belongs to the bar.
    annotation = next(text for text in axes.texts if text.get_text() == "50.0")
    assert annotation.xy == (0, 90)


def test_the_level_of_chance_is_a_line_with_its_name():
    (axes,) = charts.bars([Bar("A", 0.5, None, (), "")], "t", 0.125, "chance").axes
    assert set(axes.lines[-1].get_ydata()) == {12.5}
    assert texts(axes)["chance"][1] == 12.5


def test_the_names_of_fig_8_do_not_overlap():
    shown = [Bar(name, 1.0, (0.9, 1.0), (1.0, 1.0), "5 of 5 runs") for name in FIG_8]
    figure = charts.bars(shown, "t", 0.1, "chance")
    assert not labels_overlap(figure) and edges_are_blank(figure)


def test_confusion_colours_each_cell_by_its_share_of_the_row():
    counts = np.array([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    figure = charts.confusion(counts, CLASSES, "title", "a note")
    axes = figure.axes[0]
    np.testing.assert_allclose(
        axes.images[0].get_array(), [[0.75, 0.25, 0], [0, 0, 0], [0, 0.5, 0.5]]
    )
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (0, 0): "3\n75%", (1, 0): "1\n25%", (1, 2): "2\n50%", (2, 2): "2\n50%",
    }  # fmt: skip
    assert axes.get_xlabel() == "predicted" and axes.get_ylabel() == "true"
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)
    (recalls,) = axes.child_axes
    assert [label.get_text() for label in recalls.get_yticklabels()] == ["75%", "-", "50%"]


@pytest.mark.parametrize(
    "names",
    [
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt"),
        ("an unusually long class name", "a$b$c", "no"),
    ],
)
def test_class_names_neither_overlap_nor_leave_the_figure(names):
    note = "80.6% (387 of 480 test images of 60 people; 95 % interval 76.8% to 84.0%)"
    figure = charts.confusion(np.eye(len(names)), names, "FESR_JL-RDBP on demo, fold 0", note)
    assert edges_are_blank(figure)
    if max(map(len, names)) <= 10:
        assert not labels_overlap(figure)


def test_points_are_discs_and_hollow_triangles_in_the_colour_of_their_class():
    positions = np.array([[0.0, 0], [1, 0], [0, 1], [1, 3]])
    cloud = Cloud(positions, np.array([0, 1, 2, 9]), np.array([False, False, True, True]), "t", "n")
    figure = charts.scatter([[cloud, cloud], [cloud]], CLASSES, "title")
    axes = figure.axes[0]
    (points,) = (artist for artist in axes.collections if isinstance(artist, PathCollection))
    shown = {
        tuple(place): (to_hex(face), to_hex(edge), len(path.vertices))
        for place, face, edge, path in zip(
            points.get_offsets().tolist(), points.get_facecolors(), points.get_edgecolors(),
            points.get_paths(), strict=True,
        )
    }  # fmt: skip
    disc, triangle = shown[0.0, 0.0][2], shown[0.0, 1.0][2]
    assert disc > triangle == 4
    assert shown[0.0, 0.0][0] == COLOURS[0] and shown[1.0, 0.0] == (
        COLOURS[1],
        shown[0.0, 0.0][1],
        disc,
    )
    assert shown[0.0, 1.0] == (PAPER, COLOURS[2], triangle)
    assert shown[1.0, 3.0] == (PAPER, COLOURS[9 % len(COLOURS)], triangle)
    # Both axes have one scale.
    assert np.ptp(axes.get_xlim()) == pytest.approx(np.ptp(axes.get_ylim()))
    assert (axes.get_title("left"), axes.get_xlabel()) == ("t", "n")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == [*CLASSES, "real", "generated"]
    assert not figure.axes[3].axison and edges_are_blank(figure)


def test_colours_differ_for_the_usual_eight_classes():
    assert len(set(COLOURS)) == 8


def test_renderings_are_deterministic():
    def chart():
        return charts.bars([Bar("a <b> $x$", 0.5, (0.4, 0.6), (0.5,), "")], "t")

    assert charts.png(chart()) == charts.png(chart())
    assert charts.svg(chart()) == charts.svg(chart())
    confusion = charts.confusion(np.eye(3), CLASSES, "title", "a note")
    assert charts.png(confusion) == charts.png(confusion)
    image = np.asarray(Image.open(io.BytesIO(charts.png(chart()))).convert("RGB"))
    np.testing.assert_array_equal(charts.pixels(chart()), image)


def test_an_svg_is_an_element_of_a_page_in_the_pages_colour():
    found = []

    class Elements(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.append((tag, dict(attributes)))

    text = charts.svg(charts.bars([Bar("a <b> $x$", 0.5, (0.4, 0.6), (0.5,), "")], "t"), "a & b")
    Elements().feed(text)
    assert text.startswith("<svg ") and found[0][1]["aria-label"] == "a & b"
    assert "style" not in {tag for tag, _ in found} and "a &lt;b&gt; $x$" in text
    assert "currentColor" in text and "#222222" not in text
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert all(f"#{name}" in text for name in ids)
