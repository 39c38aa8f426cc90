"""The plan on its way to the workers: nothing changes, films stay whole, chunks are small."""

from __future__ import annotations

import dataclasses
import itertools
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
    tasks.write_plan(folder / "plan", given)
    chunks = tasks.read_chunks(folder / "plan")
    return [list(tasks.read_chunk(folder / "plan", chunk)) for chunk in chunks]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"film": Film(peak=None, offset=-1, halves=True, turn=90)},
        {"box": (1, -2, 30, 40), "intensity": 0.25, "yaw": -15.0, "official": (0, 1, 3)},
        {"anchors": (10.0, 10.0, 37.5, 10.0, 24.0, 39.0), "fold": 3, "train": False},
        {"landmarks": "x/y_landmarks.txt", "aligned": True, "frame": 11},
        {"yaw": -0.0, "intensity": 1.0},
    ],
)
def test_a_task_comes_back_as_it_was(tmp_path, fields):
    sent = task("a", **fields)
    [[[came]]] = there_and_back(tmp_path, [sent])
    assert repr(dataclasses.asdict(came)) == repr(dataclasses.asdict(sent))


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


def test_what_is_done_is_planned_and_not_handed_out(tmp_path):
    given = [task(f"{i:02d}") for i in range(20)]
    whole = tasks.write_plan(tmp_path / "plan", given)
    done = {"00", "03", "04", "19"}
    assert tasks.write_plan(tmp_path / "plan", given, done) == whole
    chunks = list(tasks.read_chunks(tmp_path / "plan"))
    came = [
        [each.sample.key for each in itertools.chain(*tasks.read_chunk(tmp_path / "plan", chunk))]
        for chunk in chunks
    ]
    assert [len(keys) for keys in came] == [2, 8, 6]
    assert {*came[0], *came[1], *came[2]} == {f"{i:02d}" for i in range(20)} - done
    tasks.write_plan(tmp_path / "plan", given, {each.sample.key for each in given})
    assert list(tasks.read_chunks(tmp_path / "plan")) == []


@pytest.mark.parametrize("change", [{"path": "other.png"}, {"yaw": 5.0}, {"landmarks": "l.txt"}])
def test_another_plan_has_another_digest(tmp_path, change):
    digests = {tasks.write_plan(tmp_path / "plan", [task("a", **c)]) for c in ({}, change)}
    assert len(digests) == 2


def test_an_image_that_was_replaced_gives_another_digest(tmp_path):
    state = tasks.state_of_files(tmp_path)
    (tmp_path / "a.png").write_bytes(b"old")
    given = [task("a", path=str(tmp_path / "a.png"))]
    before = tasks.write_plan(tmp_path / "plan", given, state=state)
    assert tasks.write_plan(tmp_path / "plan", given, state=state) == before
    (tmp_path / "a.png").write_bytes(b"newer")
    assert tasks.write_plan(tmp_path / "plan", given, state=state) != before


def test_a_damaged_plan_is_refused(tmp_path):
    tasks.write_plan(tmp_path / "plan", [task("a")])
    [chunk] = tasks.read_chunks(tmp_path / "plan")
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
