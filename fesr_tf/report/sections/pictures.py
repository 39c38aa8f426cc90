"""Pictures: the paper's figures drawn anew where there are any, then what each run drew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fesr_tf.report.html import Section, escape, heading, paragraph
from fesr_tf.report.material import Material
from fesr_tf.results.sources import RunSource
from pipelines.common.errors import FailedWork

PICTURES = "pictures"
FIGURES = ("Fig. 4", "Fig. 5", "Fig. 6", "Fig. 7", "Fig. 9")
DRAWN = {
    "expressions.png": "People of the test part: input, reconstruction, every expression.",
    "intensity.png": "One face, every expression, intensity from -1 to 1.",
    "new_identities.png": "People who do not exist, each with every expression.",
    "nearest.png": "New identities beside the training pictures that are nearest to them.",
}


def section(m: Material) -> Section:
    """Figs. 4 to 7 and 9 from `figures/figures.json` of runs and cross-validations, or 'not run';
    then the sheets of one run a variant."""
    parts, found = [], []
    for folder in _places(m):
        for entry in _figures(folder):
            found.append(title := _title(entry))
            file, caption = folder / "figures" / entry["file"], entry.get("caption", "")
            parts.append(m.pictures.figure(file, title, caption))
            if entry.get("command"):
                parts.append(f"<pre>{escape(entry['command'])}</pre>")
    lacking = [name for name in FIGURES if not any(_is(name, title) for title in found)]
    if lacking:
        parts.append(paragraph(f"Not run: the paper's {', '.join(lacking)}.", "none"))
    for run in _one_a_variant(m):
        parts += list(_sheets(m, run))
    return Section(PICTURES, "Pictures", "".join(parts))


def _title(entry: dict) -> str:
    """'Fig. 4: …' where the entry says which of the paper's figures it is."""
    name, title = str(entry.get("figure", "")), str(entry["title"])
    known = name.isdecimal() and not title.startswith("Fig.")
    frame = " (first frame)" if entry["file"].endswith(".gif") else ""
    return (f"Fig. {name}: {title}" if known else title) + frame


def _is(name: str, title: str) -> bool:
    """True where `title` begins with "Fig. 4", not with "Fig. 41"."""
    return title.startswith(name) and not title[len(name) : len(name) + 1].isdigit()


def _places(m: Material) -> list[Path]:
    places = [each.path.parent for each in m.sources.crossvals]
    return [*places, *(run.folder for run in m.sources.every_run)]


def _figures(folder: Path) -> list[dict]:
    """The entries of figures/figures.json. Raises `FailedWork` where it is damaged or names a
    file that is outside, or not there."""
    path = folder / "figures" / "figures.json"
    if not path.exists():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        entries = entries if isinstance(entries, list) else entries["figures"]
        for entry in entries:
            pure = PurePosixPath(entry["file"])
            inside = not pure.is_absolute() and ".." not in pure.parts
            if not (inside and entry["title"] and (path.parent / pure).is_file()):
                raise ValueError(f"{entry['file']} is not a file beside it")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FailedWork(f"{path} is damaged ({error!r}): draw the figures again") from None
    return entries


def _one_a_variant(m: Material) -> list[RunSource]:
    chosen: dict[str, RunSource] = {}
    for run in m.sources.every_run:
        if not run.config.trains_fesgan:
            continue
        best = chosen.get(run.info.variant)
        if best is None or _drawn(run) > _drawn(best):
            chosen[run.info.variant] = run
    return list(chosen.values())


def _drawn(run: RunSource) -> int:
    return sum((run.folder / "pictures" / name).exists() for name in DRAWN)


def _sheets(m: Material, run: RunSource) -> Iterator[str]:
    """The run's sheets; where `fesr_tf.synthesize` was not run, the panel of its training."""
    yield heading(run.name)
    place = run.folder / "pictures"
    lacking = []
    for name, about in DRAWN.items():
        if (place / name).exists():
            yield m.pictures.figure(place / name, run.name, about)
        else:
            lacking.append(name.removesuffix(".png").replace("_", " "))
    if lacking:
        yield paragraph(f"Not run: sheets of {', '.join(lacking)}.", "none")
    if not _drawn(run) and (panels := sorted(place.glob("step-*.png"))):
        step = int(panels[-1].stem.removeprefix("step-"))
        about = f"The panel of its training at iteration {step}."
        yield m.pictures.figure(panels[-1], run.name, about)
