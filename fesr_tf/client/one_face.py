"""A small model converted to TensorFlow Lite, for requests of a single face.

TensorFlow needs as long to start a small network's operations, and to share them between threads,
as to compute them. TensorFlow Lite computes them on one thread, whatever TensorFlow's threads are.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fesr_tf.client.lite import interpreter, without_stderr
from fesr_tf.data.images import LUMA
from pipelines.faces.chips import FACE_SIZE

# Of the variables. The full-size model has 60 MB and is faster on several threads.
_SMALL = 2**24


def is_small(folder: Path) -> bool:
    """Whether the SavedModel in the folder is faster on one thread."""
    return sum(path.stat().st_size for path in folder.glob("variables/*")) <= _SMALL


class OneFace:
    """A SavedModel's `predict_tensor` for one face. Threads may share it, one at a time.

    loaded: the SavedModel; classes: its classes' names, bytes (1,K). Raises what TensorFlow's
    converter does, and `LookupError`, `TypeError` or `ValueError` where the signature is another.
    """

    def __init__(self, loaded: Any, classes: np.ndarray) -> None:
        predict = loaded.signatures["predict_tensor"]
        _, size, _, self._channels = predict.structured_input_signature[1]["images"].shape
        if self._channels not in (1, 3):
            raise ValueError(f"images have 1 or 3 channels, not {self._channels}")
        self._classes, self._lock = classes, threading.Lock()
        self._taps = scaling(size)

        @tf.function(input_signature=[tf.TensorSpec([1, size, size, self._channels])])
        def probabilities(images: tf.Tensor) -> tf.Tensor:
            return predict(images=images)["probabilities"]

        concrete = [probabilities.get_concrete_function()]
        with without_stderr():
            model = tf.lite.TFLiteConverter.from_concrete_functions(concrete, loaded).convert()
        self._network = interpreter(model)
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (1,128,128,3) -> the answer of `predict_pixels`, probabilities within 1e-5."""
        images = to_model(pixels, self._taps, self._channels)
        with self._lock:
            self._network.set_tensor(self._input, images)
            self._network.invoke()
            found = self._network.get_tensor(self._output)
        label = self._classes[0, found.argmax(1)]
        return {"probabilities": found, "label": label, "classes": self._classes}


def scaling(size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """How `tf.image.resize` with antialiasing makes 128 pixels S: for each pixel that a new one is
    made of, its indices int (S,) and weights float32 (S,)."""
    pixels = np.eye(FACE_SIZE, dtype=np.float32)[..., np.newaxis]
    scaled = tf.image.resize(pixels, (size, FACE_SIZE), method="bilinear", antialias=True)
    weights = scaled.numpy()[..., 0]
    span = np.count_nonzero(weights, axis=1).max()
    first = np.minimum((weights != 0).argmax(1), FACE_SIZE - span)
    return [(first + i, weights[np.arange(size), first + i]) for i in range(span)]


def to_model(
    pixels: np.ndarray, taps: Sequence[tuple[np.ndarray, np.ndarray]], channels: int
) -> np.ndarray:
    """`fesr_tf.data.images.to_model` of one face without TensorFlow, to the bit: uint8
    (1,128,128,3) -> float32 [-1,1] (1,S,S,channels).

    The sums are in TensorFlow's order, rows first: another order rounds some pixels to the next
    level.
    """
    planes = np.moveaxis(pixels[0], -1, 0).astype(np.float32)
    if channels == 1:
        red, green, blue = np.array(LUMA, np.float32)[:, np.newaxis, np.newaxis] * planes
        planes = np.rint(red + green + blue)[np.newaxis]
    rows = sum(planes[:, index] * weights[:, np.newaxis] for index, weights in taps)
    small = np.rint(sum(rows[:, :, index] * weights for index, weights in taps)).clip(0, 255)
    return np.moveaxis(small / np.float32(127.5) - np.float32(1), 0, -1)[np.newaxis]
