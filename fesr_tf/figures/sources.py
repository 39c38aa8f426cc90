"""The runs by variant and the cross-validation that figures show, and what cannot be mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf.results.sources import RunSource as Source
from fesr_tf.results.sources import read_each
from fesr_tf.runs.files import CROSSVAL
from pipelines.common.errors import BadUse

# How a run was executed and recorded, which does not change what was learnt.
EXECUTION = configs.keys_of("execution", "monitoring")


@dataclass(frozen=True)
class Sources:
    """The inputs, of one database: runs by variant, the contents and folder of crossval.json."""

    runs: dict[str, Source]
    crossval: dict | None = None
    crossval_folder: Path | None = None


def read(folders: Sequence[Path]) -> Sources:
    """Reads run folders and a folder with crossval.json.

    Raises like `results.sources.read_each`, and `BadUse` for two runs of one variant, for two
    cross-validations, and if nothing given generates faces or was cross-validated.
    """
    single, crossvals = read_each(folders, results=False)
    if len(crossvals) > 1:
        first, second = (crossval.path.parent for crossval in crossvals[:2])
        raise BadUse(f"{first} and {second} both hold {CROSSVAL}; give one of them")
    by_variant: dict[str, Source] = {}
    for run in single:
        other = by_variant.setdefault(run.info.variant, run)
        if other is not run:
            raise BadUse(
                f"{other.folder} and {run.folder} are both runs of {run.info.variant}; give one of "
                "them, of the fold that the figures are to show"
            )
    if not crossvals and not any(run.config.trains_fesgan for run in single):
        raise BadUse(
            f"{', '.join(by_variant)} trains no generator, so there is nothing to show; give a run "
            f"of another variant, or a folder with {CROSSVAL}"
        )
    if not crossvals:
        return Sources(by_variant)
    return Sources(by_variant, crossvals[0].document.data, crossvals[0].path.parent)


def require_comparable(figure: str, compared: Sequence[Source]) -> None:
    """Raises `BadUse` naming two runs that differ in fold, image size, channels or code size, and
    so cannot show the same people, images and codes."""
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
                    f"{one} in one and {another} in the other; give runs that share it"
                )


def all_of(sources: Sources, figure: str, names: Sequence[str]) -> list[Source] | str:
    """A run of each of these variants, for one figure; a sentence if one is missing."""
    if missing := [name for name in names if name not in sources.runs]:
        return f"it needs a run of {' and one of '.join(missing)}"
    compared = [sources.runs[name] for name in names]
    require_comparable(figure, compared)
    return compared


def other_settings(compared: Sequence[Source]) -> str:
    """'They also differ in batch_size.' if runs differ in more than what defines their variants,
    else ''."""
    known = set(configs.names("variants"))
    variants = {source.info.variant for source in compared} & known
    own = EXECUTION.union(*(configs.own_keys(variant) for variant in variants))
    keys = {
        key: None
        for other in compared[1:]
        for key in configs.differences(compared[0].config, other.config)
        if key not in own
    }
    return f"They also differ in {', '.join(keys)}." if keys else ""
