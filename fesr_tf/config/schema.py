"""The settings of a run. Each key is declared here once: type, range, stage and description."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
import yaml

from pipelines.common.errors import BadUse
from pipelines.common.files import write_whole

Stage = Literal["data", "first", "second", "both", "monitoring", "execution"]
"""What a key matters to: the images; the pre-training of FESGAN, the training of R with the joint
step, or both; what is recorded and kept of a run, which moves no weight; how steps are executed,
which changes no result."""


def _number(value: Any) -> Any:
    # YAML 1.1 reads 1e-4 (no dot) as a string.
    with contextlib.suppress(ValueError):
        return float(value) if isinstance(value, str) else value
    return value


def _require(holds: Callable[[int], bool], rule: str) -> pydantic.AfterValidator:
    def validate(value: int) -> int:
        if not holds(value):
            raise ValueError(rule)
        return value

    return pydantic.AfterValidator(validate)


Float = Annotated[float, pydantic.BeforeValidator(_number)]
Side = Annotated[int, _require(lambda side: side & (side - 1) == 0, "must be a power of two")]
# A Literal would take True for 1.
Channels = Annotated[int, _require(lambda channels: channels in (1, 3), "must be 1 or 3")]


def _key(
    stage: Stage, description: str, *, compared: bool = False, silent: str = "", **limits: Any
) -> Any:
    """Declares a key.

    compared: whether it is a column of TensorBoard's table of runs. silent: the source of the
    default where the paper states none. limits: pydantic's own, as `ge`.
    """
    about = {"stage": stage, "compared": compared, "silent": silent}
    return pydantic.Field(None, description=description, json_schema_extra=about, **limits)


class Settings(pydantic.BaseModel):
    """Any of a run's settings, each valid by itself: one file, or the command line."""

    model_config = pydantic.ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False
    )

    image_size: Side = _key("data", "side of the images in pixels", compared=True, ge=32)
    channels: Channels = _key("data", "c in Table I: gray or RGB")
    horizontal_flip: bool = _key("data", "mirrors half of the training images", silent="off")
    augmentation: Literal["none", "flip", "standard"] = _key(
        "second", "random changes of R's real images", compared=True, silent="none"
    )

    generator_augmentation: Literal["none", "flip", "standard"] = _key(
        "both", "random changes of FESGAN's x", compared=True, silent="none"
    )
    critic_augmentation: Literal["none", "light"] = _key(
        "both", "random changes of what D_img sees", compared=True, silent="none"
    )

    width: Float = _key("both", "multiplies the channel counts of the tables", compared=True, gt=0)
    code_size: int = _key("both", "n, the length of the code g(x)", ge=1)
    prior: Literal["uniform", "fitted"] = _key(
        "both", "where codes of new faces come from", compared=True
    )
    style_size: int = _key(
        "both", "last entries of g(x) that x_hat takes from z", compared=True, ge=0, silent="0"
    )
    details: Float = _key(
        "both", "change below which x_hat keeps the detail of x", compared=True, ge=0, silent="0"
    )
    leaky_slope: Float = _key(
        "both", "slope of LReLU", ge=0, silent="PyTorch's default, the paper's framework"
    )
    instance_norm_epsilon: Float = _key(
        "both", "added to the variance", gt=0, silent="PyTorch's default"
    )
    instance_norm_affine: bool = _key("both", "learned scale, offset", silent="PyTorch's default")
    generator_norm: Literal["instance", "layer"] = _key(
        "both", "normalisation within G_enc and G_dec", compared=True
    )
    upsampling: Literal["transposed", "resize"] = _key(
        "both", "layers that double G_dec's maps", compared=True
    )
    dropout: Float = _key("second", "rate of R's dropout", ge=0, lt=1)
    identity: str = _key("both", "the face network F_id", compared=True)
    identity_weights: str | None = _key("both", "file of its weights; null: found by its name")
    trunk: str | None = _key("second", "the face network of R's trunk; null: identity's",
                             compared=True)  # fmt: skip
    trunk_weights: str | None = _key("second", "file of its weights; null: found by its name")

    lambda1: Float = _key("both", "weight of L_advg^z in L_G, eq. 22", compared=True, ge=0)
    lambda2: Float = _key("both", "weight of L_rec", compared=True, ge=0)
    lambda3: Float = _key("both", "weight of L_id", compared=True, ge=0)
    lambda4: Float = _key("both", "weight of L_cls,D^f and L_cls,R^f (eq. 25)", compared=True, ge=0)
    lambda5: Float = _key("both", "weight of L_advd^img in L_D_img, eq. 23", compared=True, ge=0)
    lambda6: Float = _key("second", "weight of L_intra in L_R, eq. 26", compared=True, ge=0)
    lambda_map: Float = _key(
        "both", "weight of L_map, L_id's on F_id's trunk", compared=True, ge=0, silent="0"
    )
    penalty_weight: Float = _key(
        "both", "weight of the gradient penalty", ge=0, silent="WGAN-GP's, as in StarGAN and AttGAN"
    )
    penalty_patches: Literal["sum", "mean"] = _key(
        "both", "of D_img's patches, whose gradient the penalty takes", silent="sum, StarGAN's"
    )
    l1_reduction: Literal["mean", "sum"] = _key(
        "both", "over the pixels of L_rec", silent="a sum would drown every other term"
    )
    intensity: Literal["uniform", "one"] = _key("both", "distribution of eq. 2's v_i")
    own_intensity: Literal["drawn", "data"] = _key(
        "both", "v of the own class in x_rec", compared=True
    )
    distance_squared: bool = _key("second", "squares the distances of eq. 15 and 16")
    intra_features: Literal["post_dropout", "shared_mask", "pre_dropout"] = _key(
        "second", "features of L_intra"
    )
    targets: Literal["labels", "votes"] = _key(
        "second", "of L_cls,R^r: labels or shares of people's votes", compared=True, silent="labels"
    )
    label_smoothing: Float = _key(
        "second", "share of the targets of L_cls,R^r that is uniform", ge=0, lt=1, silent="0"
    )
    class_weights: Literal["none", "balanced"] = _key(
        "second", "weights of the classes in L_cls,R^r", silent="none"
    )
    synthetic_weight: Literal["none", "critic"] = _key(
        "second", "weights of x^{p,f} in R's loss", compared=True, silent="none"
    )

    learning_rate: Float = _key("both", "of every Adam", compared=True, gt=0)
    # The next three decide which variables a checkpoint holds, at the end of stage 1 too.
    learning_rate_schedule: Literal["constant", "cosine"] = _key(
        "both", "of R's learning rates", silent="constant"
    )
    trunk_learning_rate: Float = _key(
        "both", "of R's trunk; 0: frozen", compared=True, ge=0, silent="0, R's trunk is frozen"
    )
    ema: Float = _key(
        "both", "decay of the moving average of G's and R's weights; 0: none", compared=True,
        ge=0, lt=1, silent="0",
    )  # fmt: skip
    beta1: Float = _key("both", "of every Adam", ge=0, lt=1)
    beta2: Float = _key("both", "of every Adam", ge=0, lt=1)
    batch_size: int = _key("both", "images of a step", compared=True, ge=1)
    sampling: Literal["epochs", "balanced"] = _key(
        "both", "order of the training images", compared=True, silent="epochs"
    )
    critic_steps: int = _key("both", "updates of the critics an iteration", ge=1)
    pretrain_iterations: int = _key(
        "first", "P_pre, where stage 1 ends", compared=True, ge=0,
        silent="80 epochs of 1 296 images at batch 16",
    )  # fmt: skip
    max_iterations: int = _key("second", "P_max, where stage 2 ends", compared=True, ge=0)
    recognizer_iterations: int = _key(
        "second", "of stage 2, whatever P_pre is; 0: those up to P_max", ge=0, silent="0"
    )
    seed: int = _key("both", "of weights, batches and codes", compared=True, silent="0", ge=0,
                     lt=2**32)  # fmt: skip

    synthetic: Literal["prior", "encoder", "none"] = _key("second", "R's images", compared=True)
    recognizer_guides_generator: bool = _key("second", "L_cls,R^f reaches G", compared=True)
    rdbp: bool = _key("second", "stops gradients on the real side of L_dist^rf", compared=True)
    image_critic: bool = _key("both", "trains with D_img", compared=True)
    auxiliary_classifier: bool = _key("both", "trains with D_img's class head", compared=True)
    code_critic: bool = _key("both", "trains with D_z", compared=True)
    stop_after_pretraining: bool = _key("second", "trains FESGAN alone")

    frozen_cache: Literal["memory", "none"] = _key("execution", "keeps frozen features of images")
    frozen_cache_limit_gib: Float = _key("execution", "GiB above which it is a file", ge=0)
    frozen_dtype: Literal["float32", "bfloat16"] = _key("both", "dtype of the face network")
    passes: Literal["shared", "separate"] = _key("both", "whether batches share a forward pass")
    steps_per_execution: int = _key("execution", "steps of one call", ge=1)
    jit_compile: bool = _key("both", "compiles the step by XLA")
    strategy: Literal["none", "mirrored", "multi_worker"] = _key(
        "both", "divides a batch among the machine's GPUs, or among several machines"
    )

    log_every: int = _key("monitoring", "steps between scalars", ge=1)
    picture_every: int = _key("monitoring", "steps between sample grids", ge=1)
    checkpoint_every: int = _key("monitoring", "steps between checkpoints", ge=1)
    validate_every: int = _key("monitoring", "steps between validations of R", ge=1)
    histogram_every: int = _key("monitoring", "steps between histograms; 0: none", ge=0)
    projector_faces: int = _key("monitoring", "faces in TensorBoard's projector; 0: none", ge=0)
    keep_checkpoints: int = _key("monitoring", "checkpoints kept beside the best", ge=1)
    deterministic: bool = _key("both", "restricts TensorFlow to deterministic kernels")


