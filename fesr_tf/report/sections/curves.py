"""Training curves: each loss by its name in the paper, and the accuracy on the validation part."""

from __future__ import annotations

from fesr_tf.report import charts
from fesr_tf.report.material import Material
from fesr_tf.results.curves import ACCURACY, thinned
from fesr_tf.results.sources import RunSource
from fesr_tf.training.monitoring.scalars import LOSSES

CURVES = "curves"


def section(m: Material) -> dict:
    """A chart for each loss, a line for each variant: of its lowest seed and fold with events."""
    chosen: dict[str, RunSource] = {}
    for run in m.runs:
        best = chosen.get(run.info.variant)
        if m.curves.get(run.folder) and (best is None or run.place < best.place):
            chosen[run.info.variant] = run
    if not chosen:
        m.book.show(CURVES, "training curves", None, "", "no events in any run")
    order = [run.name for run in chosen.values()]
    tags = {ACCURACY: "accuracy, on the validation part"}
    tags |= {f"losses/{name}": f"{name}, {about}" for name, about in LOSSES.items()}
    drawn = {}
    for tag, about in tags.items():
        lines = {
            run.name: thinned(m.curves[run.folder][tag])
            for run in chosen.values()
            if tag in m.curves[run.folder]
        }
        for run in chosen.values():
            for step, value in lines.get(run.name, ()):
                m.book.show(CURVES, f"{run.name}, {tag}, iteration {step}", value, ".4g",
                            f"{run.folder}/events, {tag}")  # fmt: skip
        if lines:
            title, _, rest = about.partition(", ")
            span = (0.0, 1.0) if tag == ACCURACY else None
            drawn[title] = (rest, charts.curves(lines, order, title, span))
    return {
        "legend": [(name, charts.swatch(order, name)) for name in order],
        "charts": drawn,
        "validated": any(ACCURACY in m.curves[run.folder] for run in chosen.values()),
    }
