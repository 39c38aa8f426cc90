"""Passes through the frozen face network, and the cache of its features.

The trunk's maps and F_id of real images are constant, so they are computed once and passed on with
the batches. Generated images pass through the network at each step.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fesr_tf.config import Config
from fesr_tf.data import Faces, mapped
from fesr_tf.networks.face_networks import FaceNetwork
from pipelines.common.errors import FailedWork
from pipelines.common.progress import bar

GIB = 2**30


class FrozenPasses:
    """The face network as a training step uses it, with `frozen_dtype` and `passes`.

    `trunk` gives R's maps, `embed` F_id; they are of one network unless `trunk_network` is given.
    Input and output are float32 for every `frozen_dtype`, which a trunk that is trained ignores. It
    is no layer and owns no weights.
    """

    def __init__(
        self, face_network: FaceNetwork, config: Config, trunk_network: FaceNetwork | None = None
    ):
        self.face_network = face_network
        self.trunk_network = trunk_network or face_network
        self.dtype = None if config.frozen_dtype == "float32" else config.frozen_dtype
        self.trunk_dtype = None if config.tunes_trunk else self.dtype
        self.together = config.passes == "shared"

    def trunk(self, image: tf.Tensor) -> tf.Tensor:
        """The map of R's trunk of one batch of images."""
        return self.trunk_network.trunk(image, self.trunk_dtype)

    def trunks(self, *images: tf.Tensor) -> Sequence[tf.Tensor]:
        """The maps of several batches: in one pass, or one each where `passes` is separate."""
        if not self.together:
            return [self.trunk(image) for image in images]
        return tf.split(self.trunk(tf.concat(images, 0)), len(images))

    @property
    def shared(self) -> bool:
        """Whether R's maps are also those of F_id."""
        return self.trunk_network is self.face_network

    def identity_map(self, image: tf.Tensor, feature_map: tf.Tensor | None = None) -> tf.Tensor:
        """The map of F_id's trunk: R's map of the image where that is known and serves."""
        if feature_map is None or not self.shared:
            feature_map = self.face_network.trunk(image, self.dtype)
        return feature_map

    def embed(self, image: tf.Tensor, feature_map: tf.Tensor | None = None) -> tf.Tensor:
        """F_id, from R's map of the image where that is known and serves."""
        return self.embed_map(self.identity_map(image, feature_map))

    def embed_map(self, identity_map: tf.Tensor) -> tf.Tensor:
        """F_id, from the map of its trunk."""
        return self.face_network.embed_trunk(identity_map, self.dtype)


