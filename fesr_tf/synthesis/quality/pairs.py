"""Chooses the pairs of images to compare: index arrays into one part of a fold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fesr_tf.data import Faces
from pipelines.common.files import Location
from pipelines.dataset import examples
from pipelines.dataset import manifest as manifests


class Pairs(NamedTuple):
    """Pair p is of image `first[p]` and image `second[p]`, int64 (P,) each."""

    first: np.ndarray
    second: np.ndarray


class GeneratedPairs(NamedTuple):
    """Pair p is of real image `real[p]` and of image `source[p]` translated to expression
    `label[p]`; `same[p]`: the source shows the person of the real one. (P,) each."""

    real: np.ndarray
    source: np.ndarray
    label: np.ndarray
    same: np.ndarray


def peaks(faces: Faces) -> np.ndarray:
    """Rows of one image for each person and class: the most intense, of equals the last by key."""
    order = np.lexsort((faces.keys, faces.intensity))
    last = {(faces.subjects[row], int(faces.labels[row])): row for row in order}
    return np.sort(np.fromiter(last.values(), np.int64, len(last)))


def yaws(folder: Location, faces: Faces) -> np.ndarray:
    """The head's turn in each image, whole degrees as stored beside it in `folder`: int (N,)."""
    wanted = set(faces.keys.tolist())
    yaw = {}
    for shard in manifests.load(folder).shards:
        for payload in examples.read_records(folder / shard.path):
            record = examples.decode(payload)
            if record.key in wanted:
                yaw[record.key] = round(record.yaw)
    return np.array([yaw[key] for key in faces.keys.tolist()], np.int64)


def translation_pairs(labels: np.ndarray, subjects: np.ndarray, yaw: np.ndarray) -> Pairs:
    """(input x, target): every two images of one person and yaw with different expressions."""
    alike = (subjects[:, None] == subjects) & (yaw[:, None] == yaw)
    return Pairs(*np.nonzero(alike & (labels[:, None] != labels)))


def missing_targets(labels: np.ndarray, pairs: Pairs, classes: int) -> np.ndarray:
    """For each class, how many images of other classes have no target that shows it: int64 (K,)."""
    has = np.zeros((len(labels), classes), bool)
    has[np.arange(len(labels)), labels] = True
    has[pairs.first, labels[pairs.second]] = True
    return (~has).sum(0)


def repeated_pairs(faces: Faces, yaw: np.ndarray) -> Pairs:
    """Every two images of one person, expression, intensity and yaw, each pair once."""
    rows = np.stack(
        [np.unique(column, return_inverse=True)[1] for column in (
            faces.subjects, faces.labels, faces.intensity, yaw)], 1
    )  # fmt: skip
    _, group = np.unique(rows, axis=0, return_inverse=True)
    first, second = [], []
    for k in range(int(group.max(initial=-1)) + 1):
        members = np.flatnonzero(group == k)
        i, j = np.triu_indices(len(members), 1)
        first.append(members[i])
        second.append(members[j])
    empty = [np.zeros(0, np.int64)]
    return Pairs(np.concatenate(first or empty), np.concatenate(second or empty))


def verification_pairs(subjects: np.ndarray, classes: int, seed: int) -> GeneratedPairs:
    """The paper's pairs (Section IV-C4): 2K for each real image.

    K translated from the image itself, one for each expression, and K from images of other people,
    one for each expression, each image sampled from those of all other people. Needs two people.
    """
    random = np.random.default_rng(seed)
    rows = np.arange(len(subjects))
    others = [
        random.choice(np.flatnonzero(subjects != person), classes, replace=True)
        for person in subjects
    ]
    label = np.tile(np.arange(classes), len(rows))
    real = np.repeat(rows, classes)
    return GeneratedPairs(
        real=np.concatenate([real, real]),
        source=np.concatenate([real, np.concatenate(others)]),
        label=np.concatenate([label, label]),
        same=np.arange(2 * len(real)) < len(real),
    )


def real_pairs(labels: np.ndarray, subjects: np.ndarray, seed: int) -> tuple[Pairs, np.ndarray]:
    """The same construction with real images alone, and `same`, bool (P,).

    Every ordered two images of one person with different expressions; to each, the first
    image and one of another person with the second's expression (any, where nobody else shows
    it). As many of two people as of one. Needs two people.
    """
    random = np.random.default_rng(seed)
    first, second = np.nonzero((subjects[:, None] == subjects) & (labels[:, None] != labels))
    stranger = np.empty_like(second)
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        other = subjects != subjects[i]
        shown = np.flatnonzero(other & (labels == labels[j]))
        stranger[p] = random.choice(shown if len(shown) else np.flatnonzero(other))
    pairs = Pairs(np.concatenate([first, first]), np.concatenate([second, stranger]))
    return pairs, np.arange(2 * len(first)) < len(first)