class Config(Settings):
    """Every setting of a run. `configs/base.yaml` holds the defaults and their sources.

    Raises `BadUse` where two settings do not fit together.
    """

    @property
    def trains_fesgan(self) -> bool:
        """False for BASELINE, whose recogniser sees real images only."""
        return self.synthetic != "none"

    @property
    def trains_recognizer(self) -> bool:
        """False for the FG variants, which end with the pre-training of FESGAN."""
        return not self.stop_after_pretraining

    @property
    def augments_generator(self) -> bool:
        """Whether FESGAN sees changed images, and R the originals or others."""
        return self.trains_fesgan and self.generator_augmentation != "none"

    @property
    def face_networks(self) -> list[str]:
        """The names of F_id's and, where it is another, of R's trunk's face network."""
        return list(dict.fromkeys(name for name in (self.identity, self.trunk) if name))

    @property
    def recognizer_trunk(self) -> tuple[str, str | None]:
        """The face network of R's trunk: its name, and the file of its weights or None."""
        if self.trunk:
            return self.trunk, self.trunk_weights
        return self.identity, self.identity_weights

    @property
    def tunes_trunk(self) -> bool:
        """Whether R's trunk is trained too, as a copy of its own."""
        return self.trunk_learning_rate > 0

    @property
    def last_iteration(self) -> int:
        """The iteration at which a run is finished."""
        return self.max_iterations if self.trains_recognizer else self.pretrain_iterations

    def save(self, path: Path) -> None:
        """Writes the configuration as YAML, atomically."""
        write_whole(path, yaml.safe_dump(self.model_dump(), sort_keys=False))

    @pydantic.model_validator(mode="after")
    def _fit_together(self) -> Self:
        if missing := [key for key in KEYS if key not in self.model_fields_set]:
            raise BadUse(f"the configuration lacks {', '.join(missing)}")
        first, last = self.pretrain_iterations, self.max_iterations
        if last < first:
            raise BadUse(
                f"max_iterations ({last}) counts both stages and must be at least "
                f"pretrain_iterations ({first})"
            )
        count = self.recognizer_iterations
        if count and last != first + count:
            raise BadUse(
                f"recognizer_iterations={count} ends stage 2 at iteration {first + count}, not at "
                f"max_iterations={last}: set one of the two"
            )
        if not (self.trains_fesgan and first) and (self.stop_after_pretraining or last == first):
            raise BadUse(
                f"nothing to train: with pretrain_iterations={first} and max_iterations={last} "
                "this variant has no iteration"
            )
        together = self.steps_per_execution
        for key in (*(key for key in KEYS if key.endswith("_every")), "pretrain_iterations"):
            if getattr(self, key) % together:
                raise BadUse(
                    f"{key} ({getattr(self, key)}) must be a multiple of steps_per_execution "
                    f"({together}): callbacks see only the last of these steps"
                )
        if self.style_size >= self.code_size:
            raise BadUse(
                f"style_size={self.style_size} leaves nothing of the face in a code of "
                f"code_size={self.code_size}; lower it"
            )
        class_head = self.image_critic and self.auxiliary_classifier
        if self.details and self.trains_fesgan and not class_head:
            raise BadUse(
                f"details={self.details:g} needs D_img's class head: set image_critic=true and "
                "auxiliary_classifier=true, or details=0"
            )
        weighted = self.synthetic_weight == "critic" and self.trains_fesgan
        if weighted and self.trains_recognizer and not class_head:
            raise BadUse(
                "synthetic_weight=critic needs D_img's class head: set image_critic=true and "
                "auxiliary_classifier=true, or synthetic_weight=none"
            )
        if self.trunk_weights and not self.trunk:
            raise BadUse(
                f"trunk_weights={self.trunk_weights} needs the name of its network: set trunk"
            )
        if self.synthetic == "encoder" and self.lambda6 > 0:
            raise BadUse(
                "synthetic=encoder generates images of every class from one input, so the "
                "intra-class loss has no pair of one class: set lambda6=0"
            )
        return self


