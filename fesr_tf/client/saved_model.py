"""The model as a SavedModel on this machine, loaded by TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf.client import training_data
from fesr_tf.client.errors import Refused, short
from fesr_tf.client.one_face import OneFace, is_small
from fesr_tf.client.signatures import CLASSIFY, CONTRACT, PIXELS, Signature, matches
from pipelines.common.errors import BadUse, FailedWork

EXTRA = "assets.extra"
"""A folder of the SavedModel that TensorFlow Serving leaves untouched."""

# TensorFlow's loader turns some of its errors into Python's.
LOADING_ERRORS = (tf.errors.OpError, OSError, ValueError, LookupError, AttributeError, RuntimeError)

# Requests of one face after which a small model is converted for them: converting takes a
# second, and saves each further request one to three milliseconds of CPU.
SINGLE = 200
# A conversion whose first probabilities differ by more is not used.
_SAME = 1e-4


def version_folder(folder: Path, version: int | None = None) -> Path:
    """`folder` if it is a SavedModel, else its `version`, the highest where that is None.
    Raises `BadUse` where there is neither."""
    if version is None and (folder / "saved_model.pb").is_file():
        return folder
    versions = {
        int(path.parent.name): path.parent
        for path in folder.glob("*/saved_model.pb")
        if path.parent.name.isdecimal()
    }
    if not versions:
        reason = "has no saved_model.pb" if folder.exists() else "does not exist"
        raise BadUse(
            f"{folder} is not an exported model: it {reason}; see python -m fesr_tf.export"
        )
    if version is not None and version not in versions:
        listed = ", ".join(map(str, sorted(versions)))
        raise BadUse(f"{folder} has no version {version}, only {listed}")
    return versions[max(versions) if version is None else version]


class SavedModel:
    """An exported model, loaded; a `Backend`.

    `folder` is a version folder (`saved_models/x/1`) or the folder above. Raises `BadUse` if it is
    not a SavedModel or lacks the export's `serving_default`, `FailedWork` if it is damaged.
    """

    takes_pixels = True

    def __init__(self, folder: str | Path, version: int | None = None) -> None:
        self.folder = version_folder(Path(folder), version)
        self.where = str(self.folder)
        self.origin = training_data.read(self.folder / EXTRA / training_data.FILE)
        self._single, self._lock = 0, threading.Lock()
        self._one_face: OneFace | None = None
        try:
            # Kept, because the variables of the signatures belong to the loaded object.
            self._loaded = tf.saved_model.load(str(self.folder))
        except LOADING_ERRORS as error:
            raise FailedWork(
                f"the SavedModel {self.folder} is damaged: {short(error)}; export again"
            ) from None
        self._signatures = {
            name: Signature.of(function.structured_input_signature[1], function.structured_outputs)
            for name, function in self._loaded.signatures.items()
        }
        default = self._signatures.get(CLASSIFY)
        if default is None or not matches(CLASSIFY, default):
            expected = CONTRACT[CLASSIFY]
            raise BadUse(
                f"{self.folder} is a SavedModel, but not one that fesr_tf.export wrote: its "
                f"serving_default must map {', '.join(expected.inputs)} to "
                f"{', '.join(sorted(expected.outputs))}"
            )

    def signatures(self) -> dict[str, Signature]:
        """The model's signatures."""
        return self._signatures

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature. Raises `Refused` where the model fails on its inputs."""
        single = signature == PIXELS and len(inputs["pixels"]) == 1
        if single and (faster := self._one_face) is not None:
            return faster.run(inputs["pixels"])
        try:
            tensors = {
                name: tf.constant(list(array) if array.dtype == object else array)
                for name, array in inputs.items()
            }
            answer = self._loaded.signatures[signature](**tensors)
        except tf.errors.OpError as error:
            raise Refused(self.where, error.message) from None
        arrays = {name: tensor.numpy() for name, tensor in answer.items()}
        if single and self._is_time():
            self._one_face = self._converted(inputs["pixels"], arrays)
        return arrays

    def _is_time(self) -> bool:
        """Whether this is the request after which single faces get their own copy of the model."""
        with self._lock:
            self._single += 1
            return self._single == SINGLE + 1 and is_small(self.folder)

    def _converted(self, pixels: np.ndarray, answer: Mapping[str, np.ndarray]) -> OneFace | None:
        """The copy for single faces; None where it cannot be made, or answers otherwise."""
        try:
            one_face = OneFace(self._loaded, answer["classes"])
            shares = one_face.run(pixels)["probabilities"]
        except Exception:  # The converter's errors have no public class, and this answer is there.
            return None
        same = np.abs(shares - answer["probabilities"]).max() <= _SAME
        return one_face if same else None

    def close(self) -> None:
        """Releases the copy for single faces."""
        self._one_face = None
