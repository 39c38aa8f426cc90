"""Resolves the configuration of a run: base.yaml, then the database, the variant, `key=value`.

Unknown keys and invalid values are errors that name the file or the argument. The resolved
configuration is saved with every run and reads back equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fesr_tf.config.schema import KEYS, Config, checked
from pipelines.common.errors import BadUse


def config_folder() -> Path:
    """The folder of the YAML files: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def names(folder: str = ".") -> list[str]:
    """The names of the YAML files in `configs/<folder>`, sorted."""
    return sorted(path.stem for path in (config_folder() / folder).glob("*.yaml"))


def resolve(database: str, variant: str = "FESR_JL", overrides: Iterable[str] = ()) -> Config:
    """Loads the configuration of one run: base, database, variant, overrides; later layers win.

    Args:
        database: The name of a file in `configs/`.
        variant: The name of a file in `configs/variants/`.
        overrides: Strings `key=value`, values read as YAML.

    Returns:
        The complete, frozen `Config`.

    Raises:
        BadUse: A database, variant or key does not exist, or a value does not fit its key.

    Example:
        >>> config = fesr_tf.load_config("demo", "BASELINE", ["batch_size=8"])
        >>> config.batch_size, config.trains_fesgan
        (8, False)
    """
    if variant not in names("variants"):
        raise BadUse(f"no variant {variant!r}; there are: {', '.join(names('variants'))}")
    if database == "base" or database not in names():
        databases = ", ".join(name for name in names() if name != "base")
        raise BadUse(f"no database {database!r} in configs/; there are: {databases}")
    values: dict[str, Any] = {}
    for path in _layers(database, variant):
        values |= _checked_file(path)
    given = checked(_parse(overrides), "the command line")
    values |= given
    if values["recognizer_iterations"] and "max_iterations" not in given:
        values["max_iterations"] = values["pretrain_iterations"] + values["recognizer_iterations"]
    return Config(**values)


def size(name: str) -> list[str]:
    """The settings of `configs/sizes/<name>.yaml` as overrides. Raises `BadUse` for an unknown
    name."""
    if name not in names("sizes"):
        raise BadUse(f"no size {name!r}; there are: {', '.join(names('sizes'))}")
    values = _checked_file(config_folder() / "sizes" / f"{name}.yaml")
    return [f"{key}={as_yaml(value)}" for key, value in values.items()]


def as_yaml(value: Any) -> str:
    """A setting as a configuration file writes it: null, false, 0.001, mean."""
    return value if isinstance(value, str) else json.dumps(value)


def own_keys(variant: str) -> frozenset[str]:
    """The keys that define a variant: those that its file sets."""
    return frozenset(_checked_file(config_folder() / "variants" / f"{variant}.yaml"))


def withheld(variant: str, overrides: Iterable[str]) -> list[str]:
    """The overrides that cannot apply to a variant, because they set a key that defines it."""
    own = own_keys(variant) if variant in names("variants") else ()
    return [text for text in overrides if text.partition("=")[0].strip() in own]


def origins(config: Config, database: str, variant: str) -> dict[str, str]:
    """The source of every value of `config`: the last file that sets the key, as in `base.yaml`,
    `demo.yaml` or `variants/FG.yaml`; the command line where that file has another value.
    """
    sources = dict.fromkeys(KEYS, "command line")
    for path in _layers(database, variant):
        file = path.relative_to(config_folder()).as_posix()
        for key, value in _checked_file(path).items():
            sources[key] = file if value == getattr(config, key) else "command line"
    return sources


def _layers(database: str, variant: str) -> list[Path]:
    """The files of a configuration; later ones win. A run that was trained through the public API
    may name a variant without a file."""
    folder = config_folder()
    own = folder / "variants" / f"{variant}.yaml"
    return [folder / "base.yaml", folder / f"{database}.yaml", *([own] if own.is_file() else [])]


def load(path: str | Path) -> Config:
    """Reads a saved, complete configuration. Raises `BadUse` if it is not one."""
    saved = dict(_read(Path(path)))
    if "strategy" not in saved:  # a run of an earlier version
        saved["strategy"] = "mirrored" if saved.pop("mirrored", False) else "none"
    values = _LATER | checked(saved, str(path))
    try:
        return Config(**values)
    except BadUse as error:
        raise BadUse(f"{path} is not a saved run configuration: {error}") from None


_LATER = {
    "trunk": None,
    "trunk_weights": None,
    "augmentation": "none",
    "targets": "labels",
    "label_smoothing": 0.0,
    "class_weights": "none",
    "sampling": "epochs",
    "learning_rate_schedule": "constant",
    "trunk_learning_rate": 0.0,
    "ema": 0.0,
    "recognizer_iterations": 0,
    "generator_norm": "instance",
    "upsampling": "transposed",
    "lambda_map": 0.0,
    "own_intensity": "drawn",
    "prior": "uniform",
    "style_size": 0,
    "details": 0.0,
    "critic_augmentation": "none",
    "generator_augmentation": "none",
    "synthetic_weight": "none",
    "penalty_patches": "sum",
}
"""Keys that runs of earlier versions were saved without, and the values that those trained with."""


def differences(left: Config, right: Config) -> dict[str, tuple[Any, Any]]:
    """The keys in which two configurations differ, with both values."""
    pairs = {key: (getattr(left, key), getattr(right, key)) for key in KEYS}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _checked_file(path: Path) -> dict[str, Any]:
    return checked(_read(path), str(path))


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
