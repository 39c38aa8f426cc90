"""The manifest: what is written is what is read, and what changed since is named."""

from __future__ import annotations

import hashlib
import json

import pytest

from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import write_whole
from pipelines.dataset import manifest
from pipelines.dataset.examples import schema


@pytest.fixture
def folder(tmp_path):
    """A data folder of two shards, its manifest in place."""
    shards = []
    for fold, content in enumerate([b"first shard", b"second shard"]):
        path = manifest.shard_path(fold, 0, 1)
        write_whole(tmp_path / path, content)
        digest = hashlib.sha256(content).hexdigest()
        shards.append(manifest.Shard(path, 1, len(content), digest))
    made = manifest.Manifest(
        database="images",
        classes=("calm", "glad"),
        channels=1,
        folds=2,
        subject_independent=True,
        feature_schema=schema(2),
        shards=tuple(shards),
        counts={
            "read": 3,
            "aligned": 2,
            "rejected": 1,
            "by_class": {"calm": 1, "glad": 1},
            "by_subject": {"x": 1, "y": 1},
            "by_channels": {"1": 2, "3": 0},
            "by_fold": [{"train": 1, "valid": 0, "test": 1}] * 2,
            "rejected_by_class": {"glad": 1},
            "rejected_by_subject": {"x": 1},
        },
        rejects=(
            manifest.Reject(
                "glad/x", "glad/x.png", "glad", "x", "no face", "rejects/x.png", (3, 1)
            ),
        ),
        findings=(manifest.Finding("people", 2, 3),),
        notes=("a note",),
        anomalies=(manifest.Anomaly("yaw", "CUSTOM_VALIDATION", "WARNING", "odd", "It is odd."),),
        files=(manifest.File("index.html", 4, hashlib.sha256(b"page").hexdigest()),),
        fold_digest="f" * 64,
    )
    write_whole(tmp_path / manifest.NAME, made.to_json())
    return tmp_path


def test_load_returns_what_was_written(folder):
    loaded = manifest.load(folder)
    assert loaded.classes == ("calm", "glad")
    reject = loaded.rejects[0]
    assert (reject.class_name, reject.picture, reject.splits) == ("glad", "rejects/x.png", (3, 1))
    assert loaded.files[0].bytes == 4
    assert loaded.anomalies[0].severity == "WARNING"
    assert [shard.path for shard in loaded.shards_of(1)] == [
        "fold-01/images-00000-of-00001.tfrecord"
    ]
    assert loaded.to_json() == (folder / manifest.NAME).read_text()


def test_digest_is_sha256_over_the_shards_lines(folder):
    loaded = manifest.load(folder)
    lines = "".join(f"{shard.sha256}  {shard.path}\n" for shard in loaded.shards)
    assert loaded.digest == hashlib.sha256(lines.encode()).hexdigest()


def test_the_manifests_digest_is_that_of_its_text_without_it(folder):
    text, loaded = (folder / manifest.NAME).read_text(), manifest.load(folder)
    empty = text.replace(loaded.manifest_digest, "")
    assert loaded.manifest_digest == hashlib.sha256(empty.encode()).hexdigest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"a note"', '"no note"'),
        ('"expected": 3', '"expected": 2'),
        ('"aligned": 2', '"aligned": 9'),
        ('"format": 2', '"format":2'),
        ('"fold_digest": "f', '"fold_digest": "e'),
        ('"manifest_digest": "', '"manifest_digest": "0'),
    ],
)
def test_an_edit_anywhere_is_noticed(folder, old, new):
    path = folder / manifest.NAME
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FailedWork, match=r"manifest\.json .*changed"):
        manifest.verify(folder, manifest.load(folder))


def test_a_side_file_is_not_asked_for_before_training(folder):
    assert not (folder / "index.html").exists()
    manifest.verify(folder, manifest.load(folder))


def test_a_sound_folder_verifies(folder):
    manifest.verify(folder, manifest.load(folder))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "missing"),
        (b"second", r"\b6\b.*\b12\b"),
        (b"second shard!", "changed"),
        (b"sEcond shard", "changed"),
    ],
)
def test_a_damaged_shard_is_named(folder, content, reason):
    path = folder / manifest.shard_path(1, 0, 1)
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(FailedWork, match=rf"fold-01/images-00000-of-00001\.tfrecord .*{reason}"):
        manifest.verify(folder, manifest.load(folder))


def test_a_shard_dropped_from_the_manifest_is_noticed(folder):
    path = folder / manifest.NAME
    data = json.loads(path.read_text())
    del data["shards"][1]
    path.write_text(json.dumps(data))
    with pytest.raises(FailedWork, match=r"manifest\.json .*changed"):
        manifest.verify(folder, manifest.load(folder))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 2}', "{", "\0"])
def test_what_is_not_a_manifest_is_bad_use(folder, text):
    (folder / manifest.NAME).write_text(text)
    with pytest.raises(BadUse, match=r"manifest\.json"):
        manifest.load(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folds", "2"),
        ("folds", 3),
        ("classes", "abc"),
        ("classes", ["glad", "calm"]),
        ("counts", []),
        ("shards", [{"path": "x", "records": "1", "bytes": 1, "sha256": ""}]),
        ("shards", [{"path": "../x", "records": 1, "bytes": 1, "sha256": ""}]),
        ("files", [{"path": "/etc/hostname", "bytes": 1, "sha256": ""}]),
        ("rejects", [3]),
        ("notes", ["\ud800"]),
        ("extra", 1),
    ],
)
def test_a_manifest_that_was_edited_is_bad_use(folder, name, value):
    path = folder / manifest.NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(BadUse, match=r"manifest\.json"):
        manifest.load(folder)


def test_what_is_not_a_data_folder_is_bad_use(tmp_path):
    with pytest.raises(BadUse, match="nowhere"):
        manifest.load(tmp_path / "nowhere")
    with pytest.raises(BadUse, match=manifest.NAME):
        manifest.load(tmp_path)
