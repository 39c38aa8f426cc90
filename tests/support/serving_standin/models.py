"""The versions of one model, loaded, and what TensorFlow Serving says when asked for others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

AVAILABLE = "AVAILABLE"


class Problem(Exception):
    """A request that fails: `code`, the name of a gRPC status, and the server's words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class Models:
    """The version folders of `folder` under `name`.

    state: what every version says it is; anything but AVAILABLE answers no prediction.
    labels: names of versions. busy: how many of the next requests fail as UNAVAILABLE; delay:
    seconds before an answer.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        state: str = AVAILABLE,
        message: str = "",
        labels: Mapping[str, int] | None = None,
    ) -> None:
        self.name, self.state, self.message = name, state, message
        self.labels = dict(labels or {})
        self.busy, self.delay = 0, 0.0
        self.requests = 0
        self.versions = {
            int(path.name): tf.saved_model.load(str(path))
            for path in sorted(Path(folder).iterdir())
            if path.name.isdecimal()
        }
        self._definitions = {
            int(path.name): _definitions(path)
            for path in sorted(Path(folder).iterdir())
            if path.name.isdecimal()
        }

    def states(self, name: str, version: int | None) -> list[tuple[int, str, str]]:
        """Version, state and message of one version or of all."""
        if name != self.name or (version is not None and version not in self.versions):
            what = f"version {version} of model" if version is not None else "any versions of model"
            raise Problem("NOT_FOUND", f"Could not find {what} {name}")
        chosen = [version] if version is not None else sorted(self.versions)
        return [(each, self.state, self.message) for each in chosen]

    def choose(self, name: str, version: int | None, label: str | None) -> int:
        """The version that a request means."""
        if label:
            if label not in self.labels:
                raise Problem("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
            version = self.labels[label]
        wanted = f"Specific({name}, {version})" if version is not None else f"Latest({name})"
        known = version is None or version in self.versions
        if name != self.name or self.state != AVAILABLE or not known:
            raise Problem("NOT_FOUND", f"Servable not found for request: {wanted}")
        return max(self.versions) if version is None else version

    def definitions(self, version: int) -> Mapping[str, object]:
        """SignatureDef messages by name, as the SavedModel has them."""
        return self._definitions[version]

    def predict(
        self, version: int, signature: str, inputs: Mapping[str, tf.Tensor]
    ) -> dict[str, np.ndarray]:
        """Runs one signature."""
        self.requests += 1
        time.sleep(self.delay)
        if self.busy > 0:
            self.busy -= 1
            raise Problem("UNAVAILABLE", "The batch scheduling queue to which this task was "
                          "submitted is full")  # fmt: skip
        function = self.versions[version].signatures.get(signature or "serving_default")
        if function is None:
            raise Problem(
                "INVALID_ARGUMENT",
                f'Serving signature name: "{signature}" not found in signature def',
            )
        expected = set(function.structured_input_signature[1])
        if set(inputs) != expected:
            raise Problem(
                "INVALID_ARGUMENT",
                f"input size does not match signature: {len(inputs)}!={len(expected)}",
            )
        try:
            answer = function(**inputs)
        except tf.errors.OpError as error:
            raise Problem("INVALID_ARGUMENT", error.message) from None
        return {name: tensor.numpy() for name, tensor in answer.items()}


def _definitions(folder: Path) -> Mapping[str, object]:
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    hidden = "__saved_model_init_op"
    signatures = model.meta_graphs[0].signature_def
    return {name: each for name, each in signatures.items() if name != hidden}
