"""The list of rejects: what was written is read, and what was edited is refused."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from pipelines.common.errors import FailedWork
from pipelines.common.records import Reject
from pipelines.dataset import rejects
from pipelines.dataset.manifest import File, Manifest

GIVEN = (
    Reject("a/ü", "a/ü.png", "a", "", "no face", "rejects/1.png", (1, 3), 4, "ab" * 32),
    Reject("b\n", "b.png", "b", "p1", "larger (7 bytes) than the limit of 5 bytes"),
)


def manifest(rejected: int, **fields: object) -> Manifest:
    return Manifest("db", ("a", "b"), 1, 2, True, {}, (), {"rejected": rejected}, **fields)


def test_rejects_come_back_as_they_were(tmp_path):
    (tmp_path / rejects.NAME).write_bytes(rejects.table(GIVEN))
    assert tuple(rejects.read(tmp_path, manifest(2))) == GIVEN
    assert rejects.pictures(GIVEN) == [File("rejects/1.png", 4, "ab" * 32)]


def test_a_folder_of_an_earlier_version_has_them_in_its_manifest(tmp_path):
    earlier = manifest(2, rejects=GIVEN)
    assert tuple(rejects.read(tmp_path, earlier)) == GIVEN
    assert earlier.reasons() == [("no face", 1), ("larger (N bytes) than the limit of N bytes", 1)]


def test_without_rejects_there_is_no_file(tmp_path):
    assert list(rejects.read(tmp_path, manifest(0))) == []


@pytest.mark.parametrize(
    "change",
    [{"picture": "../x.png"}, {"picture": "/x.png"}, {"splits": (1,)}, {"reason": 3}],
)
def test_an_edited_list_is_refused(tmp_path, change):
    edited = dataclasses.replace(GIVEN[0], **change)
    (tmp_path / rejects.NAME).write_bytes(rejects.table([edited]))
    with pytest.raises(FailedWork, match=rejects.NAME):
        list(rejects.read(tmp_path, manifest(1)))


def test_a_list_that_is_missing_is_named(tmp_path):
    with pytest.raises(FailedWork, match=rejects.NAME):
        list(rejects.read(tmp_path, manifest(1)))


def test_the_manifest_does_not_grow_with_the_rejects():
    digest = hashlib.sha256(b"").hexdigest()
    sizes = [
        len(manifest(count, files=(File(rejects.NAME, 9, digest),)).to_json())
        for count in (10_000, 99_999)
    ]
    assert sizes[0] == sizes[1]
