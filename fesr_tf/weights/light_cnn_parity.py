"""A converted Light CNN beside PyTorch's own, layer by layer, where PyTorch is installed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from fesr_tf.networks.light_cnn import LightCNN, layers_of
from fesr_tf.weights.light_cnn_checkpoints import stem_of

LIMIT = 1e-5
# An independent definition; it lies beside the package, in a checkout.
_DEFINITION = "fesr_tf.weights.light_cnn_torch"


class _Watched(LightCNN):
    """A Light CNN that keeps what each of its layers gave, before mfm."""

    def layer_outputs(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """Every layer's output for `faces`, by name, in the order of the call."""
        # Keras would wrap a dict that is set in the usual way.
        object.__setattr__(self, "_seen", {})
        self.call(tf.constant(faces))
        return self._seen

    def _weights(self, name: str, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        kernel, bias = super()._weights(name, x)
        if hasattr(self, "_seen"):
            by = (
                tf.matmul
                if name == "fc"
                else functools.partial(tf.nn.conv2d, strides=1, padding="SAME")
            )
            self._seen[name] = tf.nn.bias_add(by(x, kernel), bias).numpy()
        return kernel, bias


def torch_definition() -> Any | None:
    """The independent definition of the networks in PyTorch; None where PyTorch is missing."""
    try:
        from fesr_tf.weights import light_cnn_torch
    except ImportError:
        return None
    return light_cnn_torch


def differences(
    network: LightCNN, arrays: Mapping[str, np.ndarray], definition: Any, faces: np.ndarray
) -> dict[str, float]:
    """For every layer with weights, the largest difference over the largest value of PyTorch's.

    network: with the converted weights. arrays: the checkpoint's, without `module.`. faces:
    float32 (B, size, size, 1|3) in the network's own range. Both in float32, on the CPU.
    """
    import torch

    spec = network.spec
    port = definition.light_cnn(spec.name).eval()
    wanted = {key: torch.tensor(arrays[key]).float() for key in port.state_dict()}
    port.load_state_dict(wanted)
    theirs: dict[str, np.ndarray] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: theirs.update({name: output.numpy()})

    for linear in layers_of(spec):
        port.get_submodule(stem_of(spec, linear)).register_forward_hook(keep(linear.name))
    with torch.no_grad():
        port(torch.tensor(np.ascontiguousarray(faces.transpose(0, 3, 1, 2))))

    watched = _Watched(spec)
    watched.set_weights(network.get_weights())
    ours = watched.layer_outputs(faces)
    found = {}
    for name, their in theirs.items():
        our = ours[name] if ours[name].ndim == 2 else ours[name].transpose(0, 3, 1, 2)
        found[name] = float(np.abs(our - their).max() / np.abs(their).max())
    return found
