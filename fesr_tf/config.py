"""The typed configuration of a run: base.yaml, then the database, the variant, `key=value`.

Unknown keys and values of the wrong type or range are errors that name the file or the
argument. The resolved configuration is saved with every run and reads back equal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import math
import site
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from pipelines.errors import BadUse
from pipelines.files import write_whole


@dataclass(frozen=True)
class Config:
    """Every setting of a run. `configs/base.yaml` holds the defaults and their sources."""

    image_size: int
    channels: int
    horizontal_flip: bool
    width: float
    code_size: int
    leaky_slope: float
    instance_norm_epsilon: float
    instance_norm_affine: bool
    dropout: float
    identity: str
    identity_weights: str | None
    lambda1: float
    lambda2: float
    lambda3: float
    lambda4: float
    lambda5: float
    lambda6: float
    penalty_weight: float
    l1_reduction: str
    intensity: str
    distance_squared: bool
    intra_features: str
    learning_rate: float
    beta1: float
    beta2: float
    batch_size: int
    critic_steps: int
    pretrain_iterations: int
    max_iterations: int
    seed: int
    synthetic: str
    recognizer_guides_generator: bool
    rdbp: bool
    image_critic: bool
    auxiliary_classifier: bool
    code_critic: bool
    stop_after_pretraining: bool
    frozen_cache: str
    frozen_cache_limit_gib: float
    frozen_dtype: str
    passes: str
    steps_per_execution: int
    jit_compile: bool
    mirrored: bool
    log_every: int
    picture_every: int
    checkpoint_every: int
    validate_every: int
    histogram_every: int
    projector_faces: int
    keep_checkpoints: int
    deterministic: bool

    @property
    def trains_fesgan(self) -> bool:
        """False for BASELINE, whose recogniser sees real images only."""
        return self.synthetic != "none"

    @property
    def trains_recognizer(self) -> bool:
        """False for the FG variants, which end with the pre-training of FESGAN."""
        return not self.stop_after_pretraining

    @property
    def last_iteration(self) -> int:
        """The iteration that a finished run is at."""
        return self.max_iterations if self.trains_recognizer else self.pretrain_iterations

    def save(self, path: Path) -> None:
        """Writes the configuration as YAML, whole or not at all."""
        write_whole(path, yaml.safe_dump(dataclasses.asdict(self), sort_keys=False))


CHOICES: dict[str, tuple[Any, ...]] = {
    "channels": (1, 3),
    "l1_reduction": ("mean", "sum"),
    "intensity": ("uniform", "one"),
    "intra_features": ("post_dropout", "pre_dropout"),
    "synthetic": ("prior", "encoder", "none"),
    "frozen_cache": ("memory", "none"),
    "frozen_dtype": ("float32", "bfloat16"),
    "passes": ("shared", "separate"),
}
# Lowest value that makes sense, and whether that value itself is allowed.
LOWEST: dict[str, tuple[float, bool]] = {
    **{f"lambda{index}": (0, True) for index in range(1, 7)},
    **dict.fromkeys(("penalty_weight", "leaky_slope", "dropout", "beta1", "beta2"), (0, True)),
    **dict.fromkeys(("pretrain_iterations", "max_iterations", "seed"), (0, True)),
    **dict.fromkeys(("width", "learning_rate", "instance_norm_epsilon"), (0, False)),
    **dict.fromkeys(("code_size", "batch_size", "critic_steps", "keep_checkpoints"), (1, True)),
    "frozen_cache_limit_gib": (0, True),
    "steps_per_execution": (1, True),
    **{f"{key}_every": (1, True) for key in ("log", "picture", "checkpoint", "validate")},
    **dict.fromkeys(("histogram_every", "projector_faces"), (0, True)),
}
BELOW_ONE = ("dropout", "beta1", "beta2")


def config_folder() -> Path:
    """Where the YAML files are: beside the package, or where the wheel put them."""
    beside = Path(__file__).resolve().parent.parent / "configs"
    # site-packages may hold somebody else's `configs`.
    if (beside / "base.yaml").is_file():
        return beside
    roots = (sys.prefix, site.getuserbase())
    places = [Path(root) / "share/fesr_tf/configs" for root in roots]
    return next((place for place in places if place.is_dir()), places[0])


def names(folder: str = ".") -> list[str]:
    """The names of the YAML files in `configs/<folder>`, sorted."""
    return sorted(path.stem for path in (config_folder() / folder).glob("*.yaml"))


def resolve(database: str, variant: str = "FESR_JL", overrides: Iterable[str] = ()) -> Config:
    """The configuration of one run, later layers winning.

    `overrides` are strings `key=value` whose values are read as YAML. Raises `BadUse` for a
    database, variant or key that does not exist and for a value that does not fit.
    """
    if variant not in names("variants"):
        raise BadUse(f"no variant {variant!r}; there are: {', '.join(names('variants'))}")
    if database == "base" or database not in names():
        databases = ", ".join(name for name in names() if name != "base")
        raise BadUse(f"no database {database!r} in configs/; there are: {databases}")
    values: dict[str, Any] = {}
    for path in _layers(database, variant):
        values.update(_checked(_read(path), str(path)))
    values.update(_checked(_parse(overrides), "the command line"))
    return _build(values)


def size(name: str) -> list[str]:
    """The settings of `configs/sizes/<name>.yaml` as overrides. Raises `BadUse` where there is no
    such size."""
    if name not in names("sizes"):
        raise BadUse(f"no size {name!r}; there are: {', '.join(names('sizes'))}")
    path = config_folder() / "sizes" / f"{name}.yaml"
    values = _checked(_read(path), str(path)).items()
    return [f"{key}={each if isinstance(each, str) else json.dumps(each)}" for key, each in values]


def own_keys(variant: str) -> frozenset[str]:
    """The keys that make a variant what it is: those that its file sets."""
    path = config_folder() / "variants" / f"{variant}.yaml"
    return frozenset(_checked(_read(path), str(path)))


def withheld(variant: str, overrides: Iterable[str]) -> list[str]:
    """The overrides that cannot hold for a variant: what they set makes it what it is."""
    own = own_keys(variant) if variant in names("variants") else ()
    return [text for text in overrides if text.partition("=")[0].strip() in own]


def origins(config: Config, database: str, variant: str) -> dict[str, str]:
    """For each key of `config` where its value comes from: the last file that sets it, as in
    `base.yaml`, `demo.yaml`, `variants/FG.yaml`, or the command line where none has that value.
    """
    found = dict.fromkeys(dataclasses.asdict(config), "command line")
    for path in _layers(database, variant):
        for key, value in _checked(_read(path), str(path)).items():
            same = value == getattr(config, key)
            where = path.relative_to(config_folder()).as_posix()
            found[key] = where if same else "command line"
    return found


def _layers(database: str, variant: str) -> list[Path]:
    """The files of a configuration, later ones winning."""
    folder = config_folder()
    return [
        folder / "base.yaml",
        folder / f"{database}.yaml",
        folder / "variants" / f"{variant}.yaml",
    ]


def load(path: str | Path) -> Config:
    """Reads a saved, complete configuration. Raises `BadUse` if it is not one."""
    path = Path(path)
    values = _checked(_read(path), str(path))
    missing = [field.name for field in dataclasses.fields(Config) if field.name not in values]
    if missing:
        raise BadUse(f"{path} lacks {', '.join(missing)}: it is not a saved run configuration")
    return _build(values)


def differences(left: Config, right: Config) -> dict[str, tuple[Any, Any]]:
    """The keys in which two configurations differ, with both values."""
    a, b = dataclasses.asdict(left), dataclasses.asdict(right)
    return {key: (a[key], b[key]) for key in a if a[key] != b[key]}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadUse(f"cannot read the configuration {path}: {error}") from None
    except yaml.YAMLError as error:
        raise BadUse(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise BadUse(f"{path} must hold `key: value` lines")
    return values


def _parse(overrides: Iterable[str]) -> dict[str, Any]:
    values = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadUse(f"{text!r} is not an override; write it as key=value")
        try:
            values[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise BadUse(f"the value of {key}={value} cannot be read as YAML") from None
    return values


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`values` with every key known and every value of its field's type."""
    hints = get_type_hints(Config)
    checked = {}
    for key, value in values.items():
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(hints)}"
            raise BadUse(f"no configuration key {key!r} (in {where}){hint}")
        checked[key] = _typed(key, value, hints[key], where)
    return checked


