"""Face verification by a network whose input is as it declares, and deliberately otherwise.

Of all pairs of images with different expressions, those of one person are separated from those of
two by the cosine of their embeddings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fesr_tf.data.images import to_float
from fesr_tf.metrics.face_verification import Verification, verification
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.networks.light_cnn import LightCNN
from pipelines.common.errors import FailedWork
from pipelines.databases import open_database
from pipelines.faces.alignment import FaceAligner, NoFaceFound
from pipelines.faces.chips import resize_face
from pipelines.media import images

# isort: split
import tensorflow as tf

_BATCH = 16
# At full size an AUC of 1 leaves nothing to compare.
PIXELS = (128, 16, 8)


@dataclass(frozen=True)
class Photographs:
    """Pictures of people, row i of every field one; uint8 (N, 128, 128, 3)."""

    aligned: np.ndarray
    unaligned: np.ndarray
    subjects: np.ndarray
    expressions: np.ndarray


def read_photographs(folder: Path) -> Photographs:
    """Every photograph, aligned, and its central square as it is.

    Raises `BadUse` for a folder of another layout; `FailedWork` where a photograph shows no
    face or cannot be read.
    """
    database = open_database("images", folder)
    aligner = FaceAligner()
    aligned, unaligned = [], []
    for sample in tqdm(database.samples, desc="aligned", unit="photograph"):
        try:
            photo = images.read(sample.path)
            aligned.append(images.to_rgb(aligner.align(photo).chip))
        except (images.UnreadableImage, NoFaceFound) as error:
            raise FailedWork(f"{sample.path}: {error}; take it out") from None
        unaligned.append(images.to_rgb(resize_face(_central_square(photo))))
    return Photographs(
        aligned=np.stack(aligned),
        unaligned=np.stack(unaligned),
        subjects=np.array([sample.subject for sample in database.samples]),
        expressions=np.array([database.classes[sample.label] for sample in database.samples]),
    )


def declared_otherwise(network: FaceNetwork, **changes: object) -> FaceNetwork:
    """The same weights with another `order` or `value_range` declared."""
    other = LightCNN(dataclasses.replace(network.network.spec, **changes))
    other.set_weights(network.network.get_weights())
    return FaceNetwork(other)


def variants(network: FaceNetwork) -> dict[str, FaceNetwork]:
    """By name: the network as it declares its input, and under conventions that it does not."""
    spec = network.network.spec
    made = {
        f"as declared: {spec.order}, {list(spec.value_range)}": network,
        "range [-1, 1]": declared_otherwise(network, value_range=(-1.0, 1.0)),
        "range [0, 255]": declared_otherwise(network, value_range=(0.0, 255.0)),
        "range [1, 0], a negative": declared_otherwise(network, value_range=(1.0, 0.0)),
    }
    if spec.order != "gray":
        other = "rgb" if spec.order == "bgr" else "bgr"
        made[f"order {other}"] = declared_otherwise(network, order=other)
    return made


def embed(network: FaceNetwork, pictures: np.ndarray) -> np.ndarray:
    """Embeddings float32 (N, E) of uint8 (N, S, S, 1|3), gray or RGB."""
    run = tf.function(network.embed, autograph=False, reduce_retracing=True)
    parts = [pictures[i : i + _BATCH] for i in range(0, len(pictures), _BATCH)]
    return np.concatenate([run(to_float(part)).numpy() for part in parts])


def separation(embeddings: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """d': the distance of the mean cosines of pairs of one and of two people, in their standard
    deviations. It still discriminates where the AUC is 1."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    kept = expressions[first] != expressions[second]
    first, second = first[kept], second[kept]
    cosine = (unit[first] * unit[second]).sum(1)
    same = subjects[first] == subjects[second]
    spread = np.sqrt((cosine[same].var() + cosine[~same].var()) / 2)
    return float((cosine[same].mean() - cosine[~same].mean()) / spread)


def coarse(chips: np.ndarray, pixels: int) -> np.ndarray:
    """Chips (N, S, S, 3) as if the camera had had `pixels` a side; the same size."""
    size = chips.shape[1]
    if pixels == size:
        return chips
    shrunk = (images.resize(chip, pixels, pixels) for chip in chips)
    return np.stack([images.resize(chip, size, size) for chip in shrunk])


def rows(
    network: FaceNetwork, photos: Photographs
) -> Iterator[tuple[str, list[tuple[Verification, float]]]]:
    """For each input variant its name and, at each of `PIXELS`, `Verification` and `separation`."""
    aligned = {pixels: coarse(photos.aligned, pixels) for pixels in PIXELS}
    tried = [(name, each, _as_they_are) for name, each in variants(network).items()]
    if network.network.spec.order != "gray":
        tried.append(("gray, repeated", network, _gray))
    tried.append(("upside down", network, lambda chips: chips[:, ::-1]))
    who = photos.subjects, photos.expressions
    for name, each, change in tried:
        found = [embed(each, change(aligned[pixels])) for pixels in PIXELS]
        yield name, [(verification(one, *who), separation(one, *who)) for one in found]
    found = [embed(network, coarse(photos.unaligned, pixels)) for pixels in PIXELS]
    yield "not aligned", [(verification(one, *who), separation(one, *who)) for one in found]


def _as_they_are(chips: np.ndarray) -> np.ndarray:
    return chips


def _gray(chips: np.ndarray) -> np.ndarray:
    return np.stack([images.to_gray(chip) for chip in chips])[..., np.newaxis]


def _central_square(photo: np.ndarray) -> np.ndarray:
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return photo[top : top + side, left : left + side]
