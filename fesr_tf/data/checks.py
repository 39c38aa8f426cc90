"""Checks of a fold before training: errors, and notes on unusual data."""

from __future__ import annotations

import numpy as np

from fesr_tf.config import Config
from fesr_tf.data.faces import Fold
from pipelines.common.errors import BadUse
from pipelines.common.files import Location
from pipelines.common.text import listed
from pipelines.dataset import manifest as manifests
from pipelines.dataset.subjects import cautions
from pipelines.faces.chips import FACE_SIZE


def refuse(fold: Fold, config: Config, source: Location) -> None:
    """Raises `BadUse` for a fold, of the data folder `source`, that cannot be trained on."""
    if config.image_size > FACE_SIZE:
        raise BadUse(
            f"image_size={config.image_size} exceeds the {FACE_SIZE} pixels of the faces in "
            f"{source} and would upsample; set image_size={FACE_SIZE} or lower"
        )
    if config.batch_size > len(fold.train):
        raise BadUse(
            f"batch_size={config.batch_size} exceeds the {len(fold.train)} training images of "
            f"{source}; lower it"
        )


def notes(fold: Fold, config: Config, source: Location) -> list[str]:
    """Sentences on unusual data and their effect on training."""
    counts = np.bincount(fold.train.labels, minlength=len(fold.classes))
    manifest = manifests.load(source)
    by_channels = manifest.counts.get("by_channels", {})
    gray, coloured = (int(by_channels.get(channels, 0)) for channels in ("1", "3"))
    sentences = cautions(manifest)
    if absent := _classes(fold, counts == 0):
        sentences.append(
            f"no training image of {absent}: R cannot learn it, while FESGAN still generates it"
        )
    single = _classes(fold, counts == 1)
    if single and config.synthetic == "prior" and config.trains_recognizer:
        sentences.append(
            f"a single training image of {single}: it is its own positive and adds only the noise "
            "of dropout to L_dist^r"
        )
    if not len(fold.test):
        sentences.append(
            "training on all images: there is no accuracy on held-out images, and the panel "
            "shows training images"
        )
    elif not len(fold.valid) and config.trains_recognizer:
        sentences.append(
            "no validation part: there is no accuracy during training, the panel shows test "
            "images, and the last checkpoint counts as the best"
        )
    if config.channels == 1 and coloured:
        sentences.append(f"{coloured} colour images are converted to gray, as channels=1")
    if config.channels == 3 and gray:
        sentences.append(f"{gray} gray images get three equal channels, as channels=3")
    return sentences


def _classes(fold: Fold, chosen: np.ndarray) -> str:
    return listed([fold.classes[label] for label in np.flatnonzero(chosen)], 5, "more classes")
