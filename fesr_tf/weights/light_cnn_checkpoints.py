"""Maps the authors' Light CNN checkpoints to Keras weights, and compares both layer by layer.

A checkpoint stores convolutions as (outputs, inputs, rows, columns) and flattens the last map
channels first; Keras uses (rows, columns, inputs, outputs), and rows, columns, channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fesr_tf.networks.light_cnn import SPECS, LightCNN, LightCNNSpec, Linear, layers_of
from fesr_tf.weights.torch_checkpoint import shown
from pipelines.common.errors import FailedWork
from pipelines.common.text import listed

VARIANTS = {"29": "light_cnn_29", "29v2": "light_cnn_29v2", "v4": "light_cnn_v4"}
"""The option `--variant` and the network's name in `identity`."""
LARGEST_DIFFERENCE = 1e-5
"""Largest difference to PyTorch that a converted layer may have, by the layer's largest value."""

_PREFIX = "module."
# The classifier of the people that a network was trained on.
_UNUSED = "fc2."


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
    prefix = _PREFIX if all(key.startswith(_PREFIX) for key in arrays) else ""
    return {key.removeprefix(prefix): array for key, array in arrays.items()}


def check(arrays: Mapping[str, np.ndarray], spec: LightCNNSpec, where: Path) -> list[str]:
    """The keys (without `module.`) that are not needed: those of `fc2`.

    Raises `FailedWork` naming keys that are missing, unexpected, of another shape or not finite,
    and the `--variant` that the file does fit, if there is one.
    """
    if complaint := _complaint(arrays, spec):
        fitting = [v for v, name in VARIANTS.items() if not _complaint(arrays, SPECS[name])]
        hint = f"; it fits --variant {fitting[0]}" if fitting else ""
        raise FailedWork(f"{where} does not hold the weights of {spec.name}: {complaint}{hint}")
    for key in shapes_of(spec):
        if arrays[key].dtype.kind != "f" or not np.isfinite(arrays[key]).all():
            raise FailedWork(f"{where}: {key} holds values that are not finite numbers")
    return [key for key in arrays if key.startswith(_UNUSED)]


def to_keras(arrays: Mapping[str, np.ndarray], spec: LightCNNSpec) -> dict[str, np.ndarray]:
    """`<layer>.kernel` and `<layer>.bias`, float32, of a state dict that `check` has accepted."""
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


def torch_definition() -> Any | None:
    """The independent definition of the networks in PyTorch; None where PyTorch is missing."""
    try:
        from fesr_tf.weights import light_cnn_torch
    except ImportError:
        return None
    return light_cnn_torch


def torch_differences(
    network: LightCNN, arrays: Mapping[str, np.ndarray], definition: Any, faces: np.ndarray
) -> dict[str, float]:
    """For every layer with weights, the largest difference over the largest value of PyTorch's.

    network: with the converted weights. arrays: the checkpoint's, without `module.`. faces:
    float32 (B, size, size, 1|3) in the network's own range. Both in float32, on the CPU.
    """
    import torch

    spec = network.spec
    port = definition.light_cnn(spec.name).eval()
    port.load_state_dict({key: torch.tensor(arrays[key]).float() for key in port.state_dict()})
    theirs: dict[str, np.ndarray] = {}
    for linear in layers_of(spec):
        port.get_submodule(stem_of(spec, linear)).register_forward_hook(
            lambda module, inputs, output, name=linear.name: theirs.update({name: output.numpy()})
        )
    with torch.no_grad():
        port(torch.tensor(np.ascontiguousarray(faces.transpose(0, 3, 1, 2))))
    ours = _layer_outputs(network, faces)
    return {
        name: float(np.abs(ours[name] - their).max() / np.abs(their).max())
        for name, their in theirs.items()
    }


def _layer_outputs(network: LightCNN, faces: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output for `faces`, before mfm and channels first, in the order of the call."""
    outputs: dict[str, np.ndarray] = {}

    class Recording(LightCNN):
        def _weights(self, name: str, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            kernel, bias = super()._weights(name, x)
            if name == "fc":
                outputs[name] = tf.nn.bias_add(tf.matmul(x, kernel), bias).numpy()
            else:
                maps = tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=1, padding="SAME"), bias)
                outputs[name] = maps.numpy().transpose(0, 3, 1, 2)
            return kernel, bias

    recording = Recording(network.spec)
    recording.set_weights(network.get_weights())
    recording.call(tf.constant(faces))
    return outputs


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
    names = [shown(key) for key in keys]
    return f"{listed(names, 3)} {'is' if len(names) == 1 else 'are'}"
