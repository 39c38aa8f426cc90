"""The reader `images` on CSV files, as spreadsheets and people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.common.errors import BadUse
from pipelines.common.roles import TEST, TRAIN, VALID
from pipelines.databases import Database, open_database
from pipelines.databases.base import KNOWN, UNKNOWN
from pipelines.databases.tables import read_columns, read_table
from pipelines.dataset.folds import divide
from tests.support.inspection import mentions
from tests.support.naming import naming

ROWS = "path,label,subject\na.png,calm,Zoë\nb.png,glad,p2\n"


def written(folder: Path, text: str, encoding: str = "utf-8", name: str = "list.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read(folder: Path, text: str, **options) -> Database:
    return open_database("images", written(folder, text), **options)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_delimiters_and_encodings(tmp_path, delimiter, encoding):
    path = written(tmp_path, ROWS.replace(",", delimiter), encoding)
    found = open_database("images", path)
    assert [(s.key, s.subject) for s in found.samples] == [("a", "Zoë"), ("b", "p2")]


@pytest.mark.parametrize("head", ["PATH,Label, Subject ", "sep=;\nPath;LABEL;subject"])
def test_names_of_columns_in_any_case(tmp_path, head):
    text = f"{head}\n{'a.png,calm,p1' if ';' not in head else 'a.png;calm;p1'}\n"
    path = written(tmp_path, text)
    [row] = read_table(path, ("path", "label", "subject"))
    assert (row["path"], row["label"], row["subject"], row["Role"]) == ("a.png", "calm", "p1", "")
    assert row.line == text.count("\n")
    assert list(read_columns(path, ("subject", "path"))) == [(row.line, ["p1", "a.png"])]


def test_bytes_of_no_encoding_are_named(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"path,label,subject\na.png,\x81,p\n")
    with pytest.raises(BadUse, match=naming("UTF-8", "UTF-16", "Windows-1252", "list.csv")):
        open_database("images", path)


def test_a_tsv_is_a_table_too(tmp_path):
    path = written(tmp_path, ROWS.replace(",", "\t"), name="list.tsv")
    assert len(open_database("images", path).samples) == 2


def test_backslashes_separate_folders(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").touch()
    (tmp_path / r"b\c.png").touch()
    rows = "path,label,subject\nx\\a.png,calm,p1\nb\\c.png,glad,p2\nC:\\d.png,glad,p2\n"
    found = read(tmp_path, rows)
    assert [s.path for s in found.samples] == [
        str(tmp_path / r"b\c.png"),
        str(tmp_path / "x/a.png"),
    ]
    assert [r.source for r in found.rejects] == ["list.csv, line 4"]
    assert mentions(found.rejects[0].reason, "Windows")


def test_boxes_with_fractions_are_rounded(tmp_path):
    rows = "path,label,subject,left,top,right,bottom\n"
    rows += "a.png,calm,p,1.4,2.6,30.0,40\nb.png,glad,p,-0.6,2.,30,40.51\nc.png,glad,p,1,1,1.2,9\n"
    found = read(tmp_path, rows)
    assert [s.box for s in found.samples] == [(1, 3, 30, 40), (-1, 2, 30, 41)]
    assert [r.source for r in found.rejects] == ["list.csv, line 4"]
    rows = (
        "path;label;subject;left;top;right;bottom\na.png;calm;p;1,4;2,6;30;40\nb.png;glad;p;;;;\n"
    )
    assert read(tmp_path, rows).samples[0].box == (1, 3, 30, 40)


def test_where_one_class_is_left_the_reasons_are_counted(tmp_path):
    rows = "path,label,subject\na.png,calm,p\n../b.png,glad,p\n"
    with pytest.raises(BadUse, match=naming("list.csv", "'calm'", "1 ×", "--allow")):
        read(tmp_path, rows)


def test_paths_may_lead_where_it_is_allowed(tmp_path):
    other, third = tmp_path / "other", tmp_path / "third"
    rows = (
        f"path,label,subject\n{other}/a.png,calm,p1\n../other/b.png,glad,p2\n{third}/c.png,glad,p\n"
    )
    with pytest.raises(BadUse, match=naming("3 ×", "--allow")):
        read(tmp_path / "in", rows)
    other.mkdir()
    found = read(tmp_path / "in", rows, allow=[other])
    assert [Path(s.path).resolve().name for s in found.samples] == ["b.png", "a.png"]
    assert all(not s.key.startswith("/") for s in found.samples)
    assert [r.source for r in found.rejects] == ["list.csv, line 4"]


def test_an_address_is_refused_with_its_path(tmp_path):
    rows = f"path,label,subject\nfile://{tmp_path}/a%201.png,calm,p\n"
    with pytest.raises(BadUse, match=naming(f"'{tmp_path}/a 1.png'")):
        read(tmp_path, rows)


def test_where_every_row_is_refused_the_reasons_are_counted(tmp_path):
    rows = (
        "path,label,subject,role\n../a.png,calm,p,\n../b.png,calm,p,\nc.png,,p,\nd.png,x,p,teach\n"
    )
    with pytest.raises(BadUse, match=naming("4 were refused", "2 ×", "1 ×", "label", "'teach'")):
        read(tmp_path, rows)


def test_where_one_person_is_left_the_reasons_are_counted(tmp_path):
    rows = "a.png,calm,p,\nb.png,glad,p,\nc.png,glad,q,teach\nd.png,calm,q,teach\n"
    found = read(tmp_path, f"path,label,subject,role\n{rows}")
    with pytest.raises(BadUse, match=naming("2 were refused", "2 ×", "'teach'")):
        divide(found)


def test_missing_images_are_counted(tmp_path):
    (tmp_path / "a.png").touch()
    notes = read(tmp_path, ROWS + "c.png,glad,p\n").notes
    assert [note for note in notes if mentions([note], 2, 3, "b.png", "c.png")]


def test_an_empty_subject_is_unknown(tmp_path):
    found = read(tmp_path, "path,label,subject\na.png,calm,\nb.png,glad,p2\n")
    assert [s.subject for s in found.samples] == ["", "p2"] and found.subjects == UNKNOWN
    assert any(mentions([note], 1, 2, "subject") for note in found.notes)
    assert read(tmp_path, ROWS).subjects == KNOWN
    found = read(tmp_path, ROWS, subjects="unknown")
    assert {s.subject for s in found.samples} == {""} and found.subjects == UNKNOWN
    found = read(tmp_path, "path,label\na.png,calm\nb.png,glad\n", subjects="unknown")
    assert len(found.samples) == 2


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "null", "n/a", "NA", "Unknown", "?", "-"])
def test_a_word_for_nobody_is_an_unknown_subject(tmp_path, name):
    text = f"path,label,subject\na.png,calm,{name}\nb.png,glad,{name}\nc.png,glad,nana\n"
    found = read(tmp_path, text)
    assert [s.subject for s in found.samples] == ["", "", "nana"] and found.subjects == UNKNOWN
    assert any(mentions([note], 2, repr(name)) for note in found.notes)


def roles(*rows: str) -> str:
    return "path,label,subject,role\n" + "".join(
        f"{k}.png,{'calm' if k % 2 else 'glad'},{row}\n" for k, row in enumerate(rows)
    )


def test_roles_that_divide_the_set_are_official(tmp_path):
    found = read(tmp_path, roles("a,train", "a,Training", "b,valid", "c,test", "c,TEST"))
    assert [s.official for s in found.samples] == [(TRAIN,), (TRAIN,), (VALID,), (TEST,), (TEST,)]
    assert (found.folds, found.subjects) == (1, KNOWN)


def test_roles_of_unknown_people_divide_the_set(tmp_path):
    found = read(tmp_path, roles(",train", ",train", ",val", ",validation"))
    assert [s.official for s in found.samples] == [(TRAIN,), (TRAIN,), (TEST,), (TEST,)]
    assert found.subjects == UNKNOWN


def test_other_names_of_roles(tmp_path):
    found = read(tmp_path, roles("a,train_set", "b,dev", "c,PublicTest", "d,PrivateTest", "e,eval"))
    parts = [sample.official for sample in found.samples]
    assert parts == [(TRAIN,), (VALID,), (VALID,), (TEST,), (TEST,)]


@pytest.mark.parametrize(
    "rows",
    [
        ("a,train", "a,test", "b,train", "b,test"),
        ("a,train", "a,both", "b,train", "b,"),
        ("a,train", "b,both", "c,test"),
        ("a,", "b,", "c,both"),
        ("a,train", "b,train"),
        ("a,train", "a,valid", "b,train", "b,test"),
    ],
)
def test_other_roles_leave_people_to_be_cross_validated(tmp_path, rows):
    found = read(tmp_path, roles(*rows))
    assert {s.official for s in found.samples} == {None}
    trained = [row.split(",")[1] in ("train", "both", "") for row in rows]
    tested = [row.split(",")[1] != "train" for row in rows]
    assert [(s.train, s.test) for s in found.samples] == list(zip(trained, tested, strict=True))


def test_the_users_folds_go_before_roles(tmp_path):
    text = "path,label,subject,role,fold\na.png,calm,a,train,0\nb.png,glad,b,test,1\n"
    assert [(s.official, s.fold) for s in read(tmp_path, text).samples] == [(None, 0), (None, 1)]


def test_names_of_one_expression_are_one_class(tmp_path):
    text = "path,label,subject\na.png,happy,p\nb.png,Happiness ,q\nc.png,sad,p\n"
    found = read(tmp_path, text)
    assert found.classes == ("happiness", "sad")
    assert any(mentions([note], "'happy'", "'happiness'") for note in found.notes)


def test_numbers_written_differently_are_one_class(tmp_path):
    labels = ("3", "3.0", "03", "04", "0", "00")
    rows = "".join(f"{k}.png,{label},p{k}\n" for k, label in enumerate(labels))
    text = f"path,label,subject\n{rows}"
    found = read(tmp_path, text)
    assert found.classes == ("0", "04", "3")
    assert any(mentions([note], "'03', '3', '3.0'") for note in found.notes)


def test_a_person_written_in_two_ways_is_on_one_side_of_a_split(tmp_path):
    subjects = ("Anna", "anna ", "1", "1.0", "01", "p2")
    rows = "".join(
        f"{k}.png,{'sad' if k % 2 else 'glad'},{who}\n" for k, who in enumerate(subjects)
    )
    found = read(tmp_path, f"path,label,subject\n{rows}")
    assert [s.subject for s in found.samples] == ["Anna", "Anna", "1", "1", "1", "p2"]
    assert divide(found).folds == 3 and found.subjects == KNOWN
    assert any(mentions([note], "'Anna' = 'anna'", "'01' = '1' = '1.0'") for note in found.notes)


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        ("emotion,pixels,Usage", "--db fer2013"),
        ("subDirectory_filePath,face_x", "--db affectnet"),
        ("path,label", "--subjects unknown"),
    ],
)
def test_a_table_without_the_columns_names_the_option_that_reads_it(tmp_path, head, hint):
    with pytest.raises(BadUse, match=naming(head.replace(",", ", "), hint)):
        read(tmp_path, f"{head}\n0,1\n")


def test_joy_is_happiness(tmp_path):
    text = "path,label,subject\na.png,joy,p\nb.png,happy,q\nc.png,sad,p\n"
    assert read(tmp_path, text).classes == ("happiness", "sad")


def test_a_fold_may_be_written_as_a_fraction(tmp_path):
    text = "path,label,subject,fold\na.png,calm,p,0.0\nb.png,glad,q,1.0\nc.png,glad,r,2\n"
    assert [sample.fold for sample in read(tmp_path, text).samples] == [0, 1, 2]
    with pytest.raises(BadUse, match=naming("line 2", "fold", "'0.5'")):
        read(tmp_path, text.replace("0.0", "0.5"))


def test_a_pattern_reads_what_the_table_does_not_say(tmp_path):
    text = "path,label\ns1/train_1.png,calm\ns2/test_2.png,glad\nother.png,glad\n"
    pattern = r"^(?P<subject>s\d)/(?P<part>[a-z]+)_"
    found = read(tmp_path, text, subject_pattern=pattern)
    assert [(s.subject, s.official) for s in found.samples] == [("s1", (TRAIN,)), ("s2", (TEST,))]
    assert [r.source for r in found.rejects] == ["list.csv, line 4"]
