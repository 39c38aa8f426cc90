"""The preprocessing job through its command: small sets in, verified data folders out."""

from __future__ import annotations

import json
from pathlib import Path

import apache_beam as beam
import numpy as np
import scipy.io
import tensorflow as tf
from PIL import Image

from pipelines import verify
from pipelines.common import roles
from pipelines.databases import fer2013, open_database
from pipelines.databases.base import Database, Sample
from pipelines.dataset import examples, manifest
from pipelines.dataset.folds import divide
from pipelines.job.finish import finish
from pipelines.media import images
from pipelines.preprocess import build, write_work
from tests.support.inspection import contents, mentions, run
from tests.support.miniatures import web


def records(folder: Path) -> list[examples.Record]:
    return [
        examples.decode(payload)
        for shard in manifest.load(folder).shards
        for payload in examples.read_records(folder / shard.path)
    ]


def test_every_face_is_stored_once_under_the_fold_that_tests_it(people_data):
    found = manifest.load(people_data)
    manifest.verify(people_data, found)
    assert found.counts["read"] == found.counts["aligned"] == 51
    assert (found.folds, found.channels, found.subject_independent) == (3, 3, True)
    keys = [record.key for record in records(people_data)]
    assert len(set(keys)) == 51
    for fold in range(3):
        held = [
            examples.decode(payload)
            for shard in found.shards_of(fold)
            for payload in examples.read_records(people_data / shard.path)
        ]
        assert {record.subject for record in held} == {f"p{fold:03d}"}
        assert [record.key for record in held] == sorted(record.key for record in held)
        assert sum(record.splits[fold] == roles.TEST for record in held) == 8


def test_counts_are_those_of_the_records(people_data):
    counts, stored = manifest.load(people_data).counts, records(people_data)
    for name, number in counts["by_class"].items():
        assert number == sum(record.class_name == name for record in stored)
    assert counts["by_subject"] == {"p000": 17, "p001": 17, "p002": 17}
    for fold, parts in enumerate(counts["by_fold"]):
        for part, number in parts.items():
            role = getattr(roles, part.upper())
            assert number == sum(record.splits[fold] == role for record in stored)


def test_no_person_crosses_a_split(people_data):
    for fold in range(3):
        by_subject: dict[str, set[int]] = {}
        for record in records(people_data):
            by_subject.setdefault(record.subject, set()).add(record.splits[fold])
        assert all(len(found - {roles.UNUSED}) == 1 for found in by_subject.values())


def test_tensorflow_reads_the_shards(people_data):
    found = manifest.load(people_data)
    dataset = tf.data.TFRecordDataset([str(people_data / shard.path) for shard in found.shards])
    dataset = dataset.map(lambda e: tf.io.parse_single_example(e, examples.features(found.folds)))
    seen = list(dataset)
    assert len(seen) == 51
    for example in seen[:5]:
        assert tf.io.decode_png(example["image"]).shape == (128, 128, 3)
        assert found.classes[int(example["label"])].encode() == example["class"].numpy()
        assert abs(float(example["eyes"][1]) - 40) < 6


def test_contact_sheet_shows_a_row_for_each_class(people_data):
    sheet = images.read(people_data / "contact_sheet.png")
    assert sheet.shape[0] > 8 * 128
    assert sheet.shape[1] > 3 * 128


def test_nothing_tells_the_time_or_the_machine(people_data, demo_people):
    text = (people_data / manifest.NAME).read_text()
    assert str(demo_people.parent) not in text
    assert str(people_data.parent) not in text
    assert not [path for path in people_data.parent.iterdir() if path != people_data]


def test_records_are_spread_over_the_shards_in_key_order(mixed, tmp_path):
    output = tmp_path / "out"
    options = ("--folds", 2, "--shards", 2)
    assert run("--db", "images", "--input", mixed, "--output", output, *options) == 0
    found = manifest.load(output)
    assert [shard.path for shard in found.shards_of(1)] == [
        "fold-01/images-00000-of-00002.tfrecord",
        "fold-01/images-00001-of-00002.tfrecord",
    ]
    assert [record.key for record in records(output)] == [
        "fear/p000_00",
        "neutral/p000_00",
        "fear/p001_00",
        "neutral/p001_00",
    ]


def test_a_test_may_bring_its_own_pipeline(people_data, demo_people, tmp_path):
    database = open_database("demo", demo_people)
    division = divide(database)
    write_work(tmp_path, database, division)
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        build(pipeline, database, division.folds, tmp_path)
    made = finish(tmp_path, database, division)
    assert made.digest == manifest.load(people_data).digest


def test_the_graph_does_not_grow_with_the_database(tmp_path):
    sizes = []
    for count in (9_000, 18_000):
        keys = [(f"{i % 2}/{i:06d}", i % 2, f"p{i // 10}") for i in range(count)]
        samples = [Sample(*each, path=f"/nowhere/{each[0]}.png") for each in sorted(keys)]
        database = Database("images", ("a", "b"), samples, channels=1, root=Path("/nowhere"))
        folder = tmp_path / str(count)
        folder.mkdir()
        write_work(folder, database, divide(database))
        pipeline = beam.Pipeline(runner="FnApiRunner")
        build(pipeline, database, 5, folder)
        sizes.append(pipeline.to_runner_api().ByteSize())
    assert abs(sizes[1] - sizes[0]) < 100 and sizes[0] < 100_000


