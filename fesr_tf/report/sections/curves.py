"""Training curves: each loss by its name in the paper, and the accuracy on validation people."""

from __future__ import annotations

from fesr_tf.report import charts
from fesr_tf.report.html import Section, escape, heading, paragraph
from fesr_tf.report.material import Material
from fesr_tf.results.curves import ACCURACY, thinned
from fesr_tf.results.sources import RunSource
from fesr_tf.training.monitoring.scalars import LOSSES

CURVES = "curves"


def section(m: Material) -> Section:
    """One chart a loss, one line a variant: of its lowest fold and seed that has events."""
    chosen: dict[str, RunSource] = {}
    for run in m.sources.every_run:
        if m.curves.get(run.folder):
            best = chosen.get(run.info.variant)
            if best is None or run.place < best.place:
                chosen[run.info.variant] = run
    if not chosen:
        m.book.show(CURVES, "training curves", None, "", "no events in any run")
        return Section(CURVES, "Training curves", paragraph("Not run: no run has events.", "none"))
    order = [run.name for run in chosen.values()]
    drawn = [_chart(m, chosen, order, ACCURACY, "accuracy on the validation people", (0.0, 1.0))]
    for name, about in LOSSES.items():
        drawn.append(_chart(m, chosen, order, f"losses/{name}", f"{name}, {about}", None))
    drawn = [each for each in drawn if each]
    note = (
        "Of each variant the lowest fold and seed with event files, as logged; at most 60 points "
        "a curve, none averaged. Validation people are training people that were held out; they "
        "choose nothing unless “best” checkpoints were asked for."
    )
    body = (
        paragraph(note, "note")
        + charts.legend(order)
        + f'<div class="charts">{"".join(drawn)}</div>'
    )
    accuracy = any(ACCURACY in m.curves[run.folder] for run in chosen.values())
    if not accuracy:
        body = (
            paragraph("Validation accuracy: not run, no fold has validation people.", "none") + body
        )
    return Section(CURVES, "Training curves", heading("Losses by the paper's names") + body)


def _chart(m: Material, chosen: dict[str, RunSource], order: list[str], tag: str, about: str,
           span: tuple[float, float] | None) -> str:  # fmt: skip
    lines = {
        run.name: thinned(m.curves[run.folder][tag])
        for run in chosen.values()
        if tag in m.curves[run.folder]
    }
    if not lines:
        return ""
    for run in chosen.values():
        for step, value in lines.get(run.name, ()):
            m.book.show(CURVES, f"{run.name}, {tag}, iteration {step}", value, ".4g",
                        f"{run.folder}/events, {tag}")  # fmt: skip
    title, _, rest = about.partition(", ")
    caption = f"<strong>{escape(title)}</strong> {escape(rest)}"
    chart = charts.curves(lines, order, title, span)
    return f"<figure>{chart}<figcaption>{caption}</figcaption></figure>"
