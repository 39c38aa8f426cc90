"""MMI as its users hold it: sessions with films and XML files, and a CSV of peaks."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from pipelines.common import roles
from pipelines.common.errors import BadUse
from pipelines.databases import Film, open_database
from pipelines.databases.mmi import read
from pipelines.dataset import examples, manifest, rejects
from pipelines.faces.alignment import FaceAligner, NoFaceFound
from pipelines.media import films, images
from pipelines.preprocess import main
from tests.support.inspection import mentions
from tests.support.miniatures import mmi


def peaks(folder: Path, *lines: str, header: str = "session,frame,label,orientation") -> Path:
    path = folder / "peaks.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Path:
    return mmi.odd_edition(tmp_path_factory.mktemp("mmi") / "MMI")


@pytest.fixture
def two(tmp_path) -> Path:
    """Two good sessions with empty films: no reader opens them."""
    mmi.add_session(tmp_path / "two", 12, "S001-001", emotion=1)
    mmi.add_session(tmp_path / "two", 345, "S002-001", emotion=6)
    return tmp_path / "two"


def test_the_whole_database_is_found_as_published(tmp_path):
    film = mmi.write_film(tmp_path / "film.avi", mmi.gray_frames(3))
    found = open_database("mmi", mmi.full_counts(tmp_path / "MMI", film))
    counts = {each.name: each.found for each in found.findings}
    assert not [each.name for each in found.findings if each.differs]
    # 205 over six classes in turn: one of them gets one more.
    assert [counts[f"{name} sequences"] for name in found.classes] == [35, 34, 34, 34, 34, 34]
    assert (counts["sequences"], counts["subjects"]) == (205, 30)
    assert (found.folds, found.channels, len(found.samples)) == (10, 3, 615)
    assert found.classes == ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    assert not found.rejects


def test_a_film_gives_its_peak_and_two_neighbours(odd):
    samples = [each for each in open_database("mmi", odd).samples if each.subject == "S001"][:3]
    assert [each.key for each in samples] == ["S001-001_0", "S001-001_1", "S001-001_2"]
    assert [each.film for each in samples] == [Film(offset=offset) for offset in (-1, 0, 1)]
    assert [each.train for each in samples] == [True, True, True]
    assert [each.test for each in samples] == [False, True, False]
    assert {each.path for each in samples} == {str(odd / "Sessions" / "101" / "S001-001.avi")}
    assert {each.label for each in samples} == {3}


def test_only_a_film_of_view_2_has_halves(odd):
    halves = {each.key[:8]: each.film.halves for each in open_database("mmi", odd).samples}
    assert halves == {"S001-001": False, "S001-002": True, "S002-001": False}


def test_everything_that_is_not_used_is_listed(odd):
    found = open_database("mmi", odd)
    for values in (
        ("view 1", "S002-002"),
        ("emotion", "'9'", "S002-003"),
        ("emotion", "S003-001"),
        ("111",),
        ("3 of 3 peaks",),
    ):
        assert mentions(found.notes, *values)
    # Each with values of the reason: a file, or what the session lacks.
    expected = {
        "S003-002": ["session.xml", "view"],
        "S003-003": ["XML", "emotion"],
        "S003-004": ["film"],
        "S003-005": ["S003-005.xml", "line 1, column 6"],
    }
    assert [(each.key, each.subject) for each in found.rejects] == [
        (key, "S003") for key in expected
    ]
    assert all(mentions(each.reason, *expected[each.key]) for each in found.rejects)
    # Ten sessions: three used, three left out, four rejected.
    assert len(found.samples) // 3 + 3 + len(found.rejects) == 10


def test_in_every_film_used_the_peak_shows_an_upright_face(odd):
    aligner = FaceAligner()

    def area(image) -> int:
        try:
            left, top, right, bottom = aligner.align(image).box
        except NoFaceFound:
            return 0
        return (right - left) * (bottom - top)

    chosen = {}
    for sample in open_database("mmi", odd).samples:
        if sample.test:
            count = films.count_frames(sample.path)
            frame = films.read_frames(sample.path, [films.select(sample.film, count)])[0]
            view = films.choose_view(frame, sample.film, area)
            chosen[sample.key[:8]] = (count, view.turn, view.half)
    assert chosen == {
        "S001-001": (9, 0, "whole"),
        "S001-002": (9, 0, "right"),
        "S002-001": (9, 90, "whole"),
    }


def test_the_folder_of_sessions_may_be_given_itself_or_lie_deeper(two):
    keys = [each.key for each in open_database("mmi", two).samples]
    for path in (two / "Sessions", two.parent):
        assert [each.key for each in open_database("mmi", path).samples] == keys


def test_a_database_elsewhere_is_read_like_one_here(odd):
    there = UPath("memory://mmi/MMI")
    for file in odd.rglob("*"):
        if file.is_file():
            target = there / file.relative_to(odd).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    found, here = read(there), read(odd)
    assert sorted(each.key for each in found.samples) == sorted(each.key for each in here.samples)
    assert {each.reason for each in found.rejects} == {each.reason for each in here.rejects}
    assert films.count_frames(found.samples[0].path) == 9


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("session.xml", "<session/>", ["session.xml", "track"]),
        ("session.xml", '<s><track view="5"/></s>', ["view", "session.xml", "'5'"]),
        ("session.xml", '<s><track view=""/></s>', ["view", "session.xml", "''"]),
        (
            "session.xml",
            '<s><track view="0" filename="a"/><track view="1" filename="b"/></s>',
            ["session.xml", "name", "track"],
        ),
        ("session.xml", "", ["session.xml", "no element found"]),
        ("S001-001.xml", "<a" * 9, ["S001-001.xml", "XML"]),
        ("S001-001.xml", '<?xml version="1.0" encoding="x-no"?><a/>', ["S001-001.xml"]),
        (
            "S001-001.xml",
            '<a><Metatag Name="Emotion" Value="1"/><Metatag Name="Emotion" Value="2"/></a>',
            ["emotions", "1, 2"],
        ),
        (
            "S001-001.xml",
            '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
            ["S001-001.xml", "entities"],
        ),
        ("S001-001.xml", "<a>" + " " * 2**24 + "</a>", ["S001-001.xml", "16,777,216 bytes"]),
    ],
)
def test_xml_files_that_cannot_be_used(two, name, text, values):
    mmi.add_session(two, 500, "S003-001", emotion=2)
    (two / "Sessions" / "12" / name).write_text(text, encoding="utf-8")
    found = open_database("mmi", two)
    assert [each.key for each in found.rejects] == ["S001-001"]
    assert mentions(found.rejects[0].reason, *values)
    assert len(found.samples) == 6


@pytest.mark.parametrize(
    "text",
    [
        '<x:FPML xmlns:x="u"><x:METATAG name="emotion" VALUE=" 1 "/></x:FPML>',
        '<!DOCTYPE FPML><FPML><Metatag Name="Emotion" Value="anger"/></FPML>',
        '<FPML><Metatag Name="Emotion" Value="01.0"/></FPML>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_spellings_of_the_same_emotion(two, text, encoding):
    (two / "Sessions" / "12" / "S001-001.xml").write_text(text, encoding=encoding)
    assert open_database("mmi", two).samples[0].label == 0


def test_a_film_is_of_the_track_that_names_it(two):
    folder = two / "Sessions" / "12"
    (folder / "S001-002.avi").write_bytes(b"")
    (folder / "session.xml").write_text(
        '<s><track FileName="C:\\MMI\\s001-002.AVI" View="1"/>'
        '<track FileName="S001-001.avi" View="2"/></s>'
    )
    found = open_database("mmi", two)
    assert [each.film.halves for each in found.samples[:3]] == [True] * 3
    assert mentions(found.notes, "view 1", "S001-002")


def test_two_films_of_one_name_are_an_error(two):
    mmi.add_session(two, 13, "S001-001")
    with pytest.raises(BadUse, match="'S001-001_0'"):
        open_database("mmi", two)


def test_a_link_out_of_the_folder_is_not_followed(two, tmp_path):
    (tmp_path / "secret.avi").write_bytes(b"x")
    film = two / "Sessions" / "12" / "S001-001.avi"
    film.unlink()
    film.symlink_to(tmp_path / "secret.avi")
    mmi.add_session(two, 13, "S003-001")
    found = open_database("mmi", two)
    assert [each.key for each in found.rejects] == ["S001-001"]
    assert mentions(found.rejects[0].reason, "film")
    assert mentions(found.notes, "S001-001.avi")


def test_folders_that_are_no_mmi(tmp_path):
    with pytest.raises(BadUse, match=r"nowhere\b.*\bexist"):
        open_database("mmi", tmp_path / "nowhere")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.png").write_bytes(b"")
    with pytest.raises(BadUse, match=r"\bsession\b.*\.avi\b.*\.xml\b.*--input"):
        open_database("mmi", tmp_path / "a")
    mmi.add_session(tmp_path / "c", 1, "S001-001", view=1)
    mmi.add_session(tmp_path / "c", 2, "S001-002", view=None)
    with pytest.raises(BadUse, match=r"\b2 sessions\b.*\bS001-001\b.*\bsession\.xml"):
        open_database("mmi", tmp_path / "c")


def test_a_csv_gives_peak_class_and_orientation(two, tmp_path):
    table = peaks(tmp_path, "12,30,Fear,270", "s002-001.avi,7,,")
    found = open_database("mmi", two, peaks=table)
    first, second = found.samples[1], found.samples[4]
    assert first.film == Film(peak=30, offset=0, turn=270)
    assert (first.label, second.label) == (2, 5)
    assert second.film == Film(peak=7, offset=0, turn=None)
    # A note would name the films whose peak was chosen automatically.
    assert not mentions(found.notes, "S001-001") and not mentions(found.notes, "S002-001")
    assert mentions(found.notes, "1 of the 2 rows", "peaks.csv", "(12)")


def test_a_csv_can_use_a_session_that_gives_no_emotion(two, tmp_path):
    mmi.add_session(two, 7, "S003-001", emotion=None)
    found = open_database("mmi", two, peaks=peaks(tmp_path, "7,3,4", header="session,frame,label"))
    assert {each.label for each in found.samples if each.subject == "S003"} == {3}


def test_rows_and_sessions_without_each_other_are_named(two, tmp_path):
    mmi.add_session(two, 7, "S003-001", view=1)
    table = peaks(tmp_path, "12,3", "7,3", "9,1", "S009-001,2", header="session,frame")
    notes = open_database("mmi", two, peaks=table).notes
    assert mentions(notes, "2 of the 4 rows", "peaks.csv", "(9, S009-001)")
    assert mentions(notes, "1 of the 4 rows", "peaks.csv", "(7)")
    assert mentions(notes, "1 of 2 peaks", "S002-001")


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        (["12,x,,"], ["line 2", "frame", "'x'"]),
        (["12,,,"], ["line 2", "frame", "''"]),
        (["12,-1,,"], ["line 2", "frame", -1, 0]),
        (["12,1,bliss,"], ["line 2", "label", "'bliss'", "anger"]),
        (["12,1,7,"], ["line 2", "label", "'7'", "anger"]),
        (["12,1,,45"], ["line 2", "orientation", 45, 0, 90, 180, 270]),
        (["12,1,,up"], ["line 2", "orientation", "'up'"]),
        ([",1,,"], ["line 2", "session", "empty"]),
        (["12,1,,", "345,2,,", "12,3,,"], ["line 4", "'12'", "line 2"]),
        (["12,1,,", "S001-001,3,,"], ["lines 2 and 3", 12, "S001-001"]),
        ([], ["rows"]),
    ],
)
def test_rows_that_cannot_be_used(two, tmp_path, lines, values):
    with pytest.raises(BadUse) as caught:
        open_database("mmi", two, peaks=peaks(tmp_path, *lines))
    assert mentions(str(caught.value).replace(str(tmp_path), ""), "/peaks.csv", *values)


def test_a_csv_that_is_not_there_or_not_one(two, tmp_path):
    with pytest.raises(BadUse, match=r"none\.csv\b.*\bfile\b"):
        open_database("mmi", two, peaks=tmp_path / "none.csv")
    with pytest.raises(BadUse, match="'frame'"):
        open_database("mmi", two, peaks=peaks(tmp_path, "12,3", header="session,peak"))


def test_a_session_of_two_films_needs_the_films_name(two, tmp_path):
    folder = two / "Sessions" / "12"
    (folder / "S001-002.avi").write_bytes(b"")
    (folder / "session.xml").write_text('<s><track view="0"/></s>')
    with pytest.raises(BadUse, match="S001-001 and S001-002"):
        open_database("mmi", two, peaks=peaks(tmp_path, "12,3,,"))
    found = open_database("mmi", two, peaks=peaks(tmp_path, "S001-002,3,,"))
    assert [each.film.peak for each in found.samples if each.test] == [None, 3, None]


def test_two_readings_are_equal(odd):
    first, second = open_database("mmi", odd), open_database("mmi", odd)
    assert list(map(dataclasses.asdict, first.samples)) == list(
        map(dataclasses.asdict, second.samples)
    )
    assert (first.notes, first.rejects) == (second.notes, second.rejects)


def test_a_name_that_is_not_utf8_is_shown_with_a_mark(two):
    film = two / "Sessions" / "12" / "S001-001.avi"
    film.rename(film.with_name(os.fsdecode(b"S001-\xff.avi")))
    (film.parent / "session.xml").unlink()
    mmi.add_session(two, 13, "S003-001")
    assert [each.key for each in open_database("mmi", two).rejects] == ["S001-?"]


def test_the_whole_job_turns_and_cuts_films_as_they_lie(tmp_path, capsys):
    """Three good sessions of two people: one as it should be, one of two views, one on its side."""
    root, output = mmi.odd_edition(tmp_path / "in"), tmp_path / "out"
    assert main(["--db", "mmi", "--input", str(root), "--output", str(output)]) == 0
    made = manifest.load(output)
    assert (made.counts["read"], made.counts["aligned"], made.counts["rejected"]) == (13, 9, 4)
    assert made.counts["by_class"]["happiness"] == 6
    assert mentions(made.notes, "3 of 3 peaks")
    stored = [
        examples.decode(payload)
        for shard in made.shards
        for payload in examples.read_records(output / shard.path)
    ]
    # Nine frames: the middle one is 4, and it alone is tested.
    assert sorted(record.frame for record in stored) == [3, 3, 3, 4, 4, 4, 5, 5, 5]
    tested = {record.key for record in stored if roles.TEST in record.splits}
    assert tested == {"S001-001_1", "S001-002_1", "S002-001_1"}
    # The aligned face of a person seen twice is the same, upright, whichever film it came from.
    for record in stored:
        assert abs(record.eyes[1] - 40) < 6 and abs(record.eyes[3] - 40) < 6
        assert record.eyes[0] < record.eyes[2]
    one, other = (
        images.to_gray(images.decode(record.image)).astype(float)
        for record in sorted(stored, key=lambda record: record.key)
        if record.key in ("S001-001_1", "S001-002_1")
    )
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_a_film_without_a_face_is_rejected_with_its_picture(tmp_path):
    root = mmi.odd_edition(tmp_path / "in")
    mmi.add_session(root, 120, "S004-001", mmi.gray_frames(5), mmi.CODES["fear"], view=2)
    assert main(["--db", "mmi", "--input", str(root), "--output", str(tmp_path / "out")]) == 0
    output = tmp_path / "out"
    found = rejects.read(output, manifest.load(output))
    lost = [reject for reject in found if reject.subject == "S004"]
    assert [reject.key for reject in lost] == ["S004-001_0", "S004-001_1", "S004-001_2"]
    for reject in lost:
        assert mentions(reject.reason, "face", "frame 2")
        assert images.read(tmp_path / "out" / reject.picture).shape == (48, 64, 3)
