"""Fig. 9: R_ext's features of real and generated faces, with and without the intra-class loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.manifold import TSNE

from fesr_tf.figures.figure import FigureFile, of_runs, sentences
from fesr_tf.figures.run_images import RunImages
from fesr_tf.figures.sources import Source, Sources, all_of, other_settings
from fesr_tf.plots import charts
from fesr_tf.plots.charts import Cloud
from fesr_tf.plots.palette import COLOURS
from fesr_tf.synthesis.quality.estimates import cluster_interval
from fesr_tf.training.monitoring.projector import DRAWN, Points

FIG_9 = ("FESR_JL-IL", "FESR_JL")
THE_PAPERS = "anger"  # panels (c) and (d)
DEFINITION = (
    "R_ext (inference, before dropout) of test faces (discs) and of as many drawn ones of the same "
    "classes (triangles; z and intensities drawn as in training, the same for both). Each panel is "
    "its own t-SNE (exact, started from the principal components): only neighbourhoods mean "
    "anything in it, so the figures below a panel are of the features themselves. L_dist_rf: mean "
    "Euclidean distance of a real and a drawn face of one class, over all such pairs (the "
    "expectation of eq. 16 on faces not trained on). Ratio: L_dist_rf divided by the mean distance "
    "of two real faces of one class and different people; about 1 where drawn faces lie among the "
    "real ones, larger where they lie apart, smaller where they lie in the middle of them. In "
    "brackets a 95 % interval over people (bootstrap). "
    "Nearest of own kind: the share of faces whose nearest other face, of any class, is of the "
    "same kind; 50 % where the kinds are mixed, 100 % where they are apart."
)


@dataclass(frozen=True)
class Gap:
    """Distance of generated faces from real ones, in the features; None where it is undefined."""

    distance: float  # L_dist_rf
    ratio: float | None
    interval: list[float] | None  # of the ratio, over people
    own_kind: float  # share in [0, 1]

    def lines(self) -> list[str]:
        """The values below a panel."""
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        if self.interval:
            ratio += " [{:.2f}, {:.2f}]".format(*self.interval)
        return [
            f"L_dist_rf {self.distance:.3g}, ratio {ratio}",
            f"nearest of own kind {self.own_kind:.0%}",
        ]


def sources_9(sources: Sources) -> list[Source] | str:
    return all_of(sources, "Fig. 9", FIG_9)


def embedding(features: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE of float (N,F) in the plane, float32 (N,2): the same for the same seed."""
    # A third of the points at most, the usual 30 where there are enough.
    perplexity = min(30.0, (len(features) - 1) / 3)
    # The approximate method adds up over threads in any order, and t-SNE makes rounding grow.
    plane = TSNE(2, perplexity=perplexity, init="pca", method="exact", random_state=seed)
    return plane.fit_transform(np.asarray(features, np.float64))


def gap(points: Points, seed: int) -> Gap:
    """Distances of real and generated faces; generated face i has the class of real face i."""
    generated = points.origins == DRAWN
    real = points.features[~generated]
    labels, people = points.labels[~generated], points.people[~generated]
    across, within = cdist(real, points.features[generated]), cdist(real, real)
    same = labels[:, None] == labels[None]
    others = same & (people[:, None] != people[None])

    def ratio(rows: np.ndarray) -> float:
        square = np.ix_(rows, rows)
        if not others[square].any():
            return np.nan
        return across[square][same[square]].mean() / within[square][others[square]].mean()

    everything = cdist(points.features, points.features)
    np.fill_diagonal(everything, np.inf)
    whole = float(ratio(np.arange(len(real))))
    finite = bool(np.isfinite(whole))
    return Gap(
        distance=float(across[same].mean()),
        ratio=whole if finite else None,
        interval=cluster_interval(ratio, people, seed) if finite else None,
        own_kind=float((generated[everything.argmin(1)] == generated).mean()),
    )


def of_class(points: Points, label: int) -> Points:
    """The points of one class."""
    chosen = points.labels == label
    return Points(*(getattr(points, name)[chosen] for name in Points.__dataclass_fields__))


def one_class(points: Points, classes: Sequence[str]) -> int:
    """The class of panels (c) and (d): the paper's where two test faces show it, else the most
    frequent one."""
    counts = np.bincount(points.labels[points.origins != DRAWN], minlength=len(classes))
    if THE_PAPERS in classes and counts[classes.index(THE_PAPERS)] > 1:
        return classes.index(THE_PAPERS)
    return int(counts.argmax())


def figure_9(images: Mapping[str, RunImages], seed: int) -> list[FigureFile]:
    """Four panels: all classes above, one class below; without and with the intra-class loss."""
    shown = [images[name] for name in FIG_9]
    classes = shown[0].source.info.classes
    label = one_class(shown[0].points, classes)
    gaps = [gap(run.points, seed) for run in shown]
    rows = [[], []]
    for i, (run, all_classes) in enumerate(zip(shown, gaps, strict=True)):
        title = f"({'ab'[i]}) {run.variant}, all classes"
        rows[0].append(_panel(run.points, title, all_classes, seed))
        some = of_class(run.points, label)
        if len(some.labels) > 2:
            title = f"({'cd'[i]}) {run.variant}, {classes[label]}"
            rows[1].append(_panel(some, title, gap(some, seed), seed))
    title = "Features of real and drawn faces"
    chart = charts.scatter(
        [row for row in rows if row], classes, f"Fig. 9: {title}, {shown[0].where}"
    )
    count = int((shown[0].points.origins != DRAWN).sum())
    caption = sentences(
        f"{shown[0].where}: {count} test faces, {' and '.join(run.state for run in shown)}.",
        "All classes: "
        + "; ".join(f"{e.variant} {', '.join(g.lines())}" for e, g in zip(shown, gaps, strict=True))
        + ".",
        DEFINITION,
        "Colours repeat." if len(classes) > len(COLOURS) else "",
        other_settings([run.source for run in shown]),
    )
    return [of_runs("fig-9.png", "9", title, caption, shown, charts.png(chart))]


def _panel(points: Points, title: str, gap: Gap, seed: int) -> Cloud:
    positions = embedding(points.features, seed)
    return Cloud(positions, points.labels, points.origins == DRAWN, title, "\n".join(gap.lines()))
