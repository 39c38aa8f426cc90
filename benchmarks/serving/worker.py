"""This project's client on photographs and on aligned faces, timed: `benchmarks.serving` starts it.

    python -m benchmarks.serving.worker FACES MODEL            # a folder saved_models/NAME
    python -m benchmarks.serving.worker FACES HOST:PORT NAME   # a server

photos    photographs (decoded) through `Client.each`: every face found, aligned and classified
classify  aligned faces, arrays, through `Client.classify`
files     the same faces as PNG files, through `Client.classify`
pixels    the signature `predict_pixels` on the arrays, without the client
bytes     the signature `serving_default` on the files, without the client; these two of a
          folder's model only
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alignment.aligners import ALIGN, TimedFinder
from benchmarks.serving.models import CHIPS, PHOTOS
from fesr_tf.client import Client
from fesr_tf.client.saved_model import version_folder
from fesr_tf.serving.images import MAX_BATCH
from pipelines.media import images
from tests.support.request_times import Backend, timer
from tests.support.workers import Questions, answer

# Of one attempt: the full-size model is slow on 32 faces where others use the machine.
TIMEOUT = 300.0


def prepare(folder: str, where: str, name: str = "") -> tuple[str, Questions]:
    """The backends of the model in the folder `where`, or of the server there."""
    import tensorflow as tf

    photos, chips = (np.load(Path(folder, each)) for each in (PHOTOS, CHIPS))
    encoded = [images.encode_png(chip) for chip in chips]
    if name:
        client = Client(where, name=name, timeout=TIMEOUT, batch=MAX_BATCH)
    else:
        client = Client(model=where, batch=MAX_BATCH)
    # Instead of the client's own, which it makes for its first photograph.
    client._finder = TimedFinder(time.perf_counter)
    aligner = client._finder.aligner

    def find_and_classify(request: list[np.ndarray]) -> list[float]:
        aligner.seconds.clear()
        assert all(len(photo.faces) == 1 for photo in client.each(request))
        align = sum(aligner.seconds[stage] for stage in ALIGN)
        return [sum(aligner.seconds.values()) - align, align]

    def classify(request: list[bytes | np.ndarray]) -> None:
        assert all(hasattr(each, "label") for each in client.classify(request))

    def of(values: Any) -> Any:
        return lambda indices: [values[i] for i in indices]

    backends = {
        "photos": Backend(of(photos), find_and_classify),
        "classify": Backend(of(chips), classify),
        "files": Backend(of(encoded), classify),
    }
    if not name:
        loaded = tf.saved_model.load(str(version_folder(Path(where))))

        def call(signature: str, key: str) -> Any:
            def run(values: Any) -> None:
                loaded.signatures[signature](**{key: tf.constant(values)})["probabilities"].numpy()

            return run

        predict = call("predict_pixels", "pixels")
        backends["bytes"] = Backend(of(encoded), call("serving_default", "image_bytes"))
        backends["pixels"] = Backend(lambda indices: chips[indices], predict)
    return f"tensorflow {tf.__version__}", {"time": timer(backends, len(photos))}


if __name__ == "__main__":
    answer(lambda: prepare(*sys.argv[1:]))
