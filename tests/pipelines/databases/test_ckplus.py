"""CK+ in miniature: the published counts, every oddity of its editions, and the whole job."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse
from pipelines.databases import Database, open_database
from pipelines.databases import ckplus as reader
from pipelines.dataset import manifest
from pipelines.dataset.folds import divide
from pipelines.inspection.console import findings_report
from pipelines.preprocess import main
from tests.support.inspection import found_in, linked_copy, mentions
from tests.support.miniatures import ckplus, in_memory


@pytest.fixture(scope="module")
def full(demo_people, tmp_path_factory) -> Database:
    return open_database(
        "ckplus", ckplus.build(tmp_path_factory.mktemp("ck") / "full", demo_people, full=True)
    )


@pytest.fixture(scope="module")
def pristine(demo_people, tmp_path_factory) -> Path:
    """Three people, S005, S010 and S011, seven labelled sequences and one other of each."""
    return ckplus.build(tmp_path_factory.mktemp("ck") / "small", demo_people)


@pytest.fixture
def small(pristine, tmp_path) -> Path:
    """`pristine`, to do oddities to."""
    return linked_copy(pristine, tmp_path / "small")


def test_full_counts_are_the_published_ones(full):
    found = found_in(full)
    assert not [finding for finding in full.findings if finding.differs]
    assert not full.rejects
    names = ("subjects", "sequences", "labelled subjects", "labelled sequences")
    assert [found[name] for name in names] == [123, 593, 118, 327]
    assert [found[name] for name in full.classes] == [45, 18, 59, 25, 69, 28, 83]
    # Sequences without a label, all sequences, empty label folders, no label folder.
    assert [re.findall(r"\d+", note) for note in full.notes] == [["266", "593", "0", "266"]]


def test_the_folds_are_the_published_ones(full):
    division = divide(full)
    tested = Counter(division.home[sample.key] for sample in full.samples if sample.test)
    assert [tested[fold] for fold in range(10)] == [33, 39, 40, 35, 30, 37, 29, 29, 33, 22]
    assert division.subject_independent
    reported = [found_in(full)[f"labelled sequences of fold {fold}"] for fold in range(10)]
    assert reported == [tested[fold] for fold in range(10)]


def test_last_three_frames_train_and_the_last_one_tests(small):
    of_first = [s for s in open_database("ckplus", small).samples if s.key.startswith("S005_001")]
    # The first sequence of the first person has 4 + (0 + 1) % 3 frames.
    assert [(s.key, s.frame, s.train, s.test) for s in of_first] == [
        ("S005_001_00000003", 3, True, False),
        ("S005_001_00000004", 4, True, False),
        ("S005_001_00000005", 5, True, True),
    ]
    assert {(s.subject, s.label) for s in of_first} == {("S005", 0)}


def test_a_peak_has_the_class_of_its_emotion_file(small):
    found = open_database("ckplus", small)
    peaks = {s.key.rsplit("_", 1)[0]: s.label for s in found.samples if s.test}
    codes = {
        label.name[:8]: int(float(label.read_text().strip())) for label in ckplus.labels(small)
    }
    assert peaks == {name: code - 1 for name, code in codes.items()}
    assert found.channels == 1


@pytest.mark.parametrize("below", ["", "cohn-kanade-images"])
@pytest.mark.parametrize("layout", ["emotion_labels", "emotion_labels_emotion", "extended"])
def test_every_edition_reads_the_same_from_every_level(pristine, small, layout, below):
    expected = [(s.key, s.label) for s in open_database("ckplus", pristine).samples]
    ckplus.apply(small, [layout])
    images = small.joinpath("extended-" + below, below) if layout == "extended" else small / below
    for path in {images if below else small, small.parent}:
        found = open_database("ckplus", path)
        assert [(s.key, s.label) for s in found.samples] == expected
        assert found.source(found.samples[0]).endswith("S005/001/S005_001_00000003.png")
        assert str(small) not in found.source(found.samples[0])


def test_it_may_be_the_working_folder_or_lie_in_an_object_store(pristine, monkeypatch):
    expected = [(s.key, s.label) for s in open_database("ckplus", pristine).samples]
    monkeypatch.chdir(pristine / "cohn-kanade-images")
    assert [(s.key, s.label) for s in open_database("ckplus", ".").samples] == expected
    remote = in_memory(pristine, "ckplus")
    for path in (remote, remote / "cohn-kanade-images"):
        found = reader.read(path)
        assert sorted((s.key, s.label) for s in found.samples) == expected
        assert found.samples[0].path.startswith("memory://")


@pytest.mark.parametrize(
    ("oddity", "values"),
    [
        ("empty_label_folder", ["label", 3, 24, 1, 2]),
        ("ds_store", [".DS_Store (4)", "._x.png (4)", "__MACOSX"]),
        ("early_label", ["S005_001", "frame 4", 5]),
        ("missing_frames", ["frames", 1, "S005_001"]),
        ("colour_frames", ["label", "3 of 24"]),
    ],
)
def test_harmless_oddities_are_noted_and_lose_nothing(small, oddity, values):
    ckplus.apply(small, [oddity])
    found = open_database("ckplus", small)
    assert mentions(found.notes, *values)
    assert not found.rejects
    assert len(found.samples) == 63
    assert found_in(found)["labelled sequences"] == 21


@pytest.mark.parametrize(
    ("oddity", "sequence", "value"),
    [
        ("bad_label", "S005_002", r"'happy\n'"),
        ("unknown_code", "S005_003", "code 9"),
        ("two_labels", "S005_005", "2 emotion files"),
        ("empty_sequence", "S005_007", "sequence"),
    ],
)
def test_labels_that_cannot_be_used_are_rejected_by_name(small, oddity, sequence, value):
    ckplus.apply(small, [oddity])
    found = open_database("ckplus", small)
    assert [(r.key, r.subject) for r in found.rejects] == [(sequence, "S005")]
    assert mentions(found.rejects[0].reason, value)
    assert found.rejects[0].source.startswith(f"Emotion/S005/{sequence[-3:]}/{sequence}_")
    assert found_in(found)["labelled sequences"] == 20
    assert len(found.samples) == 60


@pytest.mark.parametrize(
    "text", ["nan", "inf", "3.5", "-1", "8", "", "1e400", "\0", "3 4", "٣" * 99]
)
def test_no_text_in_an_emotion_file_is_more_than_a_reject(small, text):
    label = ckplus.labels(small)[0]
    label.unlink()
    label.write_text(text)
    assert [reject.key for reject in open_database("ckplus", small).rejects] == ["S005_001"]


def test_a_missing_label_folder_is_a_warning_by_name(small):
    ckplus.apply(small, ["missing_label_folder"])
    found = open_database("ckplus", small)
    assert mentions(found.notes, "label", "4 of 24")
    report = findings_report(found.findings)
    assert mentions(report, "warning", "labelled sequences", 20, 327)


def test_neutral_is_none_of_the_classes(small):
    ckplus.apply(small, ["neutral_code"])
    found = open_database("ckplus", small)
    assert mentions(found.notes, "neutral", "S005_004")
    assert found_in(found)["fear"] == 2


def test_two_frames_are_taken_as_they_are(small):
    ckplus.apply(small, ["short_sequence"])
    found = open_database("ckplus", small)
    assert mentions(found.notes, "3 frames", 1, "S005_006")
    assert [s.test for s in found.samples if s.key.startswith("S005_006")] == [False, True]


def test_links_that_lead_out_are_not_followed(small):
    ckplus.apply(small, ["link_out"])
    found = open_database("ckplus", small)
    assert mentions(found.notes, "S005_001_00000005.png", "S998")
    assert not any(Path(sample.path).is_symlink() for sample in found.samples)
    assert found_in(found)["subjects"] == 3


def test_landmark_files_go_with_their_frames(small):
    ckplus.apply(small, ["landmarks", "missing_landmarks"])
    assert all(sample.landmarks is None for sample in open_database("ckplus", small).samples)
    found = open_database("ckplus", small, landmarks=True)
    assert [reject.key for reject in found.rejects] == ["S005_001_00000003"]
    assert "landmark" in found.rejects[0].reason
    assert len(found.samples) == 62
    for sample in found.samples:
        assert Path(sample.landmarks).name == f"{sample.key}_landmarks.txt"
        assert len(Path(sample.landmarks).read_text().splitlines()) == 68


def test_what_is_not_ckplus_is_refused(small, demo_people):
    with pytest.raises(BadUse, match=r"cohn-kanade-images(?!/S005)"):
        open_database("ckplus", demo_people)
    with pytest.raises(BadUse, match=r"cohn-kanade-images(?!/S005)"):
        open_database("ckplus", small / "Emotion")
    with pytest.raises(BadUse, match="Landmarks"):
        open_database("ckplus", small, landmarks=True)
    shutil.copytree(small / "Emotion", small / "b" / "Emotion")
    with pytest.raises(BadUse, match=r"Emotion, b/Emotion.*--input"):
        open_database("ckplus", small)
    shutil.rmtree(small / "b")
    shutil.rmtree(small / "Emotion")
    with pytest.raises(BadUse, match=r"\bEmotion(?!/S005)"):
        open_database("ckplus", small)


@pytest.mark.parametrize("landmarks", [False, True])
def test_the_whole_job(small, tmp_path, landmarks):
    if landmarks:
        ckplus.apply(small, ["landmarks"])
    options = ["--landmarks"] if landmarks else []
    output = tmp_path / "out"
    assert main(["--db", "ckplus", "--input", str(small), "--output", str(output), *options]) == 0
    made = manifest.load(output)
    assert made.counts["rejected"] == 0
    assert made.counts["by_class"] == dict.fromkeys(ckplus.CLASSES, 9)
    assert made.counts["by_fold"] == [{"train": 42, "valid": 0, "test": 7}] * 3
    assert (made.channels, made.folds) == (1, 3)
