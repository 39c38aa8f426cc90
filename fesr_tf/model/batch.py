"""The batch of a training step and its check."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from pipelines.common.errors import BadUse

More = dict[str, tf.Tensor]
"""The fourth member of a batch, any of: `map`, `positive_map`, `identity` and `identity_map`, the
cached features of the face networks, the last two of F_id; `recognizer_image`, x as R sees it,
where that differs from FESGAN's; `votes` float32 (B,K), shares; `weight` float32 (B,), of each
image in R's loss on real images; `intensity` float32 (B,) in [0, 1], of x's expression."""

Batch = tuple[Any, ...]
"""(image, positive, label) of `fesr_tf.data`, and `More` where there is any."""


def unpack(batch: Batch, config: Config) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, More]:
    """The members of a batch, checked once, while the step is traced; without a fourth member
    `More` is empty.

    Raises `BadUse` where the members are not two float tensors (B, S, S, c) of Keras' float type
    and integers (B,), with S and c of the configuration.
    """
    members = batch if isinstance(batch, tuple) else (batch,)
    side, channels, floats = config.image_size, config.channels, keras.backend.floatx()
    fits = len(members) in (3, 4) and all(map(tf.is_tensor, members[:3]))
    if fits:
        image, positive, label = members[:3]
        fits = label.dtype.is_integer and label.shape.rank == 1
        for each in (image, positive):
            fits &= each.dtype == floats
            fits &= each.shape[1:].is_compatible_with((side, side, channels))
    if not fits:
        raise BadUse(
            f"a batch is (image, positive, label), two {floats} (B, {side}, {side}, {channels}) in "
            f"[-1, 1] and integers (B,), but the dataset yields {_described(batch)}; see "
            "docs/guide/notebook.md in the project's repository"
        )
    return image, positive, label, members[3] if len(members) == 4 else {}


def require(more: More, config: Config, recognizer: bool = True) -> None:
    """Raises `BadUse` where a batch lacks what the configuration needs; without `recognizer`, what
    FESGAN alone needs."""
    drawn = config.own_intensity == "drawn" or not config.trains_fesgan
    needs = {"own_intensity": drawn or "intensity" in more}
    if recognizer:
        own_image = more.keys() & {"map", "recognizer_image"}
        needs |= {
            "augmentation": config.augmentation == "none" or own_image,
            "generator_augmentation": not config.augments_generator or own_image,
            "targets": config.targets == "labels" or "votes" in more,
            "class_weights": config.class_weights == "none" or "weight" in more,
        }
    lacking = [f"{key}={getattr(config, key)}" for key, there in needs.items() if not there]
    if lacking:
        raise BadUse(
            f"the dataset's batches lack what {', '.join(lacking)} needs; take them from "
            "fesr_tf.data.batches, or leave these settings at their defaults"
        )


def _described(batch: Any) -> str:
    """The types and shapes of a batch: "(float32 (8, 32, 32, 1), int32 (8,))"."""
    if isinstance(batch, tuple | list):
        return f"({', '.join(map(_described, batch))})"
    if isinstance(batch, dict):
        return f"{{{', '.join(f'{name}: {_described(each)}' for name, each in batch.items())}}}"
    if not tf.is_tensor(batch):
        return type(batch).__name__
    shape = str(batch.shape).replace("None", "B")
    return f"{batch.dtype.name} {shape}"