@dataclass(frozen=True)
class FrozenFeatures:
    """The cache: row i is image i, row N + i its mirror image, where training sees any.

    maps: of R's trunk, (rows, s/8, s/8, C); embeddings: F_id, (rows, E); identity_maps: of F_id's
    trunk, the same table where R has that trunk. All of `frozen_dtype`, None where the run does not
    need them. Arrays are mapped files.
    """

    maps: tf.Tensor | np.ndarray | None
    embeddings: tf.Tensor | np.ndarray | None
    images: int
    identity_maps: tf.Tensor | np.ndarray | None = None

    def of(
        self,
        rows: tf.Tensor,
        positives: tf.Tensor,
        flips: tf.Tensor,
        own_flips: tf.Tensor,
        positive_flips: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The cached features of a batch, float32: any of `map`, `positive_map`, `identity` and
        `identity_map`.

        rows and positives (B,) int; flips (B,) bool: of x for F_id, of x for R, of the positives.
        """
        here, own, there = (
            index + self.images * tf.cast(flip, tf.int64)
            for index, flip in ((rows, flips), (rows, own_flips), (positives, positive_flips))
        )
        sources = {}
        if self.maps is not None:
            sources |= {"map": (self.maps, own), "positive_map": (self.maps, there)}
        if self.embeddings is not None:
            sources["identity"] = (self.embeddings, here)
        if self.identity_maps is not None:
            sources["identity_map"] = (self.identity_maps, here)
        return {
            name: tf.cast(_rows(table, index), tf.float32)
            for name, (table, index) in sources.items()
        }


def _rows(table: tf.Tensor | np.ndarray, index: tf.Tensor) -> tf.Tensor:
    return tf.gather(table, index) if isinstance(table, tf.Tensor) else mapped.gather(table, index)


def cached_bytes(
    face_network: FaceNetwork,
    config: Config,
    images: int,
    trunk_network: FaceNetwork | None = None,
) -> int:
    """The size, in bytes, of `frozen_features` for a number of images."""
    image = tf.zeros((1, config.image_size, config.image_size, config.channels))
    frozen, wanted = FrozenPasses(face_network, config, trunk_network), _wanted(config)
    values = 0
    if wanted.maps:
        values += int(tf.size(frozen.trunk(image)))
    if wanted.identity_maps and not (wanted.maps and frozen.shared):
        values += int(tf.size(frozen.identity_map(image)))
    if wanted.embeddings:
        values += face_network.embedding_size
    return images * _orientations(config) * values * tf.as_dtype(config.frozen_dtype).size


def cache_place(
    face_network: FaceNetwork,
    config: Config,
    images: int,
    trunk_network: FaceNetwork | None = None,
) -> str:
    """One sentence: whether the features are kept in memory, in a file or not at all, and the
    bytes that they take."""
    steps = "every step computes the features of its real images"
    changes = _changes_maps(config) if config.trains_recognizer else ""
    generators = _changes_identities(config)
    if not any(_wanted(config)):
        changes = ", ".join(filter(None, (changes, generators)))
        return (
            f"none: {steps} ({changes})"
            if changes
            else "none: the run needs no features of real images"
        )
    if config.frozen_cache == "none":
        return f"none: {steps} (frozen_cache=none)"
    size = cached_bytes(face_network, config, images, trunk_network)
    limit = config.frozen_cache_limit_gib
    about = f"{size / GIB:.2f} GiB ({size:,} bytes)"
    if changes:
        about += f" of F_id alone, as every step computes R's maps ({changes}),"
    if generators:
        about += f" of R's maps alone, as every step computes F_id ({generators}),"
    if size <= limit * GIB:
        return f"{about} in memory, briefly twice that while they are computed"
    return (
        f"{about} in an unnamed file on the disk of the run folder, freed when the run ends: more "
        f"than frozen_cache_limit_gib={limit:g}"
    )


class _Wanted(NamedTuple):
    """Which features of real images a run needs that never change, as in `FrozenFeatures`."""

    maps: bool
    embeddings: bool
    identity_maps: bool


def _wanted(config: Config) -> _Wanted:
    fixed = config.trains_fesgan and not _changes_identities(config)
    return _Wanted(
        config.trains_recognizer and not _changes_maps(config),
        fixed and config.lambda3 > 0,
        fixed and config.lambda_map > 0,
    )


def _changes_maps(config: Config) -> str:
    """The settings with which R's maps of an image differ from step to step."""
    settings = [
        *(["augmentation=standard"] if config.augmentation == "standard" else []),
        *([f"trunk_learning_rate={config.trunk_learning_rate:g}"] if config.tunes_trunk else []),
    ]
    return ", ".join(settings)


def _changes_identities(config: Config) -> str:
    """The setting with which F_id of an image, where it is needed, differs from step to step."""
    needed = config.augments_generator and (config.lambda3 or config.lambda_map)
    changes = needed and config.generator_augmentation == "standard"
    return "generator_augmentation=standard" if changes else ""


def _orientations(config: Config) -> int:
    """2 where some features of mirror images are needed, else 1."""
    wanted = _wanted(config)
    recognizers = wanted.maps and config.augmentation == "flip"
    identities = wanted.embeddings or wanted.identity_maps
    generators = identities and config.generator_augmentation == "flip"
    return 1 + (config.horizontal_flip or recognizers or generators)


def frozen_features(
    face_network: FaceNetwork,
    faces: Faces,
    config: Config,
    progress: bool = True,
    folder: Path | None = None,
    trunk_network: FaceNetwork | None = None,
) -> FrozenFeatures | None:
    """Computes the face network's features of every image and prints their size.

    The maps are of `trunk_network` where it is given. Above `frozen_cache_limit_gib` the features
    are kept in a mapped file on the disk of `folder` (default: that of temporary files). It has no
    name: the system frees it when this process ends, however it ends. Returns None with
    `frozen_cache: none` and where the run needs no features; the steps then compute them
    themselves. Raises `FailedWork` where the disk is too small.
    """
    wanted = _wanted(config)
    if config.frozen_cache == "none" or not any(wanted):
        return None
    size = cached_bytes(face_network, config, len(faces), trunk_network)
    limit = config.frozen_cache_limit_gib
    about = f"the face network's features of {len(faces)} training images"
    if _orientations(config) == 2:
        about += " and their mirror images"
    on_disk = size > limit * GIB
    where = f" in a file, more than frozen_cache_limit_gib={limit:g}" if on_disk else ""
    print(f"computing {about} once, {size / 2**20:.1f} MiB{where}", flush=True)

    frozen, batch = FrozenPasses(face_network, config, trunk_network), config.batch_size
    dtype = tf.as_dtype(config.frozen_dtype)

    @tf.function(autograph=False)
    def features(image: tf.Tensor) -> dict[str, tf.Tensor]:
        values = {"maps": frozen.trunk(image)} if wanted.maps else {}
        if wanted.identity_maps or wanted.embeddings:
            identity_map = frozen.identity_map(image, values.get("maps"))
        if wanted.identity_maps and not (wanted.maps and frozen.shared):
            values["identity_maps"] = identity_map
        if wanted.embeddings:
            values["embeddings"] = frozen.embed_map(identity_map)
        return {name: tf.cast(value, dtype) for name, value in values.items()}

    count = len(faces)
    tables: dict[str, np.ndarray] = {}
    total = count * _orientations(config)
    for begin in bar(iterable=range(0, total, batch), unit="batch", disable=not progress):
        # Batches of the training size, so that the same kernels run; the last one is padded.
        rows = np.minimum(np.arange(begin, begin + batch), total - 1)
        image = faces.floats(rows % count)
        mirrored = (rows >= count)[:, None, None, None]
        image = tf.where(mirrored, image[:, :, ::-1], image)
        for name, value in features(image).items():
            part = value.numpy()
            if begin == 0:
                shape = (total, *part.shape[1:]), part.dtype
                tables[name] = _mapped(folder, *shape) if on_disk else np.empty(*shape)
            tables[name][begin : begin + batch] = part[: total - begin]
    kept: dict[str, tf.Tensor | np.ndarray] = tables
    if not on_disk:
        with tf.device("CPU:0"):  # only the rows of a batch are copied to a GPU
            kept = {name: tf.constant(tables.pop(name)) for name in list(tables)}
    if wanted.identity_maps and "identity_maps" not in kept:
        kept["identity_maps"] = kept["maps"]
    return FrozenFeatures(
        kept.get("maps"), kept.get("embeddings"), count, kept.get("identity_maps")
    )


def _mapped(folder: Path | None, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array in an unnamed file on the disk of `folder`."""
    try:
        return mapped.create_unnamed(folder, shape, dtype)
    except OSError as error:
        size = int(np.prod(shape)) * dtype.itemsize
        raise FailedWork(
            f"the cached features need {size / GIB:.2f} GiB on the disk of "
            f"{folder or tempfile.gettempdir()} ({error.strerror or error}); free some space, or "
            "set frozen_cache=none to compute them at every step"
        ) from error
