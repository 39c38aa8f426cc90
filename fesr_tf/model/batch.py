"""What a training step is given, and what it says to somebody who gives it something else."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.model.frozen_features import Known
from pipelines.common.errors import BadUse

Batch = tuple[Any, ...]
"""(image, positive, label) of `fesr_tf.data`, and what is known of them beforehand, if anything."""


def unpack(batch: Batch, config: Config) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Known]:
    """The members of a batch; nothing is known of one that has three.

    Looked at once, while the step is traced. Raises `BadUse` where the members are not floats
    (B, S, S, c) twice, of Keras' own type, and integers (B,); S and c are the configuration's.
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
            f"a batch is (image, positive, label), {floats} (B, {side}, {side}, {channels}) in "
            f"[-1, 1] twice and integers (B,), and the dataset gives {_described(batch)}: see "
            "'In a notebook' in README.md"
        )
    return image, positive, label, members[3] if len(members) == 4 else {}


def _described(batch: Any) -> str:
    """A batch's structure, as its types and shapes: "(float32 (8, 32, 32, 1), int32 (8,))"."""
    if isinstance(batch, tuple | list):
        return f"({', '.join(map(_described, batch))})"
    if isinstance(batch, dict):
        return f"{{{', '.join(f'{name}: {_described(each)}' for name, each in batch.items())}}}"
    if not tf.is_tensor(batch):
        return type(batch).__name__
    shape = str(batch.shape).replace("None", "B")
    return f"{batch.dtype.name} {shape}"
