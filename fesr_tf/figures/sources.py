"""What figures are drawn from: runs by variant, a cross-validation; and what cannot be mixed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config import Config
from fesr_tf.crossvalidation import outcomes
from pipelines.common.errors import BadUse, FailedWork

CROSSVAL = "crossval.json"
SUMMARY = {"variant", "runs", "of_runs", "people", "fold_accuracies", "pooled"}
NEEDED = ("database", "data_digest", "classes", "folds", "asked", "checkpoint", "summaries")
# How a run was executed and recorded, which does not change what was learnt.
EXECUTION = configs.keys_of("execution", "monitoring")


@dataclass(frozen=True)
class Source:
    """A run as its folder tells it, its networks not yet opened."""

    folder: Path
    info: runs.RunInfo
    config: Config


@dataclass(frozen=True)
class Sources:
    """All that was given, of one database: runs by variant, crossval.json and its folder."""

    runs: dict[str, Source]
    crossval: dict | None = None
    crossval_folder: Path | None = None


def read(folders: Sequence[Path]) -> Sources:
    """Reads run folders and a folder with crossval.json.

    Raises `BadUse` for a folder that is neither, for two runs of one variant, two
    cross-validations, other data or classes (naming both folders), and where nothing given draws
    faces or was cross-validated; `FailedWork` for damaged files.
    """
    found: dict[str, Source] = {}
    crossval, crossval_folder = None, None
    for folder in dict.fromkeys(folders):
        if not (folder / "run.json").exists() and (folder / CROSSVAL).exists():
            if crossval is not None:
                raise BadUse(f"{crossval_folder} and {folder} both hold {CROSSVAL}: give one")
            crossval, crossval_folder = read_crossval(folder / CROSSVAL), folder
            continue
        source = read_run(folder)
        other = found.setdefault(source.info.variant, source)
        if other is not source:
            raise BadUse(
                f"{other.folder} and {folder} are both runs of {source.info.variant}: give one, "
                "of the fold that is to be drawn"
            )
    sources = Sources(found, crossval, crossval_folder)
    require_same_data(sources)
    if crossval is None and not any(each.config.trains_fesgan for each in found.values()):
        raise BadUse(
            f"{', '.join(found)} trains no generator: there is nothing to draw; give a run of "
            f"another variant, or a folder with {CROSSVAL}"
        )
    return sources


def read_run(folder: Path) -> Source:
    """Raises `BadUse` where `folder` is neither a run nor a cross-validation."""
    if not (folder / "run.json").exists():
        raise BadUse(
            f"{folder} is neither a run (runs/<db>/<variant>/fold-NN) nor a folder with {CROSSVAL}"
        )
    return Source(folder, runs.read_info(folder), configs.load(folder / "config.yaml"))


def read_crossval(path: Path) -> dict:
    """Raises `FailedWork` for a file that is damaged or of another format."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != outcomes.FORMAT:
            raise ValueError(f"format {found['format']}")
        if missing := [name for name in NEEDED if name not in found]:
            raise KeyError(missing[0])
        for each in found["summaries"]:
            if missing := sorted(SUMMARY - each.keys()):
                raise KeyError(missing[0])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FailedWork(
            f"{path} cannot be used ({error!r}): run fesr_tf.crossval again, which only counts "
            "anew what is finished"
        ) from None
    return found


def require_same_data(sources: Sources) -> None:
    """Raises `BadUse` naming two of the sources whose data or classes differ."""
    known = [(s.folder, s.info.data_digest, tuple(s.info.classes)) for s in sources.runs.values()]
    if sources.crossval is not None:
        digest, classes = sources.crossval["data_digest"], tuple(sources.crossval["classes"])
        known.append((sources.crossval_folder, digest, classes))
    for folder, digest, classes in known[1:]:
        first, its_digest, its_classes = known[0]
        if classes != its_classes:
            differ = runs.other_classes(its_classes, classes)
            raise BadUse(f"{first} and {folder} know other classes: {differ}")
        if digest != its_digest:
            raise BadUse(
                f"{first} and {folder} are of other data ({its_digest[:12]} and {digest[:12]}): "
                "figures of one database at a time"
            )


def require_comparable(figure: str, compared: Sequence[Source]) -> None:
    """Raises `BadUse` naming two runs that do not show the same people, pictures and codes."""
    first = compared[0]
    for other in compared[1:]:
        pairs = {"fold": (first.info.fold, other.info.fold)} | {
            key: (getattr(first.config, key), getattr(other.config, key))
            for key in ("image_size", "channels", "code_size")
        }
        for name, (one, another) in pairs.items():
            if one != another:
                raise BadUse(
                    f"{figure} shows {first.folder} and {other.folder} side by side, but {name} is "
                    f"{one} in one and {another} in the other: give runs that share it"
                )


def all_of(sources: Sources, figure: str, names: Sequence[str]) -> list[Source] | str:
    """A run of each of these variants, for one figure; a sentence where one is missing."""
    missing = [name for name in names if name not in sources.runs]
    if missing:
        return f"it needs a run of {' and one of '.join(missing)}"
    there = [sources.runs[name] for name in names]
    require_comparable(figure, there)
    return there


def other_settings(compared: Sequence[Source]) -> str:
    """'They also differ in batch_size.' of runs that differ in more than what makes them variants,
    else ''."""
    own = set().union(*(_own(each) for each in compared)) | EXECUTION
    found = {
        key: None
        for each in compared[1:]
        for key in configs.differences(compared[0].config, each.config)
        if key not in own
    }
    return f"They also differ in {', '.join(found)}." if found else ""


def _own(source: Source) -> frozenset[str]:
    known = source.info.variant in configs.names("variants")
    return configs.own_keys(source.info.variant) if known else frozenset()
