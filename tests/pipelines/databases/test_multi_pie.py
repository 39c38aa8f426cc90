"""Multi-PIE in miniature: the published counts, every oddity of its layout, the whole job."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse
from pipelines.databases import Database, open_database
from pipelines.databases import multi_pie as reader
from pipelines.dataset import examples, manifest
from pipelines.dataset.folds import divide
from pipelines.inspection.console import findings_report
from pipelines.preprocess import main
from tests.support.inspection import found_in, linked_copy, mentions
from tests.support.miniatures import in_memory, multi_pie


@pytest.fixture(scope="module")
def full(demo_people, tmp_path_factory) -> Database:
    return open_database(
        "multi_pie",
        multi_pie.build(tmp_path_factory.mktemp("pie") / "full", demo_people, full=True),
    )


@pytest.fixture(scope="module")
def pristine(demo_people, tmp_path_factory) -> Path:
    """Three people, 001 to 003, each expression recorded once."""
    return multi_pie.build(tmp_path_factory.mktemp("pie") / "small", demo_people)


@pytest.fixture
def small(pristine, tmp_path) -> Path:
    """`pristine`, to do oddities to."""
    return linked_copy(pristine, tmp_path / "small")


def keys(database: Database) -> set[str]:
    return {sample.key for sample in database.samples}


def test_full_counts_are_the_published_ones(full):
    assert not [finding for finding in full.findings if finding.differs]
    assert not full.rejects
    assert found_in(full)["subjects"] == 337
    shown = [found_in(full)[f"subjects, {name}"] for name in full.classes]
    assert shown == [337, 230, 203, 319, 239, 203]
    poses = Counter(sample.yaw for sample in full.samples)
    assert poses == dict.fromkeys((-30, -15, 0, 15, 30), 1531)
    assert mentions(full.notes, 1531)


def test_of_several_sessions_the_earliest_counts(full):
    # Five cameras saw 2514 recordings: (2·249 + 3·203 + 3·230 + 3·239); 1531 are taken.
    left_out = 5 * (2 * 249 + 3 * 203 + 3 * 230 + 3 * 239 - 1531)
    assert mentions(full.notes, "earliest", left_out)
    # Subject 150 is the 147th of those who came, to every session.
    neutral = {key for key in keys(full) if key.startswith("150_") and "_051_" in key}
    assert neutral == {
        f"150_{session:02d}_{recording:02d}_051_07"
        for session, recording in ((1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (4, 3))
    }


def test_five_folds_of_whole_people(full):
    division = divide(full)
    assert division.folds == 5
    assert division.subject_independent
    sizes = Counter(division.home[key] for key in keys(full))
    people = [len({s.subject for s in full.samples if division.home[s.key] == f}) for f in range(5)]
    assert people == [68, 68, 67, 67, 67]
    assert sum(sizes.values()) == 7655


def test_the_camera_gives_the_yaw(small):
    found = open_database("multi_pie", small)
    yaws = {s.key: s.yaw for s in found.samples if s.key.startswith("001_01_01")}
    assert yaws == {
        "001_01_01_130_07": -30,
        "001_01_01_140_07": -15,
        "001_01_01_051_07": 0,
        "001_01_01_050_07": 15,
        "001_01_01_041_07": 30,
    }
    turned = open_database("multi_pie", small, yaw_sign=-1)
    assert [s.yaw for s in turned.samples] == [-s.yaw for s in found.samples]
    assert mentions(turned.notes, "13_0", "+30°")


def test_session_and_recording_give_the_expression(small):
    found = open_database("multi_pie", small)
    shown = {s.key[4:9]: found.classes[s.label] for s in found.samples}
    assert shown == {
        "01_01": "neutral",
        "01_02": "smile",
        "02_02": "surprise",
        "02_03": "squint",
        "03_03": "disgust",
        "04_03": "scream",
    }


def test_the_latest_session_where_asked_for(small):
    multi_pie.apply(small, ["double_session"])
    earliest, latest = (
        keys(open_database("multi_pie", small, session=session))
        for session in ("earliest", "latest")
    )
    assert len(earliest) == len(latest) == 90
    assert {key[:9] for key in earliest - latest} == {"001_01_01", "001_01_02"}
    assert {key[:9] for key in latest - earliest} == {"001_04_02", "001_03_02"}


def test_another_shot(small):
    multi_pie.apply(small, ["other_shots"])
    assert keys(open_database("multi_pie", small)) == keys(
        open_database("multi_pie", small, shot=7)
    )
    with pytest.raises(BadUse, match="'neutral'"):
        open_database("multi_pie", small, shot=19)
    with pytest.raises(BadUse, match=r"\bshot 05\b"):
        open_database("multi_pie", small, shot=5)
    with pytest.raises(BadUse, match=r"--shot 20\b"):
        open_database("multi_pie", small, shot=20)


def test_a_missing_shot_is_rejected_by_name(small):
    multi_pie.apply(small, ["wrong_shot"])
    found = open_database("multi_pie", small)
    assert len(found.samples) == 85
    assert len(found.rejects) == 5
    reject = found.rejects[0]
    assert (reject.key, reject.class_name) == ("002_surprise_04_1", "surprise")
    assert reject.source == "data/session02/multiview/002/02/04_1"
    assert mentions(reject.reason, "shot 07")
    report = findings_report(found.findings)
    assert mentions(report, "warning", "subjects, surprise", 2, 203)


def test_a_session_without_the_shot_gives_way_to_another(small):
    multi_pie.apply(small, ["first_without_shot"])
    found = open_database("multi_pie", small)
    assert len(found.samples) == 90
    assert "001_03_02_051_07" in keys(found)
    assert mentions(found.notes, "shot 07", "earliest", "001_smile_04_1, 001_smile_05_0")


@pytest.mark.parametrize(
    ("oddity", "values", "samples"),
    [
        ("ds_store", [".DS_Store (3)", "._x.png (3)", "__MACOSX"], 90),
        ("other_cameras", ["cameras", "08_1, 19_0"], 90),
        ("other_recording", ["recordings", "session01/07"], 90),
        ("missing_pose", ["cameras", "recording", "13_0"], 89),
        ("misnamed", ["001_02_01_051_07.png"], 90),
        ("highres", ["--shot", "--yaw-sign"], 90),
        ("link_out", ["001_01_01_051_07.png"], 89),
    ],
)
def test_oddities_are_noted(small, oddity, values, samples):
    multi_pie.apply(small, [oddity])
    found = open_database("multi_pie", small)
    assert mentions(found.notes, *values)
    assert len(found.samples) == samples


@pytest.mark.parametrize("layout", ["", "flat"])
def test_it_reads_the_same_from_every_level(pristine, small, layout):
    expected = keys(open_database("multi_pie", pristine))
    multi_pie.apply(small, [layout] if layout else [])
    sessions = small if layout else small / "data"
    for path in {small.parent, small, sessions}:
        found = open_database("multi_pie", path)
        assert keys(found) == expected
        assert str(small) not in found.source(found.samples[0])


def test_it_may_lie_in_an_object_store(pristine):
    found = reader.read(in_memory(pristine, "pie"))
    assert keys(found) == keys(open_database("multi_pie", pristine))
    assert found.samples[0].path.startswith("memory://")


def test_what_is_not_multi_pie_is_refused(small, demo_people):
    with pytest.raises(BadUse, match=r"session01(?!/multiview)"):
        open_database("multi_pie", demo_people)
    for part in ("session01", "session01/multiview"):
        with pytest.raises(BadUse, match=r"\bsession\b"):
            open_database("multi_pie", small / "data" / part)
    shutil.copytree(small / "data" / "session01", small / "copy" / "session01")
    with pytest.raises(BadUse, match=r"copy, data.*--input"):
        open_database("multi_pie", small)


def test_the_whole_job(small, tmp_path):
    output = tmp_path / "out"
    assert main(["--db", "multi_pie", "--input", str(small), "--output", str(output)]) == 0
    made = manifest.load(output)
    assert made.counts["rejected"] == 0
    assert made.counts["by_class"] == dict.fromkeys(reader.CLASSES, 15)
    assert made.counts["by_fold"] == [{"train": 60, "valid": 0, "test": 30}] * 3
    stored = [
        examples.decode(payload)
        for shard in made.shards
        for payload in examples.read_records(output / shard.path)
    ]
    assert Counter(record.yaw for record in stored) == dict.fromkeys((-30, -15, 0, 15, 30), 18)
