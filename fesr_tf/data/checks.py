"""Whether a fold can be trained as it is configured, and what a person should know beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fesr_tf.config import Config
from fesr_tf.data.faces import Fold
from pipelines.common.errors import BadUse
from pipelines.dataset import manifest as manifests
from pipelines.faces.chips import FACE_SIZE

NAMED = 5


def refuse(fold: Fold, config: Config, source: Path) -> None:
    """Raises `BadUse` for a fold, of the data folder `source`, that cannot be trained on."""
    if config.image_size > FACE_SIZE:
        raise BadUse(
            f"image_size is {config.image_size} and the faces in {source} have {FACE_SIZE} x "
            f"{FACE_SIZE} pixels: more would be made up, so set image_size={FACE_SIZE} or lower"
        )
    if config.batch_size > len(fold.train):
        raise BadUse(
            f"batch_size is {config.batch_size} and the training part of {source} has "
            f"{len(fold.train)} images: lower it"
        )


def notes(fold: Fold, config: Config, source: Path) -> list[str]:
    """Sentences on what is odd about the fold and what training makes of it."""
    counts = np.bincount(fold.train.labels, minlength=len(fold.classes))
    by_channels = manifests.load(source).counts.get("by_channels", {})
    gray, coloured = (int(by_channels.get(channels, 0)) for channels in ("1", "3"))
    said = []
    if absent := _classes(fold, counts == 0):
        said.append(
            f"no training image of {absent}: R cannot learn what it never sees, and FESGAN is "
            "still asked to draw it"
        )
    alone = _classes(fold, counts == 1)
    if alone and config.synthetic == "prior" and config.trains_recognizer:
        said.append(
            f"a single training image of {alone}: it has no other of its class, so it stands "
            "for its own positive and adds only the noise of dropout to L_dist^r"
        )
    if not len(fold.test):
        said.append(
            "everybody trains and nobody is held out: no accuracy while training or after, and the "
            "panel shows training people"
        )
    elif not len(fold.valid) and config.trains_recognizer:
        said.append(
            "no validation part: no accuracy while training, the panel shows test people, and the "
            "last checkpoint stands for the best"
        )
    if config.channels == 1 and coloured:
        said.append(f"{coloured} faces are in colour and channels=1: they are used in gray")
    if config.channels == 3 and gray:
        said.append(
            f"{gray} faces are gray and channels=3: they are used with three equal channels"
        )
    return said


def _classes(fold: Fold, chosen: np.ndarray) -> str:
    names = [name for name, each in zip(fold.classes, chosen, strict=True) if each]
    more = f" and {len(names) - NAMED} more classes" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