KEYS = tuple(Settings.model_fields)
"""Every key, in the order of `base.yaml`."""


def checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`values`, each of its key's type and range, numbers for strings like `1e-4`.

    where: the file or argument that they are from. Raises `BadUse` with the key, value and `where`.
    """
    for key in values:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(KEYS)}"
            raise BadUse(f"no configuration key {key!r} (in {where}){hint}")
    try:
        return Settings.model_validate(values).model_dump(exclude_unset=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        rule = first["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
        rule = rule.replace("a valid boolean", "true or false")
        raise BadUse(f"{first['loc'][0]} {rule}, not {first['input']!r} (in {where})") from None


def keys_of(*stages: Stage) -> frozenset[str]:
    """The keys that matter to these stages."""
    return frozenset(key for key in KEYS if _about(key)["stage"] in stages)


def compared_keys() -> list[str]:
    """The keys that tell runs apart in TensorBoard's table of runs."""
    return [key for key in KEYS if _about(key)["compared"]]


def silent_keys() -> dict[str, str]:
    """The keys that the paper does not state, and where their defaults come from."""
    return {key: _about(key)["silent"] for key in KEYS if _about(key)["silent"]}


def _about(key: str) -> dict[str, Any]:
    return Settings.model_fields[key].json_schema_extra
