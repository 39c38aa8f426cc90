"""Oulu-CASIA in miniature: the published counts, every oddity of its editions, the whole job."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse
from pipelines.common.roles import TRAIN
from pipelines.databases import open_database
from pipelines.databases import oulu_casia as reader
from pipelines.dataset import manifest
from pipelines.dataset.folds import divide
from pipelines.inspection.console import findings_report
from pipelines.preprocess import main
from tests.support.inspection import found_in, linked_copy, mentions
from tests.support.miniatures import in_memory, oulu_casia


@pytest.fixture(scope="module")
def full_folder(demo_people, tmp_path_factory) -> Path:
    return oulu_casia.build(tmp_path_factory.mktemp("oulu") / "full", demo_people, full=True)


@pytest.fixture(scope="module")
def pristine(demo_people, tmp_path_factory) -> Path:
    """Three people, P001 to P003."""
    return oulu_casia.build(tmp_path_factory.mktemp("oulu") / "small", demo_people)


@pytest.fixture
def small(pristine, tmp_path) -> Path:
    """`pristine`, to do oddities to."""
    return linked_copy(pristine, tmp_path / "small")


def test_full_counts_are_the_published_ones(full_folder):
    full = open_database("oulu_casia", full_folder)
    found = found_in(full)
    assert not [finding for finding in full.findings if finding.differs]
    assert not full.notes and not full.rejects
    names = ("subjects", "sequences", "last three frames", *full.classes)
    assert [found[name] for name in names] == [80, 480, 1440, 80, 80, 80, 80, 80, 80]


def test_ten_folds_of_eight_people_by_either_rule(full_folder):
    full = open_database("oulu_casia", full_folder)
    division = divide(full)
    tested = Counter(division.home[sample.key] for sample in full.samples if sample.test)
    assert [tested[fold] for fold in range(10)] == [48] * 10
    assert division.home["P011_Anger_003"] == 0
    # The paper trains on the three frames of 72 people's six sequences, without a validation part.
    for fold in range(10):
        trained = sum(splits[fold] == TRAIN for splits in division.splits.values())
        assert trained == 1296
    # ExprGAN's split: it tests P073 to P080, having trained on the others.
    neighbours = divide(full, rule="contiguous")
    last = {sample.subject for sample in full.samples if neighbours.home[sample.key] == 9}
    assert sorted(last) == [f"P{number:03d}" for number in range(73, 81)]


def test_the_edition_of_479_is_read_with_a_warning(demo_people, tmp_path):
    folder = oulu_casia.build(tmp_path, demo_people, full=True, oddities=["empty_sequence"])
    found = open_database("oulu_casia", folder)
    assert mentions(found.notes, 1, "P002_Fear")
    assert mentions(findings_report(found.findings), "warning", "sequences", 479, 480)
    assert mentions(findings_report(found.findings), "warning", "fear", 79, 80)
    assert found_in(found)["subjects"] == 80


def test_last_three_frames_train_and_the_last_one_tests(small):
    # The second sequence of the first person has 4 + (0 + 1) % 3 frames, from 0.
    of_one = [s for s in open_database("oulu_casia", small).samples if "P001_Disgust" in s.key]
    assert [(s.key, s.frame, s.train, s.test) for s in of_one] == [
        ("P001_Disgust_002", 2, True, False),
        ("P001_Disgust_003", 3, True, False),
        ("P001_Disgust_004", 4, True, True),
    ]
    assert {(s.subject, s.label) for s in of_one} == {("P001", 1)}


@pytest.mark.parametrize("layout", ["", *oulu_casia.ROOTS, "cropped_only"])
def test_every_edition_reads_the_same_from_every_level(pristine, small, layout):
    expected = [(s.key, s.label) for s in open_database("oulu_casia", pristine).samples]
    oulu_casia.apply(small, [layout] if layout else [])
    strong = next(small.rglob("Strong"))
    for path in (small.parent, small, strong.parent.parent, strong.parent, strong):
        found = open_database("oulu_casia", path)
        assert [(s.key, s.label) for s in found.samples] == expected
        assert not found.notes
        assert str(small) not in found.source(found.samples[0])


def test_it_may_be_the_working_folder_or_lie_in_an_object_store(pristine, monkeypatch):
    expected = [(s.key, s.label) for s in open_database("oulu_casia", pristine).samples]
    monkeypatch.chdir(pristine / oulu_casia.STRONG)
    assert [(s.key, s.label) for s in open_database("oulu_casia", ".").samples] == expected
    found = reader.read(in_memory(pristine, "oulu"))
    assert sorted((s.key, s.label) for s in found.samples) == expected
    assert found.samples[0].path.startswith("memory://")


@pytest.mark.parametrize(
    ("oddity", "values", "samples"),
    [
        ("ds_store", [".DS_Store (3)", "._x.png (3)", "__MACOSX"], 54),
        ("missing_sequence", [1, "P001_Sadness"], 51),
        ("missing_frames", ["frames", 1, "P001_Anger"], 54),
        ("short_sequence", ["3 frames", 1, "P001_Disgust"], 53),
        ("link_out", ["P081"], 54),
        ("cropped_beside", ["VL_Acropped", "VL"], 54),
    ],
)
def test_oddities_are_noted(small, oddity, values, samples):
    oulu_casia.apply(small, [oddity])
    found = open_database("oulu_casia", small)
    assert mentions(found.notes, *values)
    assert len(found.samples) == samples
    assert found_in(found)["subjects"] == 3


def test_frames_go_by_number_whatever_their_names(small):
    # From 8 on: 8, 9, 10, 11, which is not their order as text.
    oulu_casia.apply(small, ["named_frames"])
    found = open_database("oulu_casia", small)
    of_one = [s for s in found.samples if "P001_Anger" in s.key]
    assert [(s.key, s.frame, s.test) for s in of_one] == [
        ("P001_Anger_009", 9, False),
        ("P001_Anger_010", 10, False),
        ("P001_Anger_011", 11, True),
    ]


def test_other_light_is_left_alone(small):
    oulu_casia.apply(small, ["other_lights"])
    assert len(open_database("oulu_casia", small).samples) == 54
    for other in ("VL/Weak", "NI/Strong"):
        with pytest.raises(BadUse, match=r"VL/Strong(?!/P001)"):
            open_database("oulu_casia", small / "OriginalImg" / other)
    (small / oulu_casia.STRONG).rename(small / "mine")
    found = open_database("oulu_casia", small / "mine")
    assert len(found.notes) == 1 and mentions(found.notes, "VL/Strong")


def test_what_is_not_oulu_is_refused(small, demo_people):
    with pytest.raises(BadUse, match=r"VL/Strong(?!/P001)"):
        open_database("oulu_casia", demo_people)
    with pytest.raises(BadUse, match=r"VL/Strong(?!/P001)"):
        open_database("oulu_casia", small / oulu_casia.STRONG / "P001")
    (small / oulu_casia.STRONG / "P001" / "Anger" / "003.png").write_bytes(b"again")
    with pytest.raises(BadUse, match="'P001_Anger_003'"):
        open_database("oulu_casia", small)
    oulu_casia.apply(small, ["twice"])
    with pytest.raises(BadUse, match=r"OriginalImg/VL/Strong, copy/VL/Strong.*--input"):
        open_database("oulu_casia", small)


def test_the_whole_job(small, tmp_path):
    output = tmp_path / "out"
    assert main(["--db", "oulu_casia", "--input", str(small), "--output", str(output)]) == 0
    made = manifest.load(output)
    assert made.counts["rejected"] == 0
    assert made.counts["by_class"] == dict.fromkeys(reader.CLASSES, 9)
    assert made.counts["by_fold"] == [{"train": 36, "valid": 0, "test": 6}] * 3
    assert made.channels == 3
