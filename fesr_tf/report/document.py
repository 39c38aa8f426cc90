"""From what was read to the page and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fesr_tf.report import values as books
from fesr_tf.report.embedded_images import Pictures
from fesr_tf.report.html import Raw, bullets, escape, page, paragraph
from fesr_tf.report.material import Material, paper_name, warnings
from fesr_tf.report.sections import ALL
from fesr_tf.report.values import Book
from fesr_tf.results.curves import curves
from fesr_tf.results.sources import Sources

PAGE, CSV, JSON = "index.html", "figures.csv", "figures.json"


class Report(NamedTuple):
    """files: name -> content. figures: how many. pictures: how many."""

    files: dict[str, str]
    figures: int
    pictures: int


def write(
    sources: Sources, people: Mapping[str, Mapping[str, str]], commit: str | None = None
) -> Report:
    """The page, figures.csv and figures.json. Reads the runs' events and pictures; raises
    `FailedWork` where a picture cannot be read."""
    events = {run.folder: curves(run.folder) for run in sources.every_run}
    material = Material(sources, people, events, commit, Book(), Pictures())
    sections = [make(material) for make in ALL]
    title = f"FESR-TF on {paper_name(sources.database) or sources.database}"
    text = page(title, _lead(material), sections)
    figures = material.book.figures
    about = {
        "database": sources.database,
        "data_digest": sources.digest,
        "classes": list(sources.classes),
        "read": list(sources.asked),
        "commit": commit,
        "warnings": list(warnings(sources)),
    }
    files = {PAGE: text, CSV: books.as_csv(figures), JSON: books.as_json(figures, about)}
    return Report(files, len(figures), material.pictures.count)


def _lead(m: Material) -> str:
    sources = m.sources
    variants = dict.fromkeys(run.info.variant for run in sources.every_run)
    for each in sources.crossvals:
        variants |= dict.fromkeys(each.document.at("variants"))
    told = (
        f"Data <code>{escape(sources.digest[:12])}</code>; "
        f"variants {escape(', '.join(variants))}; intervals are of 95 %."
    )
    said = list(warnings(sources))
    return paragraph(Raw(told)) + (f'<div class="warn">{bullets(said)}</div>' if said else "")
