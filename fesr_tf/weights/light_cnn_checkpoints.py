"""The authors' Light CNN checkpoints: their keys and shapes, and the same weights as we have them.

A checkpoint has convolutions as (outputs, inputs, rows, columns) and flattens the last map
channels first; Keras has (rows, columns, inputs, outputs), and rows, columns, channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from fesr_tf.networks.light_cnn import SPECS, LightCNNSpec, Linear, layers_of
from fesr_tf.weights.torch_pickle import shown
from pipelines.common.errors import FailedWork

VARIANTS = {"29": "light_cnn_29", "29v2": "light_cnn_29v2", "v4": "light_cnn_v4"}
"""The option `--variant` and the network's name in `identity`."""

_PREFIX = "module."
# The classifier of the people that a network was trained on.
_UNUSED = "fc2."
_NAMED = 3


def stem_of(spec: LightCNNSpec, linear: Linear) -> str:
    """A layer's name in the checkpoint: its keys are `<stem>.weight` and `<stem>.bias`."""
    return "fc" if linear.name == "fc" and spec.fc == "linear" else f"{linear.name}.filter"


def shapes_of(spec: LightCNNSpec) -> dict[str, tuple[int, ...]]:
    """The keys that a checkpoint of this network must have, without `module.`, and shapes."""
    shapes = {}
    for linear in layers_of(spec):
        kernel = () if linear.name == "fc" else (linear.kernel, linear.kernel)
        stem = stem_of(spec, linear)
        shapes[f"{stem}.weight"] = (linear.filters, linear.inputs, *kernel)
        shapes[f"{stem}.bias"] = (linear.filters,)
    return shapes


def without_prefix(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state dict without the `module.` that DataParallel puts before every key."""
    if all(key.startswith(_PREFIX) for key in arrays):
        return {key.removeprefix(_PREFIX): array for key, array in arrays.items()}
    return dict(arrays)


def check(arrays: Mapping[str, np.ndarray], spec: LightCNNSpec, where: Path) -> list[str]:
    """The keys (without `module.`) that are not needed: those of `fc2`.

    Raises `FailedWork` naming what is missing, not expected, of another shape or not finite,
    and the `--variant` that the file does fit, if there is one.
    """
    if complaint := _complaint(arrays, spec):
        fitting = [
            variant
            for variant, name in VARIANTS.items()
            if name != spec.name and not _complaint(arrays, SPECS[name])
        ]
        hint = f"; it fits --variant {fitting[0]}" if fitting else ""
        raise FailedWork(f"{where} does not hold the weights of {spec.name}: {complaint}{hint}")
    for key in shapes_of(spec):
        if arrays[key].dtype.kind != "f" or not np.isfinite(arrays[key]).all():
            raise FailedWork(f"{where}: {key} holds values that are not finite numbers")
    return [key for key in arrays if key.startswith(_UNUSED)]


def to_keras(arrays: Mapping[str, np.ndarray], spec: LightCNNSpec) -> dict[str, np.ndarray]:
    """`<layer>.kernel` and `<layer>.bias`, float32, of a state dict that `check` has passed."""
    weights = {}
    channels = spec.channels
    for linear in layers_of(spec):
        stem = stem_of(spec, linear)
        kernel = arrays[f"{stem}.weight"].astype(np.float32)
        if linear.name == "fc":
            side = round((linear.inputs / channels) ** 0.5)
            kernel = kernel.reshape(linear.filters, channels, side, side)
        kernel = kernel.transpose(2, 3, 1, 0)
        if linear.name == "fc":
            kernel = kernel.reshape(linear.inputs, linear.filters)
        weights[f"{linear.name}.kernel"] = np.ascontiguousarray(kernel)
        weights[f"{linear.name}.bias"] = arrays[f"{stem}.bias"].astype(np.float32)
        channels = linear.filters // 2
    return weights


def _complaint(arrays: Mapping[str, np.ndarray], spec: LightCNNSpec) -> str | None:
    shapes = shapes_of(spec)
    if missing := [key for key in shapes if key not in arrays]:
        return f"{_listed(missing)} missing"
    if odd := [key for key in arrays if key not in shapes and not key.startswith(_UNUSED)]:
        return f"{_listed(odd)} not expected"
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            return f"{key} has shape {arrays[key].shape} and not {shape}"
    return None


def _listed(keys: Iterable[str]) -> str:
    """`a, b, c and 5 more are`."""
    names = list(keys)
    first = ", ".join(shown(name) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{first}{more} {'is' if len(names) == 1 else 'are'}"
