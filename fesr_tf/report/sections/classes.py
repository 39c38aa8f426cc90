"""Per class, per pose, and what was taken for what."""

from __future__ import annotations

from fesr_tf.report.html import Section, details, escape, heading, paragraph, scrolling, table
from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, PERCENT
from fesr_tf.results.documents import Document
from fesr_tf.results.sources import RunSource

CLASSES = "classes"


def section(m: Material) -> Section:
    """Per class, per pose, confusion."""
    parts = []
    for crossval in m.sources.crossvals:
        document = crossval.document
        parts += [
            _groups(m, document, "per_class", "class"),
            _groups(m, document, "per_pose", "pose"),
        ]
        for index, each in enumerate(document.at("summaries")):
            if each["runs"]:
                body = _matrix(m, document, ("summaries", index, "confusion"), each["variant"])
                parts.append(details(f"Confusion matrix of {each['variant']}", body, index == 0))
    for run in m.sources.runs:
        if run.evaluation:
            parts.append(_run_classes(m, run))
    body = "".join(parts) or paragraph("Nothing was evaluated.", "none")
    return Section(CLASSES, "Classes and confusion", body)


def _groups(m: Material, document: Document, key: str, what: str) -> str:
    summaries = document.at("summaries")
    names = list(dict.fromkeys(name for each in summaries for name in each[key]))
    if not names:
        return paragraph("Every picture has one pose.", "note") if what == "pose" else ""
    rows = []
    for name in names:
        row: list = [f"{name}°" if what == "pose" else name]
        counts = [each[key][name]["pictures"] for each in summaries if name in each[key]]
        row.append(m.book.show(CLASSES, f"{what} {name}, pictures", max(counts), COUNT,
                               f"{document.name}: the most of any variant"))  # fmt: skip
        for index, each in enumerate(summaries):
            path = ("summaries", index, key, name)
            item = f"{each['variant']}, {what} {name}"
            if not document.has(*path):
                row.append(m.book.show(CLASSES, item, None, PERCENT, document.pointer(*path[:3])))
                continue
            of = each[key][name]["pictures"]
            row.append(m.book.of(CLASSES, item, document, (*path, "accuracy"), PERCENT,
                                 around=(*path, "interval"), n=of))  # fmt: skip
        rows.append(row)
    head = [what, "pictures", *(f"{each['variant']}, %" for each in summaries)]
    caption = f"Accuracy by {what}, pooled over folds, with 95 % intervals (Wilson)"
    return heading(f"By {what}") + table(head, rows, numbers=range(1, len(head)), caption=caption)


def _matrix(m: Material, document: Document, path: tuple, name: str) -> str:
    """A confusion matrix; what is shown is its counts, and how dark a cell is the row's share."""
    classes, counts = m.sources.classes, document.at(*path)
    head = "".join(f'<th class="c" scope="col">{escape(each)}</th>' for each in classes)
    lines = []
    for i, each in enumerate(classes):
        total, cells = sum(counts[i]) or 1, []
        for j, other in enumerate(classes):
            item = f"{name}, {each} taken for {other}"
            shown = m.book.of(CLASSES, item, document, (*path, i, j), COUNT, unit="answers")
            share = counts[i][j] / total
            colour = f"background:rgba(0,114,178,{0.85 * share:.2f})" + ";color:#fff" * (
                share > 0.55
            )
            cells.append(f'<td class="c" style="{colour}">{shown}</td>')
        lines.append(f'<tr><th scope="row">{escape(each)}</th>{"".join(cells)}</tr>')
    caption = "Rows are the true classes, columns the answers; all seeds are added up."
    body = (
        f'<table class="matrix"><caption>{caption}</caption><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    return scrolling(body, f"Confusion matrix of {name}")


def _run_classes(m: Material, run: RunSource) -> str:
    found, rows = run.evaluation, []
    for index, row in enumerate(found.at("per_class")):
        item = f"{run.name}, {row['class']}"
        figures = [
            m.book.of(CLASSES, f"{item}, {key}", found, ("per_class", index, key), style,
                      missing="-")
            for key, style in (("correct", COUNT), ("count", COUNT), ("recall", PERCENT),
                               ("precision", PERCENT))
        ]  # fmt: skip
        rows.append([row["class"], *figures])
    head = ["class", "right", "pictures", "recall", "precision"]
    body = table(head, rows, numbers=range(1, 5), caption=f"Classes of {run.name}")
    return details(run.name, body + _matrix(m, found, ("confusion",), run.name), opened=True)
