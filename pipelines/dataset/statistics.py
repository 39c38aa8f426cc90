"""What the records are like, as TensorFlow Metadata's `DatasetFeatureStatisticsList`.

The sums are exact or correctly rounded, so that the same records give the same bytes on any
processor: the order in which a vector unit adds would otherwise show in the last digit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

from pipelines.dataset.folds import PARTS
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import fold_folder

NAME = "statistics.pb"
ALL = "all"
_BUCKETS = 10
_TOP = 10
_NUMBERS = ("label", "splits", "frame", "intensity", "yaw", "eyes")
_WHOLE = ("label", "splits", "frame")


def build(columns: Columns) -> pb.DatasetFeatureStatisticsList:
    """One entry for all records ("all"), then one a fold and part ("fold-00/train", …).

    The entry of a part without records has no features. Standard deviations are those of the
    population; histograms have ten buckets of equal width; `image` is counted in bytes.
    """
    made = pb.DatasetFeatureStatisticsList()
    table = _Table(columns)
    table.describe(made.datasets.add(name=ALL), np.ones(len(columns), bool))
    for fold in range(columns.folds):
        for part, role in PARTS.items():
            name = f"{fold_folder(fold)}/{part}"
            table.describe(made.datasets.add(name=name), columns.part(fold, role))
    return made


def serialised(statistics: pb.DatasetFeatureStatisticsList) -> bytes:
    """The file's bytes; equal statistics give equal bytes."""
    return statistics.SerializeToString(deterministic=True)


class _Table:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._numbers = {name: getattr(columns, name) for name in _NUMBERS}
        self._bytes = columns.image_bytes
        self._key_lengths = np.array([len(key) for key in columns.keys], np.int64)

    def describe(self, dataset: pb.DatasetFeatureStatistics, rows: np.ndarray) -> None:
        columns, count = self._columns, int(rows.sum())
        dataset.num_examples = count
        if not count:
            return
        made = _feature(dataset, "key", pb.FeatureNameStatistics.STRING).string_stats
        _common(made.common_stats, count, 1)
        made.unique = len({columns.keys[row] for row in np.flatnonzero(rows)})
        made.avg_length = int(self._key_lengths[rows].sum()) / count
        for name, names in (("class", columns.class_names), ("subject", columns.subjects)):
            indices = columns.class_name if name == "class" else columns.subject
            top = len(names) if name == "class" else _TOP
            _names(
                _feature(dataset, name, pb.FeatureNameStatistics.STRING), names, indices[rows], top
            )
        self._image(_feature(dataset, "image", pb.FeatureNameStatistics.BYTES), rows)
        for name, values in self._numbers.items():
            kind = (
                pb.FeatureNameStatistics.INT if name in _WHOLE else pb.FeatureNameStatistics.FLOAT
            )
            _numeric(_feature(dataset, name, kind), values[rows])

    def _image(self, feature: pb.FeatureNameStatistics, rows: np.ndarray) -> None:
        sizes, made = self._bytes[rows], feature.bytes_stats
        _common(made.common_stats, len(sizes), 1)
        made.unique = len({self._columns.digest(row) for row in np.flatnonzero(rows)})
        made.avg_num_bytes = int(sizes.sum()) / len(sizes)
        made.min_num_bytes, made.max_num_bytes = float(sizes.min()), float(sizes.max())
        made.max_num_bytes_int = int(sizes.max())
        values, counts = np.unique(sizes, return_counts=True)
        _histogram(feature.custom_stats.add(name="bytes").histogram, values, counts)


def _feature(
    dataset: pb.DatasetFeatureStatistics, name: str, kind: int
) -> pb.FeatureNameStatistics:
    feature = dataset.features.add(type=kind)
    feature.path.step.append(name)
    return feature


def _common(stats: pb.CommonStatistics, count: int, length: int) -> None:
    stats.num_non_missing = count
    stats.min_num_values = stats.max_num_values = length
    stats.avg_num_values = length
    stats.tot_num_values = count * length


def _names(
    feature: pb.FeatureNameStatistics, names: Sequence[str], indices: np.ndarray, top: int
) -> None:
    counted = Counter({names[i]: n for i, n in enumerate(np.bincount(indices).tolist()) if n})
    made = feature.string_stats
    _common(made.common_stats, len(indices), 1)
    made.unique = len(counted)
    made.avg_length = sum(len(name) * n for name, n in counted.items()) / len(indices)
    for name, number in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:top]:
        made.top_values.add(value=name, frequency=number)


def _numeric(feature: pb.FeatureNameStatistics, values: np.ndarray) -> None:
    """values: (N,) or (N,M), of which every number counts."""
    made = feature.num_stats
    _common(made.common_stats, len(values), values.shape[1] if values.ndim == 2 else 1)
    numbers, counts = np.unique(values.reshape(-1).astype(np.float64), return_counts=True)
    finite = np.isfinite(numbers)
    missing = int(counts[np.isnan(numbers)].sum())
    numbers, counts = numbers[finite], counts[finite]
    histogram = made.histograms.add(num_nan=missing)
    if not len(numbers):
        return
    total = int(counts.sum())
    made.mean = math.fsum((numbers * counts).tolist()) / total
    made.std_dev = math.sqrt(math.fsum((counts * (numbers - made.mean) ** 2).tolist()) / total)
    made.num_zeros = int(counts[numbers == 0].sum())
    made.min, made.max = float(numbers[0]), float(numbers[-1])
    places = np.searchsorted(np.cumsum(counts), [(total - 1) // 2 + 1, total // 2 + 1])
    made.median = (float(numbers[places[0]]) + float(numbers[places[1]])) / 2
    _histogram(histogram, numbers, counts)


def _histogram(histogram: pb.Histogram, numbers: np.ndarray, counts: np.ndarray) -> None:
    """numbers: the different values, ascending; counts: how often each occurs."""
    histogram.type = pb.Histogram.STANDARD
    low, high = float(numbers[0]), float(numbers[-1])
    buckets = _BUCKETS if high > low else 1
    edges = [low + (high - low) * index / buckets for index in range(buckets)] + [high]
    places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, buckets - 1)
    for index in range(buckets):
        histogram.buckets.add(
            low_value=edges[index],
            high_value=edges[index + 1],
            sample_count=int(counts[places == index].sum()),
        )
