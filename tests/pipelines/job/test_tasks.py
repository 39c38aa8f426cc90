"""The plan on its way to the workers: nothing changes, films stay whole, chunks are small."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipelines.common.errors import FailedWork
from pipelines.databases.base import Database, Sample
from pipelines.dataset.folds import divide
from pipelines.job import tasks
from pipelines.job.tasks import Task
from pipelines.media.films import Film


def task(key: str, **fields) -> Task:
    sample = Sample(key, 1, "Zoë", **{"path": f"{key}.png", **fields})
    return Task(sample, "fear", f"{key}.png", (1, 2, 3), "fold-02/x.tfrecord")


def there_and_back(folder: Path, given: list[Task]) -> list[list[list[Task]]]:
    chunks = tasks.write_plan(folder / "plan", given)
    return [list(tasks.read_chunk(folder / "plan", chunk)) for chunk in chunks]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"film": Film(peak=None, offset=-1, halves=True, turn=90)},
        {"box": (1, -2, 30, 40), "intensity": 0.25, "yaw": -15.0, "official": (0, 1, 3)},
        {"anchors": (10.0, 10.0, 37.5, 10.0, 24.0, 39.0), "fold": 3, "train": False},
        {"landmarks": "x/y_landmarks.txt", "aligned": True, "frame": 11},
    ],
)
def test_a_task_comes_back_as_it_was(tmp_path, fields):
    sent = task("a", **fields)
    [[[came]]] = there_and_back(tmp_path, [sent])
    assert dataclasses.asdict(came) == dataclasses.asdict(sent)


@pytest.mark.parametrize("shape", [(48, 48), (5, 7, 3)])
def test_pixels_come_back_exactly(tmp_path, shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    [[[came]]] = there_and_back(tmp_path, [task("a", path=None, pixels=pixels)])
    np.testing.assert_array_equal(came.sample.pixels, pixels)


def test_chunks_are_small_and_hold_every_task_in_order(tmp_path):
    given = [task(f"{i:03d}") for i in range(20)]
    chunks = there_and_back(tmp_path, given)
    assert [len(chunk) for chunk in chunks] == [8, 8, 4]
    came = [each.sample.key for chunk in chunks for together in chunk for each in together]
    assert came == [each.sample.key for each in given]


def test_the_frames_of_a_film_stay_together(tmp_path):
    given = [
        task(f"{film}/{offset}", path=f"{film}.avi", film=Film(offset=offset))
        for film in range(5)
        for offset in (-1, 0, 1)
    ]
    chunks = there_and_back(tmp_path, given)
    assert [[len(together) for together in chunk] for chunk in chunks] == [[3, 3, 3], [3, 3]]


def test_a_damaged_plan_is_refused(tmp_path):
    [chunk] = tasks.write_plan(tmp_path / "plan", [task("a")])
    data = bytearray((tmp_path / "plan").read_bytes())
    data[40] ^= 1
    (tmp_path / "plan").write_bytes(data)
    with pytest.raises(FailedWork, match="damaged"):
        list(tasks.read_chunk(tmp_path / "plan", chunk))


def test_shards_cut_a_fold_in_key_order():
    samples = [Sample(f"{i:02d}", i % 2, f"s{i % 2}", path="x") for i in range(10)]
    made = Database("images", ("a", "b"), samples, channels=3, root=Path("data"))
    planned = list(tasks.plan(made, divide(made, 2, valid_share=0), shards=2))
    assert [(each.sample.key, each.shard) for each in planned[:3]] == [
        ("00", "fold-00/images-00000-of-00002.tfrecord"),
        ("02", "fold-00/images-00000-of-00002.tfrecord"),
        ("04", "fold-00/images-00000-of-00002.tfrecord"),
    ]
    assert planned[3].shard == "fold-00/images-00001-of-00002.tfrecord"
