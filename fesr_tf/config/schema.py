"""The settings of a run, one by one: their types, their ranges, and which do not go together."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from pipelines.common.errors import BadUse
from pipelines.common.files import write_whole


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


def checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`values` with every key known and every value of its field's type.

    where: the file or argument that they are from. Raises `BadUse` naming it.
    """
    hints = get_type_hints(Config)
    found = {}
    for key, value in values.items():
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(hints)}"
            raise BadUse(f"no configuration key {key!r} (in {where}){hint}")
        found[key] = _typed(key, value, hints[key], where)
    return found


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


def build(values: Mapping[str, Any]) -> Config:
    """The configuration of complete, `checked` values. Raises `BadUse` where one is out of its
    range, or two do not go together."""
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
