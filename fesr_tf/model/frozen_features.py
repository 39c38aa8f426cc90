"""Passes through the frozen face network, and the cache of its features.

The trunk's maps and F_id of real images are constant, so they are computed once and passed on with
the batches. Generated images pass through the network at each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from fesr_tf.config import Config
from fesr_tf.data import Faces
from fesr_tf.networks.face_networks import FaceNetwork

GIB = 2**30
Known = dict[str, tf.Tensor]
"""The cached features of a batch: any of `map`, `positive_map` and `identity`."""


class FrozenPasses:
    """The face network as a training step uses it, with `frozen_dtype` and `passes`.

    `trunk` gives R's maps, `embed` F_id; they are of one network unless `trunk_network` is given.
    Input and output are float32 for every `frozen_dtype`. It is no layer and owns no weights.
    """

    def __init__(
        self, face_network: FaceNetwork, config: Config, trunk_network: FaceNetwork | None = None
    ):
        self.face_network = face_network
        self.trunk_network = trunk_network or face_network
        self.dtype = None if config.frozen_dtype == "float32" else config.frozen_dtype
        self.together = config.passes == "shared"

    def trunk(self, image: tf.Tensor) -> tf.Tensor:
        """The map of R's trunk of one batch of images."""
        return self.trunk_network.trunk(image, self.dtype)

    def trunks(self, *images: tf.Tensor) -> Sequence[tf.Tensor]:
        """The maps of several batches: in one pass, or one each where `passes` is separate."""
        if not self.together:
            return [self.trunk(image) for image in images]
        return tf.split(self.trunk(tf.concat(images, 0)), len(images))

    @property
    def shared(self) -> bool:
        """Whether R's maps are also those of F_id."""
        return self.trunk_network is self.face_network

    def embed(self, image: tf.Tensor, feature_map: tf.Tensor | None = None) -> tf.Tensor:
        """F_id, from R's map of the image where that is known and serves."""
        if feature_map is None or not self.shared:
            feature_map = self.face_network.trunk(image, self.dtype)
        return self.face_network.embed_trunk(feature_map, self.dtype)


@dataclass(frozen=True)
class FrozenFeatures:
    """The cache: row i is image i, row N + i its mirror image (with `horizontal_flip`).

    maps: of the trunk, (rows, s/8, s/8, C); embeddings: F_id, (rows, E); both of `frozen_dtype`,
    None where the run does not need them.
    """

    maps: tf.Tensor | None
    embeddings: tf.Tensor | None
    images: int

    def of(
        self, rows: tf.Tensor, positives: tf.Tensor, flips: tf.Tensor, positive_flips: tf.Tensor
    ) -> Known:
        """The cached features of a batch, float32, for rows (B,) int and flips (B,) bool."""
        here, there = (
            index + self.images * tf.cast(flip, tf.int64)
            for index, flip in ((rows, flips), (positives, positive_flips))
        )
        sources = {}
        if self.maps is not None:
            sources |= {"map": (self.maps, here), "positive_map": (self.maps, there)}
        if self.embeddings is not None:
            sources["identity"] = (self.embeddings, here)
        return {
            name: tf.cast(tf.gather(table, index), tf.float32)
            for name, (table, index) in sources.items()
        }


def cached_bytes(
    face_network: FaceNetwork,
    config: Config,
    images: int,
    trunk_network: FaceNetwork | None = None,
) -> int:
    """The memory, in bytes, of `frozen_features` for a number of images."""
    shape = (1, config.image_size, config.image_size, config.channels)
    _, rows, columns, channels = (trunk_network or face_network).trunk(tf.zeros(shape)).shape
    wants_maps, wants_embeddings = _wanted(config)
    values = wants_maps * rows * columns * channels
    values += wants_embeddings * face_network.embedding_size
    return images * (1 + config.horizontal_flip) * values * tf.as_dtype(config.frozen_dtype).size


def _wanted(config: Config) -> tuple[bool, bool]:
    """Whether a run needs maps, and embeddings, of real images."""
    return config.trains_recognizer, config.trains_fesgan and config.lambda3 > 0


def frozen_features(
    face_network: FaceNetwork,
    faces: Faces,
    config: Config,
    progress: bool = True,
    trunk_network: FaceNetwork | None = None,
) -> FrozenFeatures | None:
    """Computes the face network's features of every image and prints their size.

    The maps are of `trunk_network` where it is given.
    Returns None with `frozen_cache: none`, where the run needs no features, and where the cache
    would exceed `frozen_cache_limit_gib`; the steps then compute the features themselves.
    """
    wants_maps, wants_embeddings = _wanted(config)
    if config.frozen_cache == "none" or not (wants_maps or wants_embeddings):
        return None
    size = cached_bytes(face_network, config, len(faces), trunk_network)
    limit = config.frozen_cache_limit_gib
    about = f"the face network's features of {len(faces)} training images"
    if config.horizontal_flip:
        about += " and their mirror images"
    if size > limit * GIB:
        print(
            f"{about} would take {size / GIB:.2f} GiB of memory, more than "
            f"frozen_cache_limit_gib={limit:g}; every step computes them instead",
            flush=True,
        )
        return None
    print(f"computing {about} once, {size / 2**20:.1f} MiB", flush=True)

    frozen, batch = FrozenPasses(face_network, config, trunk_network), config.batch_size
    dtype = tf.as_dtype(config.frozen_dtype)

    @tf.function(autograph=False)
    def features(image: tf.Tensor) -> list[tf.Tensor]:
        feature_map = frozen.trunk(image) if wants_maps else None
        values = [feature_map] if wants_maps else []
        values += [frozen.embed(image, feature_map)] if wants_embeddings else []
        return [tf.cast(value, dtype) for value in values]

    count = len(faces)
    tables: list[np.ndarray] = []
    total = count * (1 + config.horizontal_flip)
    for begin in tqdm(range(0, total, batch), unit="batch", disable=not progress):
        # Batches of the training size, so that the same kernels run; the last one is padded.
        rows = np.minimum(np.arange(begin, begin + batch), total - 1)
        image = faces.floats(rows % count)
        mirrored = (rows >= count)[:, None, None, None]
        image = tf.where(mirrored, image[:, :, ::-1], image)
        parts = [part.numpy() for part in features(image)]
        tables = tables or [np.empty((total, *part.shape[1:]), part.dtype) for part in parts]
        for table, part in zip(tables, parts, strict=True):
            table[begin : begin + batch] = part[: total - begin]
    with tf.device("CPU:0"):  # only the rows of a batch are copied to a GPU
        kept = [tf.constant(tables.pop(0)) for _ in range(len(tables))]
    return FrozenFeatures(
        kept[0] if wants_maps else None, kept[-1] if wants_embeddings else None, count
    )
