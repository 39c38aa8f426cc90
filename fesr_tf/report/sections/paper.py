"""The paper's tables beside what was run here."""

from __future__ import annotations

from fesr_tf.report import paper_values
from fesr_tf.report.html import Raw, Section, escape, heading, paragraph, table
from fesr_tf.report.material import DEMO, Material, paper_name
from fesr_tf.report.paper_values import DATABASES, Printed
from fesr_tf.report.values import NOT_RUN, PERCENT
from fesr_tf.results.documents import Document
from fesr_tf.results.sources import CrossValidation

PAPER = "paper"
TITLES = {
    "Table III": "FESGAN's faces, PSNR in dB and SSIM",
    "Table IV": "Face verification, %",
    "Table V": "Accuracy, %",
    "Fig. 8": "Accuracy of the variants, %",
    "Table VI": "Accuracy on Multi-PIE by pose, %",
    "Table VII": "Accuracy on TFD, %",
}
# The paper's name of what a variant here draws.
_DRAWN = {"FESGAN": ("FG", "FESR_JL"), "FG": ("FG",), "FG-IP": ("FG-IP",)}


def section(m: Material) -> Section:
    """Each table: what the paper prints, and beside it what was run here, or 'not run'."""
    own = paper_name(m.sources.database)
    if m.sources.database == "demo":
        lead = paragraph(DEMO, "warn")
    elif own is None:
        lead = paragraph("The paper has no figures of this database.", "warn")
    else:
        lead = paragraph(
            f"These runs are of {own}; of the other databases nothing was run. The paper does not "
            "say whether its accuracies are means over folds or pooled: both are given. Its CK+ "
            "and MMI figures are no whole number of the pictures there are."
        )
    parts = [lead]
    for place, title in TITLES.items():
        parts.append(heading(f"{place}: {title}"))
        parts.append(_table(m, place))
    note = (
        "Fig. 8 has no table: its numbers stand over its bars, and go to them by the legend's "
        "order and the text's differences. On CK+ it gives FESR_JL-IL 97.48 where Table V gives "
        "97.18. Of other methods the best are listed. PSNR, SSIM and verification here follow the "
        "protocol in docs/guide/synthesis.md, as the paper states none exactly: they are figures of the "
        "same kind, not the same figures."
    )
    return Section(PAPER, "Beside the paper", "".join(parts) + paragraph(note, "note"))


def _table(m: Material, place: str) -> str:
    printed = paper_values.of(place)
    columns = list(dict.fromkeys((each.database, each.yaw, each.quantity) for each in printed))
    methods = list(dict.fromkeys(each.method for each in printed))
    by_cell = {(e.method, e.database, e.yaw, e.quantity): e for e in printed}
    head = ["method"]
    for column in columns:
        head += [_column(place, *column), "here"]
    rows = []
    for method in methods:
        row: list = [method]
        for column in columns:
            each = by_cell.get((method, *column))
            if each is None:
                row += ["–", ""]
                continue
            row += [_printed(m, each), _here(m, each)]
        rows.append(row)
    return table(head, rows, numbers=range(1, len(head)), name=f"{place} of the paper, and here")


def _column(place: str, database: str, yaw: int | None, quantity: str) -> str:
    if database == "multi_pie":
        return "average" if yaw is None else f"{yaw}°"
    name = DATABASES[database]
    return f"{name} {quantity}" if place == "Table III" else name


def _item(each: Printed) -> str:
    pose = "" if each.yaw is None else f", {each.yaw}°"
    return f"{each.place}, {DATABASES[each.database]}, {each.method}, {each.quantity}{pose}"


def _printed(m: Material, each: Printed) -> Raw:
    style = ".3f" if each.place == "Table III" else ".2f"
    return m.book.show(PAPER, f"{_item(each)}, the paper's", each.value, style,
                       f"the paper, {each.place}", unit=each.unit)  # fmt: skip


def _here(m: Material, each: Printed) -> Raw:
    """What was run here of the same; for another method than the paper's own nothing can be."""
    item = f"{_item(each)}, here"
    own = each.method.startswith(("FESR", "BASELINE", "FESGAN", "FG"))
    if each.database == m.sources.database and own:
        shown = [*_accuracies(m, each, item), *_drawn(m, each, item)]
        if shown:
            return Raw("<br>".join(shown))
    if not own:
        return Raw("")
    return m.book.show(PAPER, item, None, PERCENT, NOT_RUN)


def _accuracies(m: Material, each: Printed, item: str) -> list[Raw]:
    if each.quantity != "accuracy":
        return []
    shown = []
    for crossval in m.sources.crossvals:
        for index, summary in enumerate(crossval.document.at("summaries")):
            if summary["variant"] == each.method and summary["runs"]:
                shown += _summary(m, each, item, crossval, index)
    return shown


def _summary(
    m: Material, each: Printed, item: str, crossval: CrossValidation, index: int
) -> list[Raw]:
    document: Document = crossval.document
    summary, path = document.at("summaries")[index], ("summaries", index)
    done = f" ({summary['runs']} of {summary['of_runs']} runs)" * (
        summary["runs"] < summary["of_runs"]
    )
    if each.yaw is not None:
        pose = (*path, "per_pose", f"{each.yaw:g}")
        if not document.has(*pose):
            return []
        of = document.at(*pose)["pictures"]
        return [m.book.of(PAPER, item, document, (*pose, "accuracy"), PERCENT,
                          around=(*pose, "interval"), n=of)]  # fmt: skip
    pooled = m.book.of(PAPER, f"{item}, pooled{done}", document, (*path, "pooled", "accuracy"),
                       PERCENT, around=(*path, "pooled", "interval"),
                       n=summary["pooled"]["pictures"])  # fmt: skip
    mean = m.book.of(PAPER, f"{item}, mean over folds{done}", document, (*path, "mean"), PERCENT,
                     n=summary["folds_run"])  # fmt: skip
    told = f'<span class="i">{done}</span>' if done else ""
    return [Raw(f"pooled {pooled}{told}"), Raw(f"mean of folds {mean}{told}")]


def _drawn(m: Material, each: Printed, item: str) -> list[Raw]:
    """PSNR, SSIM and verification of every run that was measured, each by itself."""
    shown = []
    for run in m.sources.every_run:
        if run.synthesis is None or run.info.variant not in _DRAWN.get(each.method, ()):
            continue
        if each.quantity in ("PSNR", "SSIM"):
            path = ("fidelity", "translated", each.quantity.lower())
            style = ".3f"
        else:
            networks = run.synthesis.at("networks")
            judge = next(
                (n for n, of in networks.items() if not of["in_loss"]), next(iter(networks))
            )
            path, style = ("networks", judge, "verification", "drawn", "rate"), PERCENT
        if not run.synthesis.has(*path, "value"):
            continue
        figure = run.synthesis.at(*path)
        value = m.book.of(PAPER, f"{item}, {run.name}", run.synthesis, (*path, "value"), style,
                          around=(*path, "interval") if figure["interval"] else None,
                          n=figure["n"], unit=figure["unit"])  # fmt: skip
        shown.append(Raw(f'{value} <span class="i">{escape(run.name)}</span>'))
    return shown
