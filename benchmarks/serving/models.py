"""The models and the faces of the serving benchmark.

    python -m benchmarks.serving.models FOLDER NAME …

writes `FOLDER/NAME/1`, a SavedModel as `fesr_tf.export` writes them, of untrained networks: time
does not depend on what they learnt. It is a process of its own so that the memory of building is
released before others are timed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.alignment.aligners import onto_canvas
from pipelines.common.errors import FailedWork
from pipelines.demo_faces import CLASSES, render_database
from pipelines.faces.alignment import FaceAligner
from pipelines.media import images

PHOTOS, CHIPS = "photos.npy", "chips.npy"
# Of the face's square in a photograph of 640 × 480.
SIDES = (400, 320, 240)
DATABASES = {"demo": "demo", "full": "ckplus"}
"""Model -> the database whose configuration it has."""
TITLES = {
    "demo": "demo's scale (64 px, width 0.25, light_cnn_demo)",
    "full": "full size (128 px, width 1, light_cnn_29)",
}
EMPTY = "empty"
"""A model that returns its input: the cost of loading any model."""
IMAGE = "image_bytes"


def make_faces(folder: Path, people: int = 2, seed: int = 21) -> tuple[int, int]:
    """Writes photographs (N,480,640,3) of rendered people, one face in each, and their aligned
    faces (N,128,128,3), uint8 RGB. Returns how many were rendered and N: in the others no face
    was found, or two."""
    rendered = folder / "people"
    render_database(
        rendered, people, seed, frames=3, size=400, pose=20, light=True, jobs=1, progress=False
    )
    paths, aligner = sorted(rendered.glob("*/*.png")), FaceAligner()
    photos, chips = [], []
    for number, path in enumerate(paths):
        photo = onto_canvas(images.read(path), SIDES[number % len(SIDES)], number)
        found = aligner.find_all(photo)
        if len(found) == 1:
            photos.append(photo)
            chips.append(found[0].chip)
    if not photos:
        raise FailedWork("no face was found in any rendered photograph")
    np.save(folder / PHOTOS, np.stack(photos))
    np.save(folder / CHIPS, np.stack(chips))
    return len(paths), len(photos)


def save(folder: Path, database: str) -> None:
    """Writes the SavedModel of an untrained FESR and its warm-up requests into `folder`."""
    from fesr_tf import config
    from fesr_tf.model import fesr
    from fesr_tf.networks.face_networks import load_face_network
    from fesr_tf.serving import warmup
    from fesr_tf.serving.cpp_loader import meta_graph
    from fesr_tf.serving.model import Served
    from fesr_tf.serving.signatures_check import signatures_of

    settings = config.resolve(database, "FESR_JL")
    network = load_face_network(settings.identity, random_seed=0)
    model = fesr.build(settings, len(CLASSES), network)
    Served(model, CLASSES).save(str(folder))
    warmup.write(folder, folder.parent.name, signatures_of(meta_graph(folder)), CLASSES)


def save_empty(folder: Path) -> None:
    """Writes the SavedModel that returns its input, `image_bytes`."""
    import tensorflow as tf

    spec = [tf.TensorSpec([None], tf.string, IMAGE)]
    identity = tf.function(lambda image_bytes: {"same": tf.identity(image_bytes)}, spec)
    tf.saved_model.save(tf.Module(), str(folder), {"serving_default": identity})


if __name__ == "__main__":
    for name in sys.argv[2:]:
        target = Path(sys.argv[1], name, "1")
        if name == EMPTY:
            save_empty(target)
        else:
            save(target, DATABASES[name])
