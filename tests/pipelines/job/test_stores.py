"""The job with input and output in an S3 store, through a server on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.common.files import write_whole, writing
from pipelines.databases import open_database
from pipelines.dataset import manifest
from pipelines.inspection.checks import check_folder
from tests.support.inspection import contents, mentions, run
from tests.support.s3 import bucket, held, serving, upload

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def store(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


@pytest.fixture
def few(demo_people, tmp_path):
    """Two pictures of each of two people, and one that is not a picture."""
    folder = tmp_path / "few"
    for label in ("fear", "neutral"):
        for person in ("p000", "p001"):
            path = demo_people / label / f"{person}_00.png"
            target = folder / label / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (folder / "fear" / "p001_text.jpg").write_text("not a picture")
    return folder


def command(source, output, *more: object) -> tuple[object, ...]:
    return ("--db", "images", "--input", source, "--output", output, "--folds", 2, *more)


def test_a_store_holds_what_a_disk_does_and_a_rerun_replaces_it(store, few, tmp_path, capsys):
    assert run(*command(few, tmp_path / "out")) == 0
    upload(few, bucket() / "in")
    output = bucket() / "out"
    for version in ("version-a", "version-b"):
        assert run(*command(bucket() / "in", output)) == 0
        found, here = held(output), contents(tmp_path / "out")
        assert set(found) == {"manifest.json", *(f"{version}/{n}" for n in here)} - {
            f"{version}/manifest.json"
        }
        for name in here.keys() - {"manifest.json"}:
            assert found[f"{version}/{name}"] == here[name], name
        stored, on_disk = manifest.load(output), manifest.load(tmp_path / "out")
        assert stored.digest == on_disk.digest and stored.fold_digest == on_disk.fold_digest
        assert stored.shards_of(1) and stored.place("index.html") == f"{version}/index.html"
        assert {check.status for check in check_folder(output)[0]} == {"ok"}
    # A copy on a disk is read like any other folder.
    for name, content in held(output).items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes(content)
    manifest.verify(tmp_path / "copy", manifest.load(tmp_path / "copy"))
    capsys.readouterr()


def test_a_rerun_that_fails_leaves_the_earlier_result(store, few, capsys):
    output = bucket() / "out"
    assert run(*command(few, output)) == 0
    before = held(output)
    assert "manifest.json" in before
    assert run(*command(few, output, "--max-rejects", 0.1)) == 1
    assert held(output) == before
    capsys.readouterr()


def test_a_rerun_that_is_killed_leaves_the_earlier_result(store, few, capsys):
    output = bucket() / "out"
    assert run(*command(few, output)) == 0
    before = held(output)
    words = [sys.executable, "-m", "pipelines.preprocess", *map(str, command(few, output))]
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        while not any("PUT" in each and "/version-b/fold-" in each for each in store.requests):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    after = held(output)
    assert {name: after[name] for name in before} == before
    assert any(name.startswith("version-b/") for name in after)
    checks, made = check_folder(output)
    assert {check.status for check in checks} == {"ok"} and made.version == "version-a"
    assert run(*command(few, output)) == 0
    assert {name.split("/")[0] for name in held(output)} == {"manifest.json", "version-b"}
    capsys.readouterr()


def test_a_result_of_an_earlier_version_is_replaced(store, few, tmp_path, capsys):
    assert run(*command(few, tmp_path / "out")) == 0
    output = bucket() / "out"
    upload(tmp_path / "out", output)
    assert {check.status for check in check_folder(output)[0]} == {"ok"}
    assert run(*command(few, output)) == 0
    assert {name.split("/")[0] for name in held(output)} == {"manifest.json", "version-a"}
    capsys.readouterr()


@pytest.mark.parametrize("count", [3, 30])
def test_listing_a_store_takes_as_many_requests_for_many_images(store, few, count):
    for path in list(few.glob("*/p000_00.png")):
        for index in range(count):
            path.with_name(f"p{index % 3:03d}_{index + 50}.png").write_bytes(b"never opened")
    upload(few, bucket() / "in")
    with store.counted() as requests:
        found = open_database("images", bucket() / "in")
    assert len(found.samples) == 2 * count + 5
    # The bucket's folder: is it there, does it hold anything, and one list of a thousand files.
    assert len(requests) <= 6, requests


def test_an_upload_that_fails_half_way_is_not_there(store):
    path = bucket() / "a" / "b"

    write_whole(path, "old")
    with contextlib.suppress(ZeroDivisionError), writing(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert held(bucket()) == {"a/b": b"old"}


def test_a_missing_object_is_rejected_with_its_reason(store, few, capsys):
    upload(few, bucket() / "in")
    table = bucket() / "in" / "list.csv"
    rows = [f"{label}/p00{n}_00.png,{label},p{n}" for label in ("fear", "neutral") for n in (0, 1)]
    table.write_bytes("\n".join(["path,label,subject", *rows, "fear/gone.png,fear,p0"]).encode())
    assert run(*command(table, bucket() / "out")) == 0
    assert mentions(capsys.readouterr().out, "fear/gone.png")


def test_the_digest_does_not_depend_on_the_version():
    shard = manifest.Shard("fold-00/x", 1, 1, "ab")
    moved = dataclasses.replace(shard, path="version-b/fold-00/x")
    assert manifest.combined_digest([shard]) == manifest.combined_digest([moved])
