"""Images: the paper's figures of these runs if there are any, then each run's own sheets."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from fesr_tf.report.embedded_images import Embedded
from fesr_tf.report.material import Material
from fesr_tf.results.sources import RunSource
from fesr_tf.runs import files
from pipelines.common.errors import FailedWork

FIGURES = ("Fig. 4", "Fig. 5", "Fig. 6", "Fig. 7", "Fig. 9")
SHEETS = {
    "expressions.png": "People of the test part: input, reconstruction, every expression.",
    "intensity.png": "One face, every expression, intensity from -1 to 1.",
    "new_identities.png": "Generated people, each with every expression.",
    "nearest.png": "New identities beside the training images that are nearest to them.",
}


def section(m: Material) -> dict:
    """Figs. 4 to 7 and 9 from `figures/figures.json` of runs and cross-validations; then the
    sheets of one run of each variant."""
    folders = [crossval.path.parent for crossval in m.sources.crossvals]
    folders += [run.folder for run in m.runs]
    figures: list[tuple[Embedded, str]] = []
    for folder in folders:
        for entry in _figures(folder):
            path, caption = folder / "figures" / entry["file"], entry.get("caption", "")
            image = m.images.embed(path, _title(entry), caption)
            figures.append((image, entry.get("command", "")))
    missing = [name for name in FIGURES if not any(_is(name, image.title) for image, _ in figures)]
    return {"figures": figures, "missing": missing, "runs": [_sheets(m, r) for r in _chosen(m)]}


def _title(entry: dict) -> str:
    """'Fig. 4: …' if the entry names one of the paper's figures."""
    name, title = str(entry.get("figure", "")), str(entry["title"])
    known = name.isdecimal() and not title.startswith("Fig.")
    frame = " (first frame)" if entry["file"].endswith(".gif") else ""
    return (f"Fig. {name}: {title}" if known else title) + frame


def _is(name: str, title: str) -> bool:
    """True if `title` begins with "Fig. 4", but not with "Fig. 41"."""
    return title.startswith(name) and not title[len(name) : len(name) + 1].isdigit()


def _figures(folder: Path) -> list[dict]:
    """The entries of figures/figures.json. Raises `FailedWork` if it is damaged, or names a file
    that is absent or outside of its folder."""
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
        raise FailedWork(f"{path} is damaged ({error!r}); run fesr_tf.figures again") from None
    return entries


def _chosen(m: Material) -> list[RunSource]:
    """Of each variant with a generator the run with the most sheets."""
    chosen: dict[str, RunSource] = {}
    for run in m.runs:
        best = chosen.get(run.info.variant)
        if run.config.trains_fesgan and (best is None or len(_there(run)) > len(_there(best))):
            chosen[run.info.variant] = run
    return list(chosen.values())


def _there(run: RunSource) -> list[str]:
    return [name for name in SHEETS if (run.folder / files.IMAGES / name).exists()]


def _sheets(m: Material, run: RunSource) -> dict:
    """The run's sheets; before `fesr_tf.synthesize`, the panel of its training."""
    folder, there = run.folder / files.IMAGES, _there(run)
    images = [m.images.embed(folder / name, run.name, SHEETS[name]) for name in there]
    if not there and (panels := sorted(folder.glob("step-*.png"))):
        step = int(panels[-1].stem.removeprefix("step-"))
        about = f"The panel of its training at iteration {step}."
        images.append(m.images.embed(panels[-1], run.name, about))
    missing = [name.removesuffix(".png").replace("_", " ") for name in SHEETS if name not in there]
    return {"name": run.name, "images": images, "missing": missing}
