"""Columns: what the records hold, in a few bytes each."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pipelines.common.errors import FailedWork
from pipelines.common.roles import TEST, TRAIN, UNUSED
from pipelines.dataset import fingerprints, inventory
from pipelines.dataset.examples import Record
from pipelines.dataset.inventory import Columns
from pipelines.media import images
from tests.support.data_folders import shard

NOISE = images.encode_png(np.random.default_rng(0).integers(0, 256, (128, 128), np.uint8))
GRAY = images.encode_png(np.full((128, 128), 77, np.uint8))
RED = images.encode_png(np.full((128, 128, 3), (200, 0, 0), np.uint8))


def record(key: str, image: bytes = NOISE, subject: str = "x", splits=(TRAIN, TEST)) -> Record:
    return Record(key, image, 1, "glad", subject, splits, 3, 0.5, -15.0, (1.0, 2.0, 3.0, 4.0))


def columns(*records: Record) -> Columns:
    made = Columns(2)
    for each in records:
        made.add(each)
    return made


def test_columns_hold_what_the_records_hold():
    made = columns(record("a"), record("b", subject="y", splits=(TEST, UNUSED)))
    assert list(made.rows()) == [("a", 1, "x", (TRAIN, TEST)), ("b", 1, "y", (TEST, UNUSED))]
    assert made.splits.tolist() == [[TRAIN, TEST], [TEST, UNUSED]]
    assert made.eyes.tolist() == [[1, 2, 3, 4]] * 2
    assert (made.frame[0], made.intensity[0], made.yaw[0]) == (3, 0.5, -15)
    assert made.image_bytes.tolist() == [len(NOISE)] * 2
    assert made.part(0, TEST).tolist() == [False, True]


def test_counts_are_those_of_the_records():
    made = columns(record("a"), record("b", RED, "y"), record("c", subject="y", splits=(3, 0)))
    assert made.counts(["calm", "glad"]) == {
        "by_class": {"calm": 0, "glad": 3},
        "by_subject": {"x": 1, "y": 2},
        "by_channels": {"1": 2, "3": 1},
        "by_fold": [
            {"train": 2, "valid": 0, "test": 1},
            {"train": 0, "valid": 0, "test": 2},
        ],
    }


def test_equal_pictures_are_grouped():
    made = columns(record("a"), record("b", RED), record("c"), record("d", GRAY), record("e", RED))
    assert made.same_images() == [[0, 2], [1, 4]]


def test_pictures_of_one_colour_are_known():
    almost = np.full((128, 128), 77, np.uint8)
    almost[5, 5] = 78
    made = columns(record("a"), record("b", GRAY), record("c", images.encode_png(almost)))
    assert made.constant == ["b"]


def test_a_record_costs_less_than_400_bytes():
    count = 20_000
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    made = Columns(2)
    for index in range(count):
        each = record(f"happiness/subject_{index:06d}_frame_01", subject=f"s{index % 200}")
        made.add(each, bytes(fingerprints.BYTES))
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(made) == count
    assert used / count < 400


def test_shards_are_read_once_and_the_wanted_records_kept(tmp_path):
    written = shard(tmp_path, "s.tfrecord", [record("a"), record("b", RED)])
    made, kept = inventory.take(tmp_path, [written], 2, {"b"})
    assert made.keys == ["a", "b"]
    assert list(kept) == ["b"] and kept["b"].image == RED


def test_a_shard_with_another_number_of_records_is_named(tmp_path):
    shard(tmp_path, "s.tfrecord", [record("a"), record("b")])
    fewer = shard(tmp_path, "t.tfrecord", [record("a")])
    (tmp_path / "t.tfrecord").write_bytes((tmp_path / "s.tfrecord").read_bytes())
    with pytest.raises(FailedWork, match=r"t\.tfrecord.*\b2\b.*\b1\b"):
        inventory.take(tmp_path, [fewer], 2)
