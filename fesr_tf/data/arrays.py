"""The decoded images of a data folder in a file beside the shards, made once for every run.

<data>/arrays/<size>x<size>x<channels>/
    images.npy     uint8 (N,S,S,c), in the order of the keys
    records.npy    what else training reads of each image, a row of named fields
    arrays.json    the digest of the shards that they hold, and those of both files

Where the data folder cannot be written, or lies in a store, they are in the cache folder instead
(`fesr_tf.config.cache`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf.config.cache import cache_folder
from fesr_tf.data import mapped
from fesr_tf.data.images import decode_image, to_size
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import (
    ARRAYS_NAME,
    Location,
    folder_whole,
    local_copy,
    sha256_of,
    write_whole,
)
from pipelines.common.progress import bar
from pipelines.common.subjects import unit
from pipelines.dataset import examples
from pipelines.dataset.manifest import NAME as MANIFEST
from pipelines.dataset.manifest import Manifest

# To be raised when `decode_image`, `to_size` or the fields change.
FORMAT = 1
IMAGES, RECORDS, ABOUT = "images.npy", "records.npy", "arrays.json"
_BATCH = 256
_GIB = 2**30


def arrays(
    folder: Location, manifest: Manifest, size: int, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """The images and records of a preprocessed folder, both mapped and in the order of the keys.

    They are made where there are none of these shards, or damaged ones; other processes wait
    meanwhile. Images are uint8 (N,size,size,channels). Records (N,) have the fields key and subject
    (`pipelines.common.subjects.unit`) str; label int32; intensity, yaw float32; splits int8 (K,),
    the role in each fold; votes float32 (C,), the shares of people's votes, of sum 1 or 0, where
    the data have any. The shards must have been verified. Raises `FailedWork` where the arrays can
    be written nowhere.
    """
    kind = f"{size}x{size}x{channels}"
    with _alone(folder):
        with contextlib.suppress(BadUse):  # no cache folder: there is nothing in it
            for place in _places(folder, manifest, kind):
                if ready := _read(place, manifest):
                    return ready
        failures = []
        for place in _places(folder, manifest, kind):
            try:
                _write(place, folder, manifest, size, channels)
            except OSError as error:
                failures.append(f"{place}: {error.strerror or error}")
                continue
            if failures or not isinstance(folder, Path):
                why = f" ({failures[0]})" if failures else ", as the data lie in a store"
                print(f"note: decoded images are kept in {place}{why}", file=sys.stderr, flush=True)
            return _read(place, manifest)
    need = manifest.counts["aligned"] * size * size * channels / _GIB
    raise FailedWork(
        f"the decoded images of {folder} need {need:.2f} GiB of disk and cannot be written "
        f"({'; '.join(failures)}); set FESR_TF_CACHE to a folder that has room"
    )


def _places(folder: Location, manifest: Manifest, kind: str) -> Iterator[Path]:
    if isinstance(folder, Path):
        yield folder / ARRAYS_NAME / kind
    yield cache_folder() / ARRAYS_NAME / manifest.digest[:16] / kind


@contextlib.contextmanager
def _alone(folder: Location) -> Iterator[None]:
    """Waits until no other process makes arrays of a folder, where its file system has locks."""
    if not isinstance(folder, Path):
        yield
        return
    with (folder / MANIFEST).open("rb") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(place: Path, manifest: Manifest) -> tuple[np.ndarray, np.ndarray] | None:
    """The arrays in `place`; None where they are missing, damaged or of other shards."""
    try:
        about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        if about != _about(place, manifest):
            return None
        images, records = (np.load(place / name, mmap_mode="r") for name in (IMAGES, RECORDS))
    except (OSError, ValueError):
        return None
    return images, records


def _about(place: Path, manifest: Manifest) -> dict[str, object]:
    digests = {name: sha256_of(place / name) for name in (IMAGES, RECORDS)}
    return {"format": FORMAT, "data_digest": manifest.digest, "sha256": digests}


def _write(place: Path, folder: Location, manifest: Manifest, size: int, channels: int) -> None:
    with folder_whole(place) as temporary:
        keys, longest = _keys(folder, manifest)
        count, widths = len(keys), (keys.dtype.itemsize, longest)
        rank = np.empty(count, np.int32)
        rank[np.argsort(keys, kind="stable")] = np.arange(count, dtype=np.int32)
        del keys
        shape = (count, size, size, channels)
        images = mapped.create(temporary / IMAGES, shape, np.dtype(np.uint8))
        records = mapped.create(temporary / RECORDS, (count,), _fields(manifest, *widths))
        features = examples.features(manifest.folds, manifest.num_votes)

        def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
            row = tf.io.parse_single_example(record, features)
            image = to_size(decode_image(row["image"], channels), size, channels)
            return {name: row[name] for name in features if name != "image"} | {"image": image}

        about = f"decoding {folder} at {size}x{size} once"
        done = 0
        with bar(total=count, desc=about, unit="image", disable=count < 10_000) as progress:
            for records_of_shard in _shards(folder, manifest):
                rows = records_of_shard.map(parse, tf.data.AUTOTUNE).batch(_BATCH)
                for batch in rows.as_numpy_iterator():
                    there = rank[done : done + len(batch["key"])]
                    images[there] = batch["image"]
                    records[there] = _rows(batch, records.dtype)
                    done += len(there)
                    progress.update(len(there))
        images.flush()
        records.flush()
        write_whole(temporary / ABOUT, json.dumps(_about(temporary, manifest)) + "\n")


def _shards(folder: Location, manifest: Manifest) -> Iterator[tf.data.Dataset]:
    for shard in manifest.shards:
        with local_copy(folder / shard.path) as path:
            yield tf.data.TFRecordDataset(str(path))


def _keys(folder: Location, manifest: Manifest) -> tuple[np.ndarray, int]:
    """The keys in the shards' order, bytes (N,), and the bytes of the longest subject."""
    features = {name: tf.io.FixedLenFeature((), tf.string) for name in ("key", "subject")}
    keys, longest = [np.zeros(0, "S1")], 0
    for records in _shards(folder, manifest):
        batches = records.batch(_BATCH).map(lambda batch: tf.io.parse_example(batch, features))
        for batch in batches.as_numpy_iterator():
            keys.append(batch["key"].astype(np.bytes_))
            longest = max(longest, *map(len, batch["subject"]))
    return np.concatenate(keys), longest


def _fields(manifest: Manifest, key: int, subject: int) -> np.dtype:
    """The fields of a record, for keys and subjects of so many bytes at most."""
    fields: list[tuple] = [
        ("key", f"U{key}"),
        ("subject", f"U{max(subject, key + 1)}"),
        ("label", np.int32),
        ("intensity", np.float32),
        ("yaw", np.float32),
        ("splits", np.int8, (manifest.folds,)),
    ]
    if manifest.num_votes:
        fields.append(("votes", np.float32, (manifest.num_votes,)))
    return np.dtype(fields)


def _rows(batch: dict[str, np.ndarray], dtype: np.dtype) -> np.ndarray:
    rows = np.zeros(len(batch["key"]), dtype)
    for name in ("label", "intensity", "yaw", "splits"):
        rows[name] = batch[name]
    rows["key"] = [key.decode() for key in batch["key"]]
    pairs = zip(batch["subject"], rows["key"].tolist(), strict=True)
    rows["subject"] = [unit(subject.decode(), key) for subject, key in pairs]
    if "votes" in dtype.names:
        votes = batch["votes"]
        rows["votes"] = votes / np.maximum(votes.sum(1, keepdims=True), 1)
    return rows
