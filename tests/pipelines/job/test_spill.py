"""Shards copied together from parts: order, bytes and digest whatever came when."""

from __future__ import annotations

import hashlib
import random

from pipelines.dataset import examples
from pipelines.job import spill


def test_records_come_in_the_order_of_their_keys(tmp_path):
    parts = [spill.Part(tmp_path) for _ in range(3)]
    payloads = {f"{i:02d}": b"x" * i for i in range(20)}
    refs = [
        parts[i % 3].append(key, examples.framed(payload), "small", b"")
        for i, (key, payload) in enumerate(payloads.items())
    ]
    for part in parts:
        part.close()
    random.Random(0).shuffle(refs)
    shard = spill.gather(tmp_path, "fold-00/a.tfrecord", refs)
    assert list(examples.read_records(tmp_path / shard.path)) == list(payloads.values())
    data = (tmp_path / shard.path).read_bytes()
    assert (shard.records, shard.bytes) == (20, len(data))
    assert shard.sha256 == hashlib.sha256(data).hexdigest()


def test_more_parts_than_may_be_open(tmp_path):
    refs = []
    for i in range(150):
        part = spill.Part(tmp_path)
        refs.append(part.append(f"{i:03d}", examples.framed(bytes([i])), "full", b""))
        part.close()
    shard = spill.gather(tmp_path, "a", refs)
    assert list(examples.read_records(tmp_path / "a")) == [bytes([i]) for i in range(150)]
    assert shard.records == 150
