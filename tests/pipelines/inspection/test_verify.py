"""`python -m pipelines.verify`: a sound folder passes, and whatever was changed is named."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil

import pytest
from upath import UPath

from pipelines.common.errors import FailedWork
from pipelines.common.files import write_whole
from pipelines.dataset import examples, manifest, rejects
from pipelines.inspection import side_files
from pipelines.inspection.checks import check_folder
from pipelines.media import images
from pipelines.verify import main
from tests.support.data_folders import build, records, shard, some
from tests.support.inspection import mentions


@pytest.fixture(scope="module")
def sound(demo_people, tmp_path_factory):
    """A finished folder of five records, and a reject."""
    folder = tmp_path_factory.mktemp("sound") / "data"
    build(folder, some(demo_people), lambda r: None if r.key == "fear/p001_01" else r)
    return folder


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "data")


def forge(folder, change) -> manifest.Manifest:
    """Changes records and then makes every digest in the folder right again, as somebody would
    who knows how. change: all records of the folder to those of each shard, by path."""
    old = manifest.load(folder)
    by_path = {
        each.path: [
            examples.decode(payload) for payload in examples.read_records(folder / each.path)
        ]
        for each in old.shards
    }
    shards = tuple(shard(folder, path, found) for path, found in change(by_path).items())
    made = dataclasses.replace(old, shards=shards)
    write_whole(folder / manifest.NAME, made.to_json())
    manifest.verify(folder, manifest.load(folder))
    return made


def swap(chosen, **fields):
    """A change of one record's fields."""
    return lambda by_path: {
        path: [dataclasses.replace(r, **fields) if r.key == chosen else r for r in found]
        for path, found in by_path.items()
    }


def test_a_sound_folder_is_verified(sound, capsys):
    assert main([str(sound)]) == 0
    *checks, summary = capsys.readouterr().out.splitlines()
    assert checks and all(mentions(line, "ok") for line in checks)
    assert mentions(summary, 5, 3, manifest.load(sound).digest)


