"""Decoded images in a file: their values, when they are made again, and where they lie."""

from __future__ import annotations

import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from fesr_tf import config
from fesr_tf.config.cache import cache_folder
from fesr_tf.data import batches, load_fold
from fesr_tf.data.mapped import Rows
from pipelines import verify
from pipelines.common import roles
from pipelines.common.errors import BadUse, FailedWork
from pipelines.dataset import examples, manifest

KIND = "arrays/128x128x3"


@pytest.fixture
def folder(demo_data, tmp_path) -> Path:
    """`demo_data` without arrays, to write into."""
    return Path(
        shutil.copytree(demo_data, tmp_path / "data", ignore=shutil.ignore_patterns("arrays"))
    )


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FESR_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def settings():
    return config.resolve("demo", overrides=["image_size=128", "channels=3", "batch_size=4"])


def stored(folder: Path) -> list[examples.Record]:
    """The records of the training part of fold 0, in the order of their keys."""
    shards = manifest.load(folder).shards
    every = [examples.decode(p) for s in shards for p in examples.read_records(folder / s.path)]
    return sorted((r for r in every if r.splits[0] == roles.TRAIN), key=lambda r: r.key)


def changed(folder: Path) -> tuple[int, float]:
    about = (folder / KIND / "images.npy").stat()
    return about.st_ino, about.st_mtime


def test_rows_are_the_records_in_key_order(folder, settings):
    train, records = load_fold(folder, 0, settings).train, stored(folder)
    pixels = [np.asarray(Image.open(io.BytesIO(r.image)).convert("RGB")) for r in records]
    np.testing.assert_array_equal(train.images, pixels)
    assert train.keys.tolist() == [r.key for r in records]
    assert train.subjects.tolist() == [r.subject for r in records]
    assert train.labels.tolist() == [r.label for r in records] and train.labels.dtype == np.int32
    np.testing.assert_array_equal(train.intensity, [np.float32(r.intensity) for r in records])
    np.testing.assert_array_equal(train.yaw, [np.float32(r.yaw) for r in records])


def test_images_are_read_from_the_file_and_parts_of_them_too(folder, settings):
    train = load_fold(folder, 0, settings).train
    for images in (train.images, train.of(train.labels == 1).images):
        assert isinstance(images, Rows) and isinstance(images._table, np.memmap)


def test_the_arrays_are_made_once_for_both_folds_and_are_no_defect_of_the_folder(folder, settings):
    load_fold(folder, 0, settings)
    before = changed(folder)
    load_fold(folder, 1, settings)
    assert changed(folder) == before
    assert verify.main([str(folder)]) == 0


@pytest.mark.parametrize("name", ["images.npy", "records.npy", "arrays.json"])
def test_a_damaged_file_is_made_again(folder, settings, name):
    expected = np.asarray(load_fold(folder, 0, settings).train.images)
    path = folder / KIND / name
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    np.testing.assert_array_equal(load_fold(folder, 0, settings).train.images, expected)
    assert path.read_bytes() != content


def test_other_shards_make_other_arrays(folder, settings):
    load_fold(folder, 0, settings)
    before = changed(folder)
    there = manifest.load(folder)
    (folder / manifest.NAME).write_text(
        # The same records, listed in another order: another digest.
        dataclasses.replace(there, shards=there.shards[::-1]).to_json()
    )
    train = load_fold(folder, 0, settings).train
    assert changed(folder) != before
    assert train.keys.tolist() == [r.key for r in stored(folder)]


def test_a_folder_that_cannot_be_written_uses_the_cache(folder, settings, cache, capsys):
    (folder / "arrays").touch()  # no folder of that name can be made
    fold = load_fold(folder, 0, settings)
    assert str(cache) in capsys.readouterr().err
    before = {path: path.stat().st_ino for path in cache.rglob("*.npy")}
    assert len(before) == 2
    np.testing.assert_array_equal(fold.test.images, load_fold(folder, 0, settings).test.images)
    assert before == {path: path.stat().st_ino for path in cache.rglob("*.npy")}


def test_a_user_without_a_home_needs_no_cache_where_the_folder_can_be_written(
    folder, settings, monkeypatch
):
    for name in ("FESR_TF_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # an id without an entry
    with pytest.raises(BadUse, match="FESR_TF_CACHE"):
        cache_folder()
    assert len(load_fold(folder, 0, settings).train) and (folder / KIND).is_dir()


def test_without_a_place_for_them_the_error_names_both(folder, settings, cache):
    (folder / "arrays").touch()
    cache.touch()
    with pytest.raises(FailedWork, match=str(cache)):
        load_fold(folder, 0, settings)


def test_a_store_gives_the_same_batches_from_the_cache(folder, settings, cache):
    remote = UPath("memory://memory-test/data")
    for path in folder.rglob("*"):
        if path.is_file():
            there = remote / path.relative_to(folder).as_posix()
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
    parts = [load_fold(each, 0, settings).train for each in (folder, remote)]
    here, there = (next(iter(batches(part, settings, 3))) for part in parts)
    for left, right in zip(here, there, strict=True):
        np.testing.assert_array_equal(left, right)
    assert list(cache.rglob("images.npy"))


def test_rows_work_as_the_array_that_they_stand_for():
    table = np.arange(24).reshape(6, 2, 2)
    chosen = np.array([4, 1, 5])
    rows, array = Rows(table, chosen), table[chosen]
    assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == (array.shape, array.dtype, 3, 3)
    for index in (0, -1, slice(1, None), [2, 0], np.array([True, False, True])):
        np.testing.assert_array_equal(rows[index], array[index])
        np.testing.assert_array_equal(rows[index, ..., ::-1], array[index, ..., ::-1])
    np.testing.assert_array_equal(rows == 5, array == 5)
    np.testing.assert_array_equal(rows + rows, 2 * array)
    np.testing.assert_array_equal(np.concatenate([rows, array]), np.concatenate([array, array]))
    np.testing.assert_array_equal(rows.of(rows[:, 0, 0] > 4)[:], array[[0, 2]])
    assert rows.mean() == array.mean() and [each.sum() for each in rows] == [70, 22, 86]
