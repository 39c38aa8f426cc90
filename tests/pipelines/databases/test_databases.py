"""The readers, on folders and files as their owners hold them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse
from pipelines.databases import open_database, reader_options
from tests.support.inspection import mentions

HEADER = ["path", "label", "subject", "frame", "intensity", "yaw"]


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def table(path: Path, rows: list[list], header: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_subject_is_the_name_up_to_the_first_underscore(tmp_path):
    touch(tmp_path, "sad/p1_a_b.png", "sad/p2.JPG", "glad/p1.webp", "glad/_x.png")
    found = open_database("images", tmp_path)
    assert found.classes == ("glad", "sad")
    assert [(s.key, s.subject, s.label) for s in found.samples] == [
        ("glad/_x", "_x", 0),
        ("glad/p1", "p1", 0),
        ("sad/p1_a_b", "p1", 1),
        ("sad/p2", "p2", 1),
    ]
    assert all(sample.train and sample.test for sample in found.samples)


def test_strays_are_counted_not_lost(tmp_path):
    touch(tmp_path, "a/p1.png", "b/p1.png", "a/.DS_Store", "b/.DS_Store", "b/notes.txt")
    touch(tmp_path, "README.md", "empty/.DS_Store", "__MACOSX/a/p1.png", "a/more/p2.png")
    found = open_database("images", tmp_path)
    assert len(found.samples) == 2
    for name in (".DS_Store (3)", "notes.txt", "README.md", "__MACOSX", "'empty'"):
        assert any(name in note for note in found.notes)
    assert [reject.source for reject in found.rejects] == ["a/more/p2.png"]


def test_a_class_of_one_image_is_mentioned(tmp_path):
    touch(tmp_path, "a/p1.png", "b/p1.png", "b/p2.png")
    notes = open_database("images", tmp_path).notes
    assert len(notes) == 1 and mentions(notes, "'a'")


def test_two_files_of_one_name_are_an_error(tmp_path):
    touch(tmp_path, "a/p1.png", "a/p1.jpg", "b/p1.png")
    with pytest.raises(BadUse, match=r"a/p1\.jpg\b.*a/p1\.png\b.*'a/p1'"):
        open_database("images", tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "empty"),
        (["p1.png"], "class folder"),
        (["a/readme.txt"], "class folder"),
        (["a/p1.png", "a/p2.png"], "class 'a'"),
    ],
)
def test_folders_that_are_no_database(tmp_path, files, words):
    with pytest.raises(BadUse, match=words):
        open_database("images", touch(tmp_path, *files))


def test_a_missing_folder_and_a_file_instead(tmp_path):
    with pytest.raises(BadUse, match=r"nowhere\b.*\bexist"):
        open_database("images", tmp_path / "nowhere")
    touch(tmp_path, "photo.png")
    with pytest.raises(BadUse, match=r"photo\.png\b.*\bfile\b"):
        open_database("images", tmp_path / "photo.png")
    with pytest.raises(BadUse, match=r"'ckp'.*\bckplus\b"):
        open_database("ckp", tmp_path)


def test_an_option_of_another_database_is_refused(tmp_path):
    with pytest.raises(BadUse, match="--peaks is for mmi"):
        open_database("images", tmp_path, peaks=tmp_path / "peaks.csv")
    shared = {option.name: names for option, names in reader_options().items()}
    assert shared["landmarks"] == ["ckplus", "images"]


def test_csv_roles_folds_and_refused_rows(tmp_path):
    rows = [
        ["x/1.png", "glad", "p1", "train", "0"],
        ["x/2.png", "calm", "p1", "TEST", "0"],
        ["y/3.png", "calm", "p2", "", "1"],
        ["../4.png", "calm", "p2", "", "1"],
        ["y/5.png", "", "p2", "", "1"],
        ["y/6.png", "calm", "p2", "teach", "1"],
        ["y/7\0.png", "calm", "p2", "", "1"],
    ]
    path = table(tmp_path / "d" / "list.csv", rows, ["path", "label", "subject", "role", "fold"])
    found = open_database("images", path)
    assert found.classes == ("calm", "glad")
    assert [(s.key, s.train, s.test, s.fold) for s in found.samples] == [
        ("x/1", True, False, 0),
        ("x/2", False, True, 0),
        ("y/3", True, True, 1),
    ]
    expected = {
        "list.csv, line 5": ["path", "folder"],
        "list.csv, line 6": ["label", "empty"],
        "list.csv, line 7": ["role", "'teach'", "train, test, both"],
        "list.csv, line 8": ["path", "byte"],
    }
    assert [reject.source for reject in found.rejects] == list(expected)
    for reject in found.rejects:
        assert mentions(reject.reason, *expected[reject.source])


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"path,label\nx.png,a\n", "'subject'"),
        (b"path,label,subject\n", r"\brows\b"),
        (b"", "'path'"),
        (b"\xff\xfe\x00path", "UTF-8"),
        (b"path,label,subject,fold\nx,a,p,one\ny,b,q,2\n", r"\bline 2\b.*\bfold\b.*'one'"),
        (b"path,label,subject\nx.png,a,p\nx.jpg,b,p\n", r"\bx\.png\b.*\bx\.jpg\b.*'x'"),
        (b"path,label,subject,label\nx.png,a,p,b\n", "'label'"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, values):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(BadUse, match=values):
        open_database("images", path)


def test_a_picture_listed_twice_counts_once_or_not_at_all(tmp_path):
    rows = [["a.png", "calm", "p"], ["./a.png", "calm", "p"], ["b.png", "glad", "p"]]
    rows += [["c.png", "calm", "q"], ["c.png", "glad", "q"]]
    path = table(tmp_path / "list.csv", rows, ["path", "label", "subject"])
    found = open_database("images", path)
    assert [sample.key for sample in found.samples] == ["a", "b"]
    lines = {"list.csv, line 3": "2", "list.csv, line 5": "5, 6", "list.csv, line 6": "5, 6"}
    assert [reject.source for reject in found.rejects] == list(lines)
    for reject in found.rejects:
        assert mentions(reject.reason, lines[reject.source])


def test_a_box_is_taken_whole_or_the_row_is_not(tmp_path):
    boxes = [
        ["1", "2", "30", "40"],
        ["", "", "", ""],
        ["1", "2", "30", ""],
        ["30", "2", "1", "40"],
        ["1", "2", "3e9", "40"],
        ["-5", "2", "3000000000", "40"],
    ]
    rows = [[f"{i}.png", "ab"[i % 2], "p", *box] for i, box in enumerate(boxes)]
    header = ["path", "label", "subject", "left", "top", "right", "bottom"]
    found = open_database("images", table(tmp_path / "list.csv", rows, header))
    assert [sample.box for sample in found.samples] == [(1, 2, 30, 40), None]
    reasons = [reject.reason for reject in found.rejects]
    assert len(reasons) == 4
    assert mentions(reasons[0], "'1,2,30,'", "left,top,right,bottom")
    assert mentions(reasons[1], "'30,2,1,40'", "left < right")
    assert mentions(reasons[2], "'1,2,3e9,40'", "left,top,right,bottom")
    assert mentions(reasons[3], "'-5,2,3000000000,40'")
    assert not mentions(reasons[3], "left,top,right,bottom")


def test_landmarks_are_used_when_asked_for(tmp_path):
    touch(tmp_path, "a.txt")
    rows = [["a.png", "calm", "p", "a.txt"], ["b.png", "glad", "p", "b.txt"]]
    rows += [["c.png", "glad", "p", ""], ["d.png", "glad", "p", "../d.txt"]]
    rows += [["e.png", "glad", "q", "a.txt"]]
    path = table(tmp_path / "list.csv", rows, ["path", "label", "subject", "landmarks"])
    assert mentions(open_database("images", path).notes[0], "landmarks", "--landmarks")
    found = open_database("images", path, landmarks=True)
    assert [sample.landmarks for sample in found.samples] == [str(tmp_path / "a.txt")] * 2
    absent, empty, outside = (reject.reason for reject in found.rejects)
    assert mentions(absent, "landmarks", "exist")
    assert mentions(empty, "landmarks", "empty", "--landmarks")
    assert mentions(outside, "landmarks", "folder")


def test_what_is_named_as_a_picture_and_is_none_is_rejected(tmp_path):
    touch(tmp_path / "in", "a/p1.png", "b/p1.png")
    touch(tmp_path, "secret.png")
    (tmp_path / "in" / "a" / "p2.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in" / "a" / "p3.png").symlink_to("nowhere.png")
    (tmp_path / "in" / "a" / "p4.png").symlink_to("p4.png")
    (tmp_path / "in" / "a" / "p5.png").symlink_to("p1.png")
    (tmp_path / "in" / "b" / "p6.png").mkdir()
    os.mkfifo(tmp_path / "in" / "b" / "p7.png")
    (tmp_path / "in" / "c").symlink_to(tmp_path)
    found = open_database("images", tmp_path / "in")
    assert [sample.key for sample in found.samples] == ["a/p1", "a/p5", "b/p1"]
    reasons = {reject.source: reject.reason for reject in found.rejects}
    links, others = ["a/p2.png", "a/p4.png"], ["a/p3.png", "b/p6.png", "b/p7.png"]
    assert sorted(reasons) == sorted(links + others)
    assert all(mentions(reasons[name], "link", "folder") for name in links)
    assert all(mentions(reasons[name], "file") for name in others)
    assert mentions(found.notes[0], "c")


@pytest.mark.parametrize("path", [".", "/", "..", "a/..", "/etc/passwd", "x" * 5000 + "/../../y"])
def test_a_path_that_names_no_picture_of_the_list_is_a_refused_row(tmp_path, path):
    rows = [["a.png", "calm", "p"], ["b.png", "glad", "q"], [path, "glad", "q"]]
    found = open_database(
        "images", table(tmp_path / "list.csv", rows, ["path", "label", "subject"])
    )
    assert [sample.key for sample in found.samples] == ["a", "b"]
    assert [reject.source for reject in found.rejects] == ["list.csv, line 4"]


def test_cropped_faces_need_neither_box_nor_landmarks(tmp_path):
    rows = [["a.png", "calm", "p", 1, 2, 3, 4], ["b.png", "glad", "q", "", "", "", ""]]
    header = ["path", "label", "subject", "left", "top", "right", "bottom"]
    path = table(tmp_path / "list.csv", rows, header)
    found = open_database("images", path, prealigned=True)
    assert mentions(found.notes[0], "boxes", "--prealigned")
    with pytest.raises(BadUse, match=r"--prealigned.*--landmarks"):
        open_database("images", path, prealigned=True, landmarks=True)
    with pytest.raises(BadUse, match="'landmarks'"):
        open_database("images", path, landmarks=True)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xef\xbb\xbfpath,label,subject\r\nx.png,a,p\r\ny.png,b,q\r\n")
    assert len(open_database("images", path).samples) == 2


def test_demo_frames_train_late_and_test_last(tmp_path):
    rows = [
        [f"fear/p000_{i:02d}.png", "fear", "p000", i, i / 4, -12.5] for i in (3, 0, 4, 1, 2)
    ] + [[f"neutral/p000_{i:02d}.png", "neutral", "p000", i, 0, 0] for i in range(5)]
    table(tmp_path / "faces.csv", rows, HEADER)
    found = open_database("demo", tmp_path)
    assert found.classes[0] == "neutral"
    assert found.classes[1:] == tuple(sorted(found.classes[1:]))
    fear = [sample for sample in found.samples if sample.key.startswith("fear")]
    assert [sample.train for sample in fear] == [False, False, True, True, True]
    assert [sample.test for sample in fear] == [False, False, False, False, True]
    assert [sample.intensity for sample in fear] == [0, 0.25, 0.5, 0.75, 1]
    assert fear[0].yaw == -12.5
    neutral = [sample for sample in found.samples if sample.key.startswith("neutral")]
    assert [sample.train for sample in neutral] == [True] * 5
    assert [sample.test for sample in neutral] == [False] * 4 + [True]


def test_demo_needs_its_table(tmp_path):
    touch(tmp_path, "fear/p000_00.png")
    with pytest.raises(BadUse, match=r"faces\.csv"):
        open_database("demo", tmp_path)
    table(tmp_path / "faces.csv", [["x.png", "bliss", "p0", 0, 0, 0]], HEADER)
    with pytest.raises(BadUse, match=r"\bline 2\b.*'bliss'"):
        open_database("demo", tmp_path)
