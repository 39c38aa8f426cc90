"""The paper's tables beside the results of these runs."""

from __future__ import annotations

import numpy as np

from fesr_tf.data import FoldNumber
from fesr_tf.report import paper_values
from fesr_tf.report.material import Material, paper_name
from fesr_tf.report.paper_values import DATABASES, Printed
from fesr_tf.report.values import NOT_RUN, PERCENT, Cell, Part, Table, Text
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
# The variants here whose generator is the paper's method of this name.
_GENERATORS = {"FESGAN": ("FG", "FESR_JL"), "FG": ("FG",), "FG-IP": ("FG-IP",)}


def section(m: Material) -> dict:
    """Each table with a column of these runs beside each of the paper's."""
    tables = {f"{place}: {title}": _table(m, place) for place, title in TITLES.items()}
    database = m.sources.database
    return {"database": database, "paper_name": paper_name(database), "tables": tables}


def _table(m: Material, place: str) -> Table:
    printed = paper_values.of(place)
    columns = list(dict.fromkeys((p.database, p.yaw, p.quantity) for p in printed))
    by_cell = {(p.method, p.database, p.yaw, p.quantity): p for p in printed}
    rows = []
    for method in dict.fromkeys(p.method for p in printed):
        row: list[Cell] = [method]
        for column in columns:
            value = by_cell.get((method, *column))
            row += [_printed(m, value), _here(m, value)] if value else ["–", ""]
        rows.append(row)
    head = ["method"]
    for column in columns:
        head += [_column(place, *column), "here"]
    return Table(head, rows, name=f"{place} of the paper, and here")


def _column(place: str, database: str, yaw: int | None, quantity: str) -> str:
    if database == "multi_pie":
        return "average" if yaw is None else f"{yaw}°"
    name = DATABASES[database]
    return f"{name} {quantity}" if place == "Table III" else name


def _item(p: Printed) -> str:
    pose = "" if p.yaw is None else f", {p.yaw}°"
    return f"{p.place}, {DATABASES[p.database]}, {p.method}, {p.quantity}{pose}"


def _printed(m: Material, p: Printed) -> Cell:
    style = ".3f" if p.place == "Table III" else ".2f"
    item, source = f"{_item(p)}, the paper's", f"the paper, {p.place}"
    return m.book.show(PAPER, item, p.value, style, source, unit=p.unit)


def _here(m: Material, p: Printed) -> Cell:
    """The same quantity of these runs; '' for methods that this project does not implement."""
    if not p.method.startswith(("FESR", "BASELINE", "FESGAN", "FG")):
        return ""
    item, parts = f"{_item(p)}, here", []
    if p.database == m.sources.database:
        parts = _accuracies(m, p, item) if p.quantity == "accuracy" else _generated(m, p, item)
    if not parts:
        return m.book.show(PAPER, item, None, PERCENT, NOT_RUN)
    lines = [[Text("", "br"), *part] for part in parts]
    return [cell for line in lines for cell in line][1:]


def _accuracies(m: Material, p: Printed, item: str) -> list[list[Cell]]:
    """The parts of a cell, a line each."""
    return [
        line
        for crossval in m.sources.crossvals
        for index, summary in enumerate(crossval.document.at("summaries"))
        if summary["variant"] == p.method and summary["runs"]
        for line in _summary(m, p, item, crossval, index)
    ]


def _summary(
    m: Material, p: Printed, item: str, crossval: CrossValidation, index: int
) -> list[list[Cell]]:
    document, path = crossval.document, ("summaries", index)
    summary = document.at(*path)
    if p.yaw is not None:
        pose = (*path, "per_pose", f"{p.yaw:g}")
        if not document.has(*pose):
            return []
        show = Part(m.book, PAPER, document, item, pose)
        return [[show("", PERCENT, "accuracy", interval=True, n=document.at(*pose)["pictures"])]]
    some = summary["runs"] < summary["of_runs"]
    done = f" ({summary['runs']} of {summary['of_runs']} runs)" if some else ""
    show, label = Part(m.book, PAPER, document, item, path), Text(done, "label")
    pooled = show(f"pooled{done}", PERCENT, "pooled", "accuracy", interval=True,
                  n=summary["pooled"]["pictures"])  # fmt: skip
    mean = show(f"mean over folds{done}", PERCENT, "mean", n=summary["folds_run"])
    return [["pooled ", pooled, label], ["mean of folds ", mean, label]]


def _generated(m: Material, p: Printed, item: str) -> list[list[Cell]]:
    """PSNR, SSIM or verification of each run that was measured, a line each; before them the mean
    over the folds of a variant that was measured on several, as the paper gives it."""
    lines: list[list[Cell]] = []
    by_fold: dict[str, dict[FoldNumber, float]] = {}
    for run in m.runs:
        if run.synthesis is None or run.info.variant not in _GENERATORS.get(p.method, ()):
            continue
        if p.quantity in ("PSNR", "SSIM"):
            path, style = ("fidelity", "translated", p.quantity.lower()), ".3f"
        else:
            networks = run.synthesis.at("networks")
            independent = [name for name, of in networks.items() if not of["in_loss"]]
            network = (independent or list(networks))[0]
            path, style = ("networks", network, "verification", "drawn", "rate"), PERCENT
        if not run.synthesis.has(*path, "value"):
            continue
        figure = run.synthesis.at(*path)
        show = Part(m.book, PAPER, run.synthesis, f"{item}, {run.name}", path)
        value = show("", style, "value", interval=True, n=figure["n"], unit=figure["unit"])
        lines.append([value, Text(f" {run.name}", "label")])
        if isinstance(run.info.fold, int) and figure["value"] is not None:
            by_fold.setdefault(run.info.variant, {})[run.info.fold] = figure["value"]
    means = []
    for variant, values in by_fold.items():
        if len(values) > 1:
            text = f"mean of {len(values)} folds, {variant}"
            source = f"{'.'.join(path)} of the synthesis.json of {len(values)} folds"
            mean = m.book.show(PAPER, f"{item}, {text}", float(np.mean(list(values.values()))),
                               style, source, unit=figure["unit"])  # fmt: skip
            means.append([mean, Text(f" {text}", "label")])
    return means + lines