def test_a_folder_of_another_kind_is_bad_use(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_for_machines(folder, capsys):
    assert main([str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True
    (folder / "folds.json").write_text("{}")
    assert main([str(folder), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["verified"] is False
    # The digest of the file is wrong, and so is what it says of the records.
    failures = [check["failures"] for check in result["checks"] if check["failures"]]
    assert len(failures) == 2
    assert all(mentions(each, folder / "folds.json") for each in failures)


def test_all_failures_are_listed_and_the_first_is_the_error(folder, capsys):
    first, second = (folder / each.path for each in manifest.load(folder).shards[:2])
    first.write_bytes(first.read_bytes()[:-1])
    second.unlink()
    (folder / "schema.pbtxt").unlink()
    assert main([str(folder)]) == 1
    printed = capsys.readouterr()
    size = f"{first.stat().st_size:,}"
    assert mentions(printed.out, first, size)
    assert mentions(printed.out, second, "missing")
    assert mentions(printed.out, folder / "schema.pbtxt", "missing")
    assert printed.err.startswith("error: ") and mentions(printed.err, first, size)
    assert printed.err.count("\n") == 1


def test_a_shard_cut_between_two_records_is_noticed_though_every_crc_is_right(folder, capsys):
    path = folder / manifest.load(folder).shards[0].path
    payloads = list(examples.read_records(path))
    path.write_bytes(examples.framed(payloads[0]))
    assert main([str(folder)]) == 1
    assert mentions(capsys.readouterr().out.replace(str(folder), ""), path.name, 1, 2)


def test_what_is_left_over_is_named_but_not_what_file_managers_leave(folder, capsys):
    (folder / ".DS_Store").write_bytes(b"x")
    assert main([str(folder)]) == 0
    (folder / "fold-00" / "images-00000-of-00001.tfrecord.bak").write_bytes(b"x")
    assert main([str(folder)]) == 1
    assert "images-00000-of-00001.tfrecord.bak" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"label": 0}, ["happiness/p000_01", "'happiness'", "'fear'"]),
        ({"splits": (3, 1)}, ["happiness/p000_01", 2, 4]),
        ({"splits": (3, 1, 4)}, ["happiness/p000_01", "(3, 1, 4)"]),
        ({"splits": (1, 3, 1)}, ["happiness/p000_01", "tested", "fold 1"]),
        ({"splits": (3, 1, 2)}, ["p000", "split"]),
        ({"subject": "p002"}, ["fold-02", "fold-00"]),
        ({"key": "fear/p000_01"}, ["fear/p000_01", "key"]),
        ({"key": "a"}, ["(a)", "order"]),
        ({"yaw": 720.0}, [manifest.NAME, "anomalies"]),
        ({"image": b"GIF89a"}, ["happiness/p000_01", "PNG"]),
        ({"image": b"\x89PNG\r\n\x1a\nxx"}, ["happiness/p000_01", "format"]),
        ({"subject": "p009"}, [manifest.NAME, "by_subject"]),
    ],
)
def test_a_change_is_noticed_though_every_digest_was_made_right(folder, capsys, change, values):
    forge(folder, swap("happiness/p000_01", **change))
    assert main([str(folder), "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    failures = [each.replace(str(folder), "") for check in checks for each in check["failures"]]
    assert mentions(failures, *values)


def test_a_picture_of_another_size_is_noticed(folder, capsys):
    [reject] = rejects.read(folder, manifest.load(folder))
    image = images.read(folder / reject.picture)[:64]
    forge(folder, swap("happiness/p000_01", image=images.encode_png(image)))
    assert main([str(folder)]) == 1
    assert mentions(capsys.readouterr().out, "happiness/p000_01", "(64, 128, 3)", "(128, 128, 3)")


def test_bytes_beyond_the_schema_are_noticed(folder, capsys):
    old = manifest.load(folder)
    path = folder / old.shards[0].path
    # An unknown field, number 15, which every reader passes over.
    payloads = [payload + b"\x7a\x01x" for payload in examples.read_records(path)]
    path.write_bytes(b"".join(map(examples.framed, payloads)))
    assert main([str(folder)]) == 1
    assert mentions(capsys.readouterr().out, path, "record 0", "schema")


def test_official_folds_state_how_many_people_cross(demo_people, tmp_path, capsys):
    database = some(demo_people)
    roles = {"fear": (1, 3), "happiness": (3, 1)}
    samples = [
        dataclasses.replace(each, official=roles[each.key.split("/")[0]])
        for each in database.samples
    ]
    made = build(tmp_path, dataclasses.replace(database, samples=samples))
    assert made.fold_rule == "official"
    assert main([str(tmp_path)]) == 0
    assert mentions(capsys.readouterr().out, "official", "3 of 3")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"read": 6', '"read": 7'),
        ('"no face": 1', '"no luck": 1'),
        ('"fold_rule": "step"', '"fold_rule": "contiguous"'),
        ('"folds": 3', '"folds":  3'),
        ('"path": "fold-00/', '"path": "../fold-00/'),
        ('"rejected": 1', '"rejected": 1e999'),
        ('"notes": []', '"notes": ["\\ud800"]'),
        ("{", "[" * 100_000),
    ],
)
def test_an_edited_manifest_is_noticed(folder, capsys, old, new):
    path = folder / manifest.NAME
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert main([str(folder)]) == 1
    assert str(path) in capsys.readouterr().err


def test_an_edit_with_a_right_digest_is_noticed_by_what_follows_from_the_records(folder, capsys):
    made = dataclasses.replace(manifest.load(folder), fold_rule="contiguous")
    write_whole(folder / manifest.NAME, made.to_json())
    manifest.verify(folder, manifest.load(folder))
    assert main([str(folder)]) == 1
    assert mentions(capsys.readouterr().out, folder / "folds.json")


def test_a_side_file_dropped_from_folder_and_manifest_is_noticed(folder, capsys):
    made = manifest.load(folder)
    (folder / side_files.NAMES[0]).unlink()
    files = tuple(each for each in made.files if each.path != side_files.NAMES[0])
    write_whole(folder / manifest.NAME, dataclasses.replace(made, files=files).to_json())
    assert main([str(folder)]) == 1
    assert "schema.pbtxt" in capsys.readouterr().err


@pytest.mark.slow
def test_every_flipped_byte_is_noticed_and_its_file_named(folder, capsys):
    chance = random.Random(5)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    flips = [(path, chance.randrange(path.stat().st_size)) for path in paths for _ in range(16)]
    assert len(flips) >= 170
    for path, place in flips:
        content = path.read_bytes()
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        assert main([str(folder)]) == 1, (path, place)
        printed = capsys.readouterr()
        assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
        assert path.name in printed.err and path.name in printed.out, (path, place)
        path.write_bytes(content)
    assert main([str(folder)]) == 0


def test_garbage_in_a_shards_place_is_named(folder, capsys):
    path = folder / manifest.load(folder).shards[0].path
    for content in (b"", b"\0" * 5000, random.Random(1).randbytes(5000)):
        path.write_bytes(content)
        assert main([str(folder)]) == 1
        assert str(path) in capsys.readouterr().err
    path.unlink()
    path.mkdir()
    assert main([str(folder)]) == 1
    with pytest.raises(FailedWork, match=path.name):
        manifest.verify(folder, manifest.load(folder))


def test_a_folder_in_a_store_is_finished_and_verified_alike(sound, demo_people):
    store = UPath("memory://verify/data")
    build(store, some(demo_people), lambda r: None if r.key == "fear/p001_01" else r)
    checks, made = check_folder(store)
    assert [check.status for check in checks] == ["ok"] * len(checks)
    assert made == manifest.load(sound)
    for each in made.files:
        assert (store / each.path).read_bytes() == (sound / each.path).read_bytes()
    (store / "fold-00" / "more").write_bytes(b"x")
    failures = [each for check in check_folder(store)[0] for each in check.failures]
    assert len(failures) == 1 and mentions(failures, store / "fold-00" / "more")


def test_records_of_the_folder_are_those_that_were_written(sound):
    assert [record.key for record in records(sound, manifest.load(sound))] == [
        "fear/p000_01",
        "happiness/p000_01",
        "happiness/p001_01",
        "fear/p002_01",
        "happiness/p002_01",
    ]
