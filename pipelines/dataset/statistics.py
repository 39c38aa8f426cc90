"""Statistics of the records as TensorFlow Metadata's `DatasetFeatureStatisticsList`.

The sums are exact or correctly rounded, so that the same records give the same bytes on any
processor: the order in which a vector unit adds would otherwise change the last digit.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

from pipelines.common.roles import PARTS
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import fold_folder

NAME = "statistics.pb"
ALL = "all"
_BUCKETS = 10
_TOP = 10
_BLOCK = 65_536
_KINDS = {
    **dict.fromkeys(("label", "splits", "frame"), pb.FeatureNameStatistics.INT),
    **dict.fromkeys(("intensity", "yaw", "eyes", "votes"), pb.FeatureNameStatistics.FLOAT),
}


def build(columns: Columns) -> pb.DatasetFeatureStatisticsList:
    """One entry for all records ("all"), then one a fold and part ("fold-00/train", …).

    The entry of a part without records has no features. Standard deviations are those of the
    population; histograms have ten buckets of equal width; `image` is counted in bytes.
    """
    statistics = pb.DatasetFeatureStatisticsList()
    unique = _Unique(columns)
    parts = {ALL: np.ones(len(columns), bool)}
    for fold in range(columns.folds):
        for part, role in PARTS.items():
            parts[f"{fold_folder(fold)}/{part}"] = columns.part(fold, role)
    for name, rows in parts.items():
        dataset = statistics.datasets.add(name=name, num_examples=int(rows.sum()))
        if rows.any():
            _describe(dataset, columns, unique, np.flatnonzero(rows))
    return statistics


def serialised(statistics: pb.DatasetFeatureStatisticsList) -> bytes:
    """The file's bytes; equal statistics give equal bytes."""
    return statistics.SerializeToString(deterministic=True)


def _describe(
    dataset: pb.DatasetFeatureStatistics,
    columns: Columns,
    unique: _Unique,
    rows: np.ndarray,
) -> None:
    def feature(name: str, kind: int) -> pb.FeatureNameStatistics:
        feature = dataset.features.add(type=kind)
        feature.path.step.append(name)
        return feature

    text = pb.FeatureNameStatistics.STRING
    keys = feature("key", text).string_stats
    _common(keys.common_stats, len(rows), 1)
    keys.unique = unique.keys(rows)
    keys.avg_length = int(unique.lengths[rows].sum()) / len(rows)
    for name, names, indices, top in (
        ("class", columns.class_names, columns.class_name, None),
        ("subject", columns.subjects, columns.subject, _TOP),
    ):
        counts = np.bincount(indices[rows]).tolist()
        counted = Counter({names[index]: count for index, count in enumerate(counts) if count})
        _strings(feature(name, text).string_stats, counted, top)
    image, sizes = feature("image", pb.FeatureNameStatistics.BYTES), columns.image_bytes[rows]
    stats = image.bytes_stats
    _common(stats.common_stats, len(rows), 1)
    stats.unique = unique.images(rows)
    stats.avg_num_bytes = int(sizes.sum()) / len(sizes)
    stats.min_num_bytes, stats.max_num_bytes = float(sizes.min()), float(sizes.max())
    stats.max_num_bytes_int = int(sizes.max())
    values, counts = np.unique(sizes, return_counts=True)
    _histogram(image.custom_stats.add(name="bytes").histogram, values, counts)
    for name, kind in _KINDS.items():
        if name == "splits":
            patterns = columns.patterns
            often = np.bincount(columns.pattern_of_row[rows], minlength=len(patterns))
            often = np.repeat(often[:, None], patterns.shape[1], axis=1)
            _numeric(feature(name, kind).num_stats, patterns, often)
        elif (values := getattr(columns, name)).size:
            _numeric(feature(name, kind).num_stats, values[rows])


class _Unique:
    """Tells how many keys and images of some rows are different, without a copy of either."""

    def __init__(self, columns: Columns) -> None:
        self.lengths = np.fromiter(map(len, columns.keys), np.int64, len(columns))
        hashes = np.fromiter(map(hash, columns.keys), np.int64, len(columns))
        # Different hashes are those of different keys; only for equal ones the keys count.
        distinct = len(np.unique(hashes)) == len(columns)
        numbers: dict[str, int] = {}
        self._keys = (
            None
            if distinct
            else np.array([numbers.setdefault(key, len(numbers)) for key in columns.keys], np.int64)
        )
        self._images = columns.image_numbers

    def keys(self, rows: np.ndarray) -> int:
        return len(rows) if self._keys is None else len(np.unique(self._keys[rows]))

    def images(self, rows: np.ndarray) -> int:
        return len(np.unique(self._images[rows]))


def _common(stats: pb.CommonStatistics, count: int, length: int) -> None:
    stats.num_non_missing = count
    stats.min_num_values = stats.max_num_values = length
    stats.avg_num_values = length
    stats.tot_num_values = count * length


def _strings(stats: pb.StringStatistics, counted: Counter[str], top: int | None) -> None:
    """counted: how often each value occurs; top: how many values are listed (None: all)."""
    total = counted.total()
    _common(stats.common_stats, total, 1)
    stats.unique = len(counted)
    stats.avg_length = sum(len(name) * count for name, count in counted.items()) / total
    for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:top]:
        stats.top_values.add(value=name, frequency=count)


def _numeric(
    stats: pb.NumericStatistics, values: np.ndarray, often: np.ndarray | None = None
) -> None:
    """values: (N,) or (N,M); all numbers are counted. often: how often each occurs, once if not
    given; the same in every column."""
    width = values.shape[1] if values.ndim == 2 else 1
    records = len(values) if often is None else int(often.sum()) // width
    _common(stats.common_stats, records, width)
    if often is None:
        numbers, counts = np.unique(values.reshape(-1).astype(np.float64), return_counts=True)
    else:
        numbers, places = np.unique(values.reshape(-1), return_inverse=True)
        counts = np.zeros(len(numbers), np.int64)
        np.add.at(counts, places.reshape(-1), often.reshape(-1))
        numbers, counts = numbers[counts > 0].astype(np.float64), counts[counts > 0]
    finite = np.isfinite(numbers)
    histogram = stats.histograms.add(num_nan=int(counts[np.isnan(numbers)].sum()))
    numbers, counts = numbers[finite], counts[finite]
    if not len(numbers):
        return
    total = int(counts.sum())
    stats.mean = _sum(numbers * counts) / total
    stats.std_dev = math.sqrt(_sum(counts * (numbers - stats.mean) ** 2) / total)
    stats.num_zeros = int(counts[numbers == 0].sum())
    stats.min, stats.max = float(numbers[0]), float(numbers[-1])
    places = np.searchsorted(np.cumsum(counts), [(total - 1) // 2 + 1, total // 2 + 1])
    stats.median = (float(numbers[places[0]]) + float(numbers[places[1]])) / 2
    _histogram(histogram, numbers, counts)


def _sum(values: np.ndarray) -> float:
    """The correctly rounded sum. A list of all values would take four times their memory."""
    blocks = (values[i : i + _BLOCK].tolist() for i in range(0, len(values), _BLOCK))
    return math.fsum(itertools.chain.from_iterable(blocks))


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