def _typed(key: str, value: Any, kind: Any, where: str) -> Any:
    kinds = get_args(kind) or (kind,)
    if float in kinds and not isinstance(value, bool):
        # YAML 1.1 reads 1e-4 (no dot) as a string.
        with contextlib.suppress(TypeError, ValueError):
            if math.isfinite(float(value)):
                return float(value)
    elif type(value) in kinds:
        return value
    told = {type(None): "null", bool: "bool (true or false)"}
    wanted = " or ".join(told.get(k, k.__name__) for k in kinds)
    raise BadUse(f"{key} must be of type {wanted}, not {value!r} (in {where})")


def _build(values: Mapping[str, Any]) -> Config:
    for key, choices in CHOICES.items():
        if values[key] not in choices:
            raise BadUse(f"{key} must be one of {', '.join(map(str, choices))}, not {values[key]}")
    for key, (lowest, allowed) in LOWEST.items():
        value = values[key]
        if not (value >= lowest if allowed else value > lowest):
            raise BadUse(f"{key} must be {'at least' if allowed else 'above'} {lowest}: {value}")
        if key in BELOW_ONE and not value < 1:
            raise BadUse(f"{key} must be below 1: {value}")
    if values["seed"] >= 2**32:
        raise BadUse(f"seed must be below 2**32: {values['seed']}")
    size = values["image_size"]
    if size < 32 or size & (size - 1):
        raise BadUse(f"image_size must be a power of two, at least 32: {size}")
    if values["max_iterations"] < values["pretrain_iterations"]:
        raise BadUse(
            f"max_iterations ({values['max_iterations']}) counts both stages and must be at "
            f"least pretrain_iterations ({values['pretrain_iterations']})"
        )
    first = values["synthetic"] != "none" and values["pretrain_iterations"] > 0
    second = values["max_iterations"] > values["pretrain_iterations"]
    if not first and (values["stop_after_pretraining"] or not second):
        raise BadUse(
            f"nothing to train: with pretrain_iterations={values['pretrain_iterations']} and "
            f"max_iterations={values['max_iterations']} this variant has no iteration"
        )
    _watched(values)
    if values["synthetic"] == "encoder" and values["lambda6"] > 0:
        raise BadUse(
            "synthetic=encoder draws faces of every class from an input, so the intra-class "
            "loss has no pair of one class: set lambda6=0"
        )
    return Config(**values)


def _watched(values: Mapping[str, Any]) -> None:
    """Refuses `steps_per_execution` where callbacks would miss the steps that they wait for."""
    together = values["steps_per_execution"]
    every = [key for key in LOWEST if key.endswith("_every")]
    for key in (*every, "pretrain_iterations"):
        if values[key] % together:
            raise BadUse(
                f"{key} ({values[key]}) must be a multiple of steps_per_execution ({together}): "
                "only every so many steps is there anything to see"
            )
