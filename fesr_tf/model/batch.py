"""The batch of a training step and its check."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.model.frozen_features import Known
from pipelines.common.errors import BadUse

Batch = tuple[Any, ...]
"""(image, positive, label) of `fesr_tf.data`, optionally with their cached features (`Known`)."""


def unpack(batch: Batch, config: Config) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Known]:
    """The members of a batch, checked once, while the step is traced; without a fourth member the
    cached features are empty.

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
