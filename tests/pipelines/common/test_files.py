"""Outputs whole or not at all, here and in a store; what a killed process left is cleared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from upath import UPath

from pipelines.common.errors import BadUse, CutShort
from pipelines.common.files import (
    folder_whole,
    location,
    sha256_of,
    write_whole,
    writing,
)
from pipelines.common.listing import Listing
from pipelines.common.text import listed
from tests.support.naming import naming


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_empty_name_is_not_the_working_folder():
    with pytest.raises(BadUse):
        location("")


def test_a_scheme_makes_a_place_in_a_store():
    assert type(location("/x/y")) is type(Path("/x/y"))
    assert location("file:///x/my%20y") == Path("/x/my y")
    assert isinstance(location("memory://x/y"), UPath)
    assert str(location(str(location("memory://x") / "y"))) == "memory://x/y"


def test_an_unknown_store_is_bad_use():
    with pytest.raises(BadUse, match=naming("s4://bucket")):
        location("s4://bucket/x")


def test_a_file_that_failed_half_way_is_not_there(tmp_path):
    write_whole(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "a") as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_failed_half_way_leaves_the_old_one(tmp_path):
    with folder_whole(tmp_path / "out") as folder:
        write_whole(folder / "a", "old")
    with pytest.raises(ZeroDivisionError), folder_whole(tmp_path / "out") as folder:
        write_whole(folder / "a", "new")
        raise ZeroDivisionError
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["a"]
    assert (tmp_path / "out" / "a").read_text() == "old"


def test_what_a_killed_process_left_is_removed_and_a_live_ones_is_not(tmp_path):
    code = (
        "import sys, time; from pipelines.common.files import folder_whole\n"
        "with folder_whole(sys.argv[1]) as folder:\n"
        "    (folder / 'half').write_text(''); print('in', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        with folder_whole(tmp_path / "out") as folder:
            write_whole(folder / "a", "mine")
        assert len(names(tmp_path)) == 2
        os.kill(process.pid, signal.SIGKILL)
    with folder_whole(tmp_path / "out") as folder:
        write_whole(folder / "a", "again")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["a"]


@pytest.mark.parametrize("name", ["out", "out[1]*"])
def test_what_was_killed_before_it_had_a_lock_is_removed(tmp_path, name):
    write_whole(tmp_path / f".{name}.x1" / ".lock.new", "")
    (tmp_path / f".{name}.x2").mkdir()
    with folder_whole(tmp_path / name) as folder:
        write_whole(folder / "a", "mine")
    assert names(tmp_path) == [name]


def test_a_folder_taken_away_by_a_killed_process_comes_back(tmp_path):
    # Killed between the two renames: the old folder lies aside, nothing is in its place.
    write_whole(tmp_path / ".out.old.x1" / "out" / "a", "old")
    with pytest.raises(ZeroDivisionError), folder_whole(tmp_path / "out"):
        raise ZeroDivisionError
    assert (tmp_path / "out" / "a").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_store_keeps_the_version_that_the_manifest_names():
    store = location(f"memory://files-{time.monotonic_ns()}/out")
    write_whole(store / "stale", "x")
    write_whole(store / "version-a" / "left by a killed job", "x")

    def written(folder, content):
        write_whole(folder / "a" / "b", content)
        shard = {"path": f"{folder.name}/a/b"}
        write_whole(folder.parent / "manifest.json", json.dumps({"shards": [shard]}))

    with folder_whole(store) as folder:
        written(folder, b"abc")
    assert store_files(store) == ["manifest.json", "version-a/a/b"]
    # The SHA-256 of "abc", from FIPS 180-2.
    assert sha256_of(store / "version-a" / "a" / "b").startswith("ba7816bf8f01cfea")
    with pytest.raises(ZeroDivisionError), folder_whole(store) as folder:
        write_whole(folder / "a" / "b", b"half")
        raise ZeroDivisionError
    assert store_files(store) == ["manifest.json", "version-a/a/b"]
    with folder_whole(store) as folder:
        written(folder, b"new")
    assert store_files(store) == ["manifest.json", "version-b/a/b"]


def store_files(folder) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in Listing(folder).files(folder)]


def test_what_a_killed_process_left_is_taken_over_where_it_is_kept(tmp_path):
    write_whole(tmp_path / ".out.x1" / ".lock", "")
    write_whole(tmp_path / ".out.x1" / "parts" / "a", "done")
    write_whole(tmp_path / ".out.x1" / "other", "half")
    with pytest.raises(KeyboardInterrupt), folder_whole(tmp_path / "out", ["parts"]) as folder:
        assert (folder / "parts" / "a").read_text() == "done"
        assert not (folder / "other").exists() and len(names(tmp_path)) == 1
        raise KeyboardInterrupt
    with pytest.raises(CutShort), folder_whole(tmp_path / "out", ["parts"]):
        raise CutShort("no network")
    with pytest.raises(BadUse), folder_whole(tmp_path / "out", ["parts"]) as folder:
        assert (folder / "parts" / "a").read_text() == "done"
        raise BadUse("refused")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], ""),
        (["a", "b"], "a, b"),
        (["a", 2, "c\n"], "a, 2 and 1 more"),
        (range(1002), "0, 1 and 1000 more"),
    ],
)
def test_a_list_names_the_first_and_counts_the_rest(items, text):
    assert listed(items, shown=2) == text
    assert listed(items, shown=2, noun="others") == text.replace("more", "others")
