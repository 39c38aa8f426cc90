"""From what was read to the page and its values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fesr_tf.report import values
from fesr_tf.report.embedded_images import Images
from fesr_tf.report.material import Material, paper_name, warnings
from fesr_tf.report.sections import ALL
from fesr_tf.report.values import Book
from fesr_tf.results.curves import curves
from fesr_tf.results.sources import Sources

PAGE, CSV, JSON = "index.html", "figures.csv", "figures.json"
TEMPLATES = Path(__file__).parent / "templates"


class Report(NamedTuple):
    """files: {name: content}. figures, images: how many."""

    files: dict[str, str]
    figures: int
    images: int


def write(
    sources: Sources, people: Mapping[str, Mapping[str, str]], commit: str | None = None
) -> Report:
    """The page, figures.csv and figures.json. Reads the runs' events and images; raises
    `FailedWork` if an image cannot be read."""
    events = {run.folder: curves(run.folder) for run in sources.every_run}
    material = Material(sources, people, events, commit, Book(), Images())
    # One after another: this is the order of the values in figures.json.
    sections = {name: (title, data(material)) for name, (title, data) in ALL.items()}
    figures = material.book.figures
    about = {
        "database": sources.database,
        "data_digest": sources.digest,
        "classes": list(sources.classes),
        "read": list(sources.asked),
        "commit": commit,
        "warnings": list(warnings(sources)),
    }
    page = render(material, about, sections)
    files = {PAGE: page, CSV: values.as_csv(figures), JSON: values.as_json(figures, about)}
    return Report(files, len(figures), material.images.count)


def render(material: Material, about: Mapping, sections: Mapping[str, tuple[str, dict]]) -> str:
    """templates/page.html, in which section NAME is templates/NAME.html. Everything is escaped but
    the templates and the charts."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    bodies = [
        (name, title, Markup(environment.get_template(f"{name}.html").render(data)))
        for name, (title, data) in sections.items()
    ]
    variants = dict.fromkeys(run.info.variant for run in material.sources.every_run)
    for crossval in material.sources.crossvals:
        variants |= dict.fromkeys(crossval.document.at("variants"))
    return environment.get_template("page.html").render(
        about,
        title=f"FESR-TF on {paper_name(material.sources.database) or material.sources.database}",
        variants=list(variants),
        sections=bodies,
    )
