"""This project's client on photographs and on aligned faces, timed: `benchmarks.serving` starts it.

    python -m benchmarks.serving_worker '{"faces": FOLDER, "model": FOLDER}'
    python -m benchmarks.serving_worker '{"faces": FOLDER, "server": "host:port", "name": NAME}'

photos    photographs (decoded) through `Client.each`: every face found, aligned and classified
classify  aligned faces, arrays, through `Client.classify`
files     the same faces as PNG files, through `Client.classify`
pixels    the signature `predict_pixels` on the arrays, without the client
bytes     the signature `serving_default` on the files, without the client; these two of a
          folder's model only
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving_models import CHIPS, PHOTOS
from benchmarks.serving_peers import Way, answer
from benchmarks.ways import TimedAligner
from fesr_tf.client import Client
from fesr_tf.client.saved_model import version_folder
from fesr_tf.serving.images import MAX_BATCH
from pipelines.media import images

# What belongs to aligning; the rest of what `TimedAligner` names is finding the face.
ALIGN = ("landmarks", "chip")
# Of one attempt: the full-size model takes its time for 32 faces where others use the machine.
TIMEOUT = 300.0


def prepare(asked: dict[str, str]) -> tuple[Any, dict[str, Way], int]:
    """The ways to the model that was asked for."""
    import tensorflow as tf

    faces = Path(asked["faces"])
    photos, chips = np.load(faces / PHOTOS), np.load(faces / CHIPS)
    encoded = [images.encode_png(chip) for chip in chips]
    if "model" in asked:
        client = Client(model=asked["model"], batch=MAX_BATCH)
    else:
        client = Client(asked["server"], name=asked["name"], timeout=TIMEOUT, batch=MAX_BATCH)
    # In the place of the client's own, which it makes for its first photograph.
    client._aligner = aligner = TimedAligner(time.perf_counter)

    def ask(request: list[np.ndarray]) -> list[float]:
        aligner.seconds.clear()
        answered = list(client.each(request))
        assert all(len(photo.faces) == 1 for photo in answered)
        align = sum(aligner.seconds[name] for name in ALIGN)
        return [sum(aligner.seconds.values()) - align, align]

    def classify(request: list[bytes | np.ndarray]) -> None:
        assert all(hasattr(each, "label") for each in client.classify(request))

    ways = {
        "photos": Way(lambda places: [photos[i] for i in places], ask),
        "classify": Way(lambda places: [chips[i] for i in places], classify),
        "files": Way(lambda places: [encoded[i] for i in places], classify),
    }
    if "model" in asked:
        loaded = tf.saved_model.load(str(version_folder(Path(asked["model"]))))

        def read(request: list[bytes]) -> None:
            answered = loaded.signatures["serving_default"](image_bytes=tf.constant(request))
            answered["probabilities"].numpy()

        def predict(request: np.ndarray) -> None:
            answered = loaded.signatures["predict_pixels"](pixels=tf.constant(request))
            answered["probabilities"].numpy()

        ways["bytes"] = Way(lambda places: [encoded[i] for i in places], read)
        ways["pixels"] = Way(lambda places: chips[places], predict)
    return f"tensorflow {tf.__version__}", ways, len(photos)


if __name__ == "__main__":
    answer(lambda: prepare(json.loads(sys.argv[1])))
