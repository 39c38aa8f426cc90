"""Charts by matplotlib: bars with intervals, confusion matrices, scatter plots.

Each function returns a `Figure` of its own, which `png`, `svg` or `pixels` renders; pyplot's global
state is never used.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from PIL import Image

from fesr_tf.plots.palette import ACCENT, BAR, COLOURS, FAINT, INK, PAPER

DPI = 150
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "font.size": 9,
    "grid.color": FAINT,
    "svg.fonttype": "none",
    "svg.hashsalt": "fesr_tf",
    "text.color": INK,
    # Names of classes and runs are text, with or without a dollar sign.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}
styled = matplotlib.rc_context(STYLE)
"""Decorator (and context) that gives whatever is plotted within it the project's style."""


@styled
def png(figure: Figure) -> bytes:
    """The bytes of a PNG file at `DPI`: the same for the same figure."""
    _lay_out(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def pixels(figure: Figure) -> np.ndarray:
    """The pixels of `png`, uint8 (H,W,3)."""
    return np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB"))


@styled
def svg(figure: Figure, label: str = "") -> str:
    """An <svg> element for an HTML page, read aloud as `label`: equal text for equal figures.

    The background is transparent. Letters stay text in the page's font, and whatever is plotted in
    `INK` takes the page's colour (currentColor), so that it is readable on dark pages too. Of the
    ids only those given by `set_gid` and those that the element refers to remain.
    """
    _lay_out(figure)
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        transparent=True,
        metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Matplotlib's rule for all elements would hold for the whole page.
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"| transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r" font-family: [^;]*;", "", text).replace(INK, "currentColor")
    return text.replace(
        "<svg ", f'<svg role="img" aria-label="{escape(label)}" stroke-linejoin="round" ', 1
    )


def _lay_out(figure: Figure) -> None:
    """Lays the figure out once for all renderings: each layout starts from the one before."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


@dataclass(frozen=True)
class Bar:
    """One bar of shares in [0, 1]; `value` is None for a variant that was not run."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    points: Sequence[float]  # the parts of the whole, as folds
    note: str  # below the name


@styled
def bars(
    shown: Sequence[Bar], title: str, level: float | None = None, level_name: str = ""
) -> Figure:
    """Shares as bars from 0 to 100 %, each with its interval and its points.

    `level`, named `level_name`, is a dashed line across all bars.
    """
    figure = Figure(figsize=(max(5.0, 1.1 * len(shown) + 1.2), 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, pad=12)
    for x, bar in enumerate(shown):
        if bar.value is None:
            axes.text(x, 3, "not run", ha="center")
            continue
        axes.bar(x, 100 * bar.value, 0.56, color=BAR)
        ends = 100 * np.array(bar.interval or ())
        axes.plot(np.full(len(ends), x), ends, color=INK, marker="_", markersize=10)
        points = 100 * np.array(bar.points)
        across = x + 0.36 * ((np.arange(len(points)) + 0.5) / max(len(points), 1) - 0.5)
        axes.plot(across, points, "o", color=INK, mfc=PAPER, ms=5, clip_on=False, zorder=3)
        top = max((100 * bar.value, *ends, *points))
        axes.annotate(
            f"{100 * bar.value:.1f}", (x, top), (0, 6), textcoords="offset points", ha="center"
        )
    if level is not None:
        axes.axhline(100 * level, color=INK, linestyle="--", linewidth=1)
        axes.text(len(shown) - 0.35, 100 * level, level_name, va="center")
    axes.set_xticks(range(len(shown)), [f"{bar.name}\n{bar.note}" for bar in shown])
    axes.set(xlim=(-0.6, len(shown) - 0.4), ylim=(0, 106), ylabel="accuracy, %")
    axes.set_yticks(range(0, 101, 20))
    axes.tick_params(length=0)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    return figure


@styled
def confusion(
    counts: np.ndarray, classes: Sequence[str], title: str = "", note: str = ""
) -> Figure:
    """Confusion matrix int (K,K), rows true: counts, each row's shares, recall at the right."""
    counts = np.asarray(counts, np.int64)
    totals, places = counts.sum(1), range(len(classes))
    shares = counts / np.maximum(totals, 1)[:, np.newaxis]
    side = max(4.0, 0.68 * len(classes) + 1.8)
    figure = Figure(figsize=(side + 0.4, side), layout="constrained")
    figure.suptitle(textwrap.fill(title, int(10 * side)), fontsize=11)
    figure.supxlabel(textwrap.fill(note, int(13 * side)), fontsize=8)
    axes = figure.add_subplot()
    axes.imshow(shares, LinearSegmentedColormap.from_list("", [PAPER, ACCENT]), vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            ink = PAPER if share > 0.55 else INK
            axes.text(column, row, f"{count}\n{share:.0%}", color=ink, ha="center", va="center")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    long = max(map(len, classes)) > 10
    axes.set_xticks(places, classes, rotation=35 * long, ha="left" if long else "center")
    axes.set_yticks(places, classes)
    axes.set_xlabel("predicted", labelpad=8)
    axes.set_ylabel("true")
    recalls = axes.secondary_yaxis("right")
    recall = [f"{counts[k, k] / totals[k]:.0%}" if totals[k] else "-" for k in places]
    recalls.set_yticks(places, recall)
    recalls.set_ylabel("recall", labelpad=8)
    axes.hlines([k + 0.5 for k in places[:-1]], -0.5, len(classes) - 0.5, FAINT, linewidth=0.8)
    axes.vlines([k + 0.5 for k in places[:-1]], -0.5, len(classes) - 0.5, FAINT, linewidth=0.8)
    for part in (axes, recalls):
        part.tick_params(length=0)
        part.spines[:].set_visible(False)
    return figure


@dataclass(frozen=True)
class Cloud:
    """One panel of `scatter`: positions float (N,2), classes int (N,), and bool (N,) of the
    generated ones."""

    positions: np.ndarray
    labels: np.ndarray
    generated: np.ndarray
    title: str
    notes: str  # below the panel


@styled
def scatter(rows: Sequence[Sequence[Cloud]], classes: Sequence[str], title: str) -> Figure:
    """Panels of points without axes, a colour for each class: discs are real, hollow triangles
    generated. The colours repeat after as many classes as `COLOURS` has."""
    across = max(map(len, rows))
    figure = Figure(figsize=(4 * across, 4.5 * len(rows) + 1), layout="constrained")
    figure.suptitle(title, fontsize=12)
    panels = figure.subplots(len(rows), across, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, cloud in ((panels[i, j], c) for i, row in enumerate(rows) for j, c in enumerate(row)):
        axes.set_axis_on()
        _points(axes, cloud)
    marks = [
        Line2D([], [], marker="s", linestyle="", color=_colour(k), label=name)
        for k, name in enumerate(classes)
    ]
    marks += [
        Line2D([], [], marker="o", linestyle="", color=INK, label="real"),
        Line2D([], [], marker="^", linestyle="", color=INK, label="generated", fillstyle="none"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _points(axes: Axes, cloud: Cloud) -> None:
    # Neither kind always lies on top of the other.
    order = np.random.default_rng(0).permutation(len(cloud.labels))
    generated = cloud.generated[order]
    colours = [_colour(label) for label in cloud.labels[order]]
    points = axes.scatter(
        *cloud.positions[order].T,
        s=np.where(generated, 60, 32),
        linewidths=np.where(generated, 1.5, 0.6),
        facecolors=[PAPER if g else c for g, c in zip(generated, colours, strict=True)],
        edgecolors=[c if g else INK for g, c in zip(generated, colours, strict=True)],
    )
    disc, triangle = (MarkerStyle(m).get_path().transformed(MarkerStyle(m).get_transform())
                      for m in "o^")  # fmt: skip
    points.set_paths([triangle if g else disc for g in generated])
    low, high = cloud.positions.min(0), cloud.positions.max(0)
    half = 0.54 * max(float((high - low).max()), 1e-9)
    for which, middle in zip("xy", (low + high) / 2, strict=True):
        axes.set(**{f"{which}lim": (middle - half, middle + half), f"{which}ticks": []})
    axes.set_box_aspect(1)
    axes.set_title(cloud.title)
    axes.set_xlabel(cloud.notes)
    axes.spines[:].set(visible=True, color=FAINT)


def _colour(label: int) -> str:
    return COLOURS[label % len(COLOURS)]
