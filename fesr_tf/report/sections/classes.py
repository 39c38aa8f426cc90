"""Accuracy by class and by pose, and confusion matrices."""

from __future__ import annotations

from dataclasses import dataclass

from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, PERCENT, Cell, Part, Shown, Table
from fesr_tf.results.sources import Document, RunSource

CLASSES = "classes"


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix. rows: (true class, cells); a cell is a count and the row's share of it,
    in [0, 1], which the template turns into a shade."""

    name: str
    classes: tuple[str, ...]
    rows: list[tuple[str, list[tuple[Shown, float]]]]


def section(m: Material) -> dict:
    """Tables by class and by pose, and matrices, of cross-validations and of single runs."""
    crossvals = []
    for crossval in m.sources.crossvals:
        document = crossval.document
        tables = [_groups(m, document, *what) for what in (("per_class", "class"),
                                                           ("per_pose", "pose"))]  # fmt: skip
        matrices = [
            _matrix(m, document, ("summaries", index, "confusion"), summary["variant"])
            for index, summary in enumerate(document.at("summaries"))
            if summary["runs"]
        ]
        crossvals.append({"by_class": tables[0], "by_pose": tables[1], "matrices": matrices})
    runs = [_run(m, run, run.evaluation) for run in m.sources.runs if run.evaluation]
    return {"crossvals": crossvals, "runs": runs}


def _groups(m: Material, document: Document, key: str, what: str) -> Table | None:
    """None if there is one group only."""
    summaries = document.at("summaries")
    rows = []
    for name in dict.fromkeys(name for summary in summaries for name in summary[key]):
        counts = [summary[key][name]["pictures"] for summary in summaries if name in summary[key]]
        row: list[Cell] = [f"{name}°" if what == "pose" else name]
        row.append(m.book.show(CLASSES, f"{what} {name}, pictures", max(counts), COUNT,
                               f"{document.name}: the most of any variant"))  # fmt: skip
        for index, summary in enumerate(summaries):
            path, item = ("summaries", index, key), f"{summary['variant']}, {what} {name}"
            if name in summary[key]:
                show = Part(m.book, CLASSES, document, item, (*path, name))
                row.append(
                    show("", PERCENT, "accuracy", interval=True, n=summary[key][name]["pictures"])
                )
            else:
                row.append(m.book.show(CLASSES, item, None, PERCENT, document.pointer(*path)))
        rows.append(row)
    head = [what, "images", *(f"{summary['variant']}, %" for summary in summaries)]
    caption = f"Accuracy by {what}, pooled over folds, with 95 % intervals (Wilson)"
    return Table(head, rows, caption) if rows else None


def _matrix(m: Material, document: Document, path: tuple, name: str) -> Matrix:
    classes, counts = m.sources.classes, document.at(*path)
    show = Part(m.book, CLASSES, document, name, path)
    rows = []
    for i, true in enumerate(classes):
        total = sum(counts[i]) or 1
        cells = [
            (
                show(f"{true} taken for {predicted}", COUNT, i, j, unit="answers"),
                counts[i][j] / total,
            )
            for j, predicted in enumerate(classes)
        ]
        rows.append((true, cells))
    return Matrix(name, classes, rows)


def _run(m: Material, run: RunSource, result: Document) -> dict:
    styles = {"correct": COUNT, "count": COUNT, "recall": PERCENT, "precision": PERCENT}
    rows = []
    for index, row in enumerate(result.at("per_class")):
        show = Part(m.book, CLASSES, result, f"{run.name}, {row['class']}", ("per_class", index))
        values = [show(key, style, key, missing="-") for key, style in styles.items()]
        rows.append([row["class"], *values])
    head = ["class", "correct", "images", "recall", "precision"]
    table = Table(head, rows, f"Classes of {run.name}")
    return {"table": table, "matrix": _matrix(m, result, ("confusion",), run.name)}