def test_gray_pictures_make_a_gray_set(demo_people, tmp_path):
    for label in ("fear", "neutral"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for person in ("p000", "p001"):
            face = Image.open(demo_people / label / f"{person}_00.png").convert("L")
            face.save(tmp_path / "in" / label / f"{person}.png")
    assert run("--db", "images", "--input", tmp_path / "in", "--output", tmp_path / "out") == 0
    assert manifest.load(tmp_path / "out").channels == 1
    assert images.decode(records(tmp_path / "out")[0].image).shape == (128, 128)


def test_tfd_keeps_its_folds_and_its_pixels(demo_people, tmp_path, capsys):
    paths = sorted(demo_people.glob("*/*_01.png"))[:7]
    faces = [np.asarray(Image.open(path).convert("L").resize((48, 48))) for path in paths]
    told = np.array([[1, 3], [2, 1], [3, 2], [1, 1], [3, 3], [1, 2], [2, 3]], np.uint8)
    official = np.concatenate([told, told, told[:, :1]], axis=1)
    arrays = {
        "images": np.stack([*faces, faces[0]]),
        "labs_ex": np.array([1, 2, 3, 4, 5, 6, 7, -1])[:, None],
        "labs_id": np.arange(8)[:, None],
        "folds": np.concatenate([official, [[0] * 5]]),
    }
    scipy.io.savemat(tmp_path / "TFD_48x48.mat", arrays)
    given = ["--db", "tfd", "--input", tmp_path, "--output", tmp_path / "out"]
    # Three people under seven numbers look like copies.
    assert run(*given, "--allow-copies") == 0
    found = manifest.load(tmp_path / "out")
    assert not found.subject_independent
    assert found.channels == 1
    first, second = {"train": 3, "valid": 2, "test": 2}, {"train": 2, "valid": 2, "test": 3}
    assert found.counts["by_fold"] == [first, second, first, second, first]
    stored = {record.key: record for record in records(tmp_path / "out")}
    assert [stored[f"{i:06d}"].splits for i in range(7)] == [tuple(row) for row in official]
    expected = Image.fromarray(faces[3]).resize((128, 128), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(images.decode(stored["000003"].image), np.asarray(expected))
    assert stored["000003"].eyes == (0, 0, 0, 0)
    assert mentions(capsys.readouterr().out, "warning", "labelled images", 7, "4,178")
    assert found.findings[1] == manifest.Finding("labelled images", 7, 4178)


def test_prealigned_pictures_are_kept_as_they_lie(tmp_path):
    # 128-pixel noise: no detector finds a face in it, and no resizing changes it.
    rng = np.random.default_rng(3)
    for name in ("a/p1_0.png", "b/p1_1.png", "a/p2_0.png", "b/p2_1.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (128, 128, 3), np.uint8)
        (tmp_path / "in" / name).write_bytes(images.encode_png(pixels))
    output = tmp_path / "out"
    given = ["--db", "images", "--input", tmp_path / "in", "--output", output, "--folds", 2]
    assert run(*given, "--prealigned") == 0
    for record in records(output):
        source = images.read(tmp_path / "in" / f"{record.key}.png")
        np.testing.assert_array_equal(images.decode(record.image), source)
        assert record.eyes == (0, 0, 0, 0)


def test_the_demo_is_rendered_once(tmp_path, capsys):
    output = tmp_path / "d"
    arguments = ("--demo-subjects", 2, "--demo-frames", 2, "--demo-seed", 4, "--output", output)
    assert run(*arguments) == 0
    first = contents(output)
    printed = capsys.readouterr().out
    source = tmp_path / "d_source"
    assert mentions(printed, source, 2)
    rendered = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    assert run(*arguments) == 0
    # The second run has one line more: the earlier output was replaced.
    again = capsys.readouterr().out.splitlines()
    assert len(again) == len(printed.splitlines()) + 1
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*")} == rendered
    assert contents(output) == first
    assert json.loads(first[manifest.NAME])["counts"]["read"] == 34


def test_votes_left_out_classes_and_a_validation_list(tmp_path, demo_images, capsys):
    """Of FER+'s 17 images a part, three show contempt; without PrivateTest, PublicTest tests."""
    web.ferplus(tmp_path, demo_images)
    for table in tmp_path.glob("*.csv"):
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if "PrivateTest" not in line))
    listed = tmp_path / "list.txt"
    listed.write_text("fer0000001\nfer0000003\nfer0000002\n")  # the last one is a tie
    words = ("--db", "ferplus", "--input", tmp_path, "--output", tmp_path / "out")
    options = ("--leave-out", "contempt", "--valid-list", listed, "--allow-copies")
    assert run(*words, *options) == 0
    found = manifest.load(tmp_path / "out")
    assert found.classes == fer2013.VOTED[:7]
    assert found.counts["by_fold"] == [{"train": 12, "valid": 2, "test": 14}]
    assert found.counts["rejected_by_class"]["contempt"] == 6
    assert mentions(found.notes, 2, "--valid-list") and mentions(found.notes, 1, "fer0000002")
    stored = {record.key: record for record in records(tmp_path / "out")}
    assert stored["fer0000001"].votes == (0, 0, 0, 0, 6, 0, 0)
    assert stored["fer0000001"].splits == (roles.VALID,)
    capsys.readouterr()
    assert verify.main([str(tmp_path / "out")]) == 0
