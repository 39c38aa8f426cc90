"""TensorFlow Lite's interpreter, on one thread."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def interpreter(model: Path | bytes) -> Any:
    """A `tf.lite.Interpreter` of a .tflite file or of its bytes; not to be shared by threads."""
    import tensorflow as tf

    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    with warnings.catch_warnings(), without_stderr():
        # TensorFlow 2.20 announces that its interpreter will move.
        warnings.simplefilter("ignore")
        result = tf.lite.Interpreter(**source, num_threads=1)
        result.allocate_tensors()
    return result


@contextlib.contextmanager
def without_stderr() -> Iterator[None]:
    """Drops what TensorFlow Lite's C++ code prints: which delegate it created, which operations it
    converted. Its errors are exceptions."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
