"""The reader `images` on folders: levels, parts, patterns, names of classes, links."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse
from pipelines.common.roles import TEST, TRAIN, VALID
from pipelines.databases import Database, open_database
from pipelines.databases.base import GUESSED, KNOWN, UNKNOWN
from tests.support.inspection import mentions
from tests.support.naming import naming


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def told(found: Database) -> dict[str, tuple[str, str]]:
    """Class and subject of each key."""
    return {s.key: (found.classes[s.label], s.subject) for s in found.samples}


def official(found: Database) -> dict[str, tuple[int, ...] | None]:
    return {s.key: s.official for s in found.samples}


def test_guesses_by_file_name_are_guesses(tmp_path):
    found = open_database("images", touch(tmp_path, "sad/p1_1.png", "glad/p1_2.png"))
    assert found.subjects == GUESSED
    assert told(found) == {"sad/p1_1": ("sad", "p1"), "glad/p1_2": ("glad", "p1")}


def test_folders_of_people_in_folders_of_classes(tmp_path):
    touch(tmp_path, "happy/anna/1.png", "happy/ben/1.png", "sad/anna/2.png", "sad/carl/1.png")
    found = open_database("images", tmp_path)
    assert found.subjects == GUESSED and found.classes == ("happy", "sad")
    assert told(found)["sad/anna/2"] == ("sad", "anna")
    assert any(mentions([note], "<class>/<person>/image", 3) for note in found.notes)


def test_folders_of_classes_in_folders_of_people(tmp_path):
    touch(tmp_path, "anna/happy/1.png", "anna/sad/1.png", "ben/happy/1.png", "carl/sad/1.png")
    found = open_database("images", tmp_path)
    assert found.classes == ("happy", "sad")
    assert told(found)["carl/sad/1"] == ("sad", "carl")


def test_of_other_words_the_level_of_fewer_names_is_the_class(tmp_path):
    touch(tmp_path, "p1/yawn/1.png", "p1/wink/1.png", "p2/yawn/1.png", "p3/wink/1.png")
    assert open_database("images", tmp_path).classes == ("wink", "yawn")
    touch(tmp_path / "two", "p1/yawn/1.png", "p1/wink/1.png", "p2/yawn/1.png", "p2/wink/1.png")
    with pytest.raises(BadUse, match=naming("p1, p2", "wink, yawn", "--subject-pattern")):
        open_database("images", tmp_path / "two")


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("Training", "validation", "TEST"),
        ("train_set", "val_set", "test_set"),
        ("training_set", "dev", "eval"),
        ("train_data", "val-images", "TestFaces"),
        ("Training", "PublicTest", "PrivateTest"),
    ],
)
def test_parts_are_official(tmp_path, names):
    train, valid, test = names
    touch(tmp_path, f"{train}/sad/a_1.png", f"{train}/glad/a_2.png", f"{valid}/sad/b_1.png")
    touch(tmp_path, f"{test}/glad/a_3.png", f"{test}/sad/c_1.png")
    found = open_database("images", tmp_path)
    assert found.classes == ("glad", "sad") and found.folds == 1
    assert official(found) == {
        f"{train}/glad/a_2": (TRAIN,),
        f"{train}/sad/a_1": (TRAIN,),
        f"{valid}/sad/b_1": (VALID,),
        f"{test}/glad/a_3": (TEST,),
        f"{test}/sad/c_1": (TEST,),
    }
    assert found.subjects == UNKNOWN and {s.subject for s in found.samples} == {""}
    guessed = open_database("images", tmp_path, subjects="guessed")
    assert guessed.subjects == GUESSED and told(guessed)[f"{valid}/sad/b_1"][1] == "b"


def test_parts_may_lie_below_the_classes_and_above_people(tmp_path):
    touch(tmp_path / "a", "sad/train/1.png", "sad/test/2.png", "glad/train/3.png")
    found = open_database("images", tmp_path / "a")
    assert found.classes == ("glad", "sad")
    assert official(found)["sad/test/2"] == (TEST,)
    touch(tmp_path / "b", "train/sad/ann/1.png", "train/glad/ann/1.png", "test/sad/ben/1.png")
    found = open_database("images", tmp_path / "b")
    assert told(found)["test/sad/ben/1"] == ("sad", "ben") and found.subjects == GUESSED
    assert official(found)["test/sad/ben/1"] == (TEST,)


def test_what_lies_beside_parts_is_not_mixed_in(tmp_path):
    touch(tmp_path, "train/sad/1.png", "train/glad/1.png", "test/sad/2.png", "extra/sad/3.png")
    touch(tmp_path, "test/glad/2.png")
    found = open_database("images", tmp_path)
    assert len(found.samples) == 4
    assert [reject.source for reject in found.rejects] == ["extra/sad/3.png"]


def test_images_at_another_depth_are_rejected(tmp_path):
    touch(tmp_path, "happy/ann/1.png", "happy/ben/1.png", "sad/ann/1.png", "sad/2.png", "3.png")
    touch(tmp_path, "happy/ben/more/4.png", "happy/notes.txt")
    found = open_database("images", tmp_path)
    assert len(found.samples) == 3
    assert sorted(reject.source for reject in found.rejects) == [
        "3.png",
        "happy/ben/more/4.png",
        "sad/2.png",
    ]
    assert all(mentions(r.reason, "<class>/<person>/image", 2) for r in found.rejects)


def test_without_a_test_part_the_validation_part_is_tested(tmp_path):
    touch(tmp_path, "train/sad/1.png", "train/glad/1.png", "val/sad/2.png", "val/glad/2.png")
    assert Counter(official(open_database("images", tmp_path)).values()) == {
        (TRAIN,): 2,
        (TEST,): 2,
    }


def test_one_part_alone_is_cut_into_folds_and_said(tmp_path):
    touch(tmp_path, "set/train/sad/a_1.png", "set/train/glad/b_1.png", "set/test/sad/c_1.png")
    found = open_database("images", tmp_path / "set" / "train")
    assert set(official(found).values()) == {None}
    assert any(mentions([note], "test") for note in found.notes)
    touch(tmp_path / "one", "train/sad/a_1.png", "train/glad/b_1.png")
    found = open_database("images", tmp_path / "one")
    assert set(official(found).values()) == {None} and found.subjects == GUESSED


@pytest.mark.parametrize(
    ("files", "given", "values"),
    [
        (["set/sad/1.png", "set/glad/1.png"], "", ["set", "glad, sad"]),
        (["set/train/sad/1.png", "set/train/glad/1.png", "set/test/sad/2.png"], "", ["set"]),
        (["sad/1.png", "glad/1.png"], "sad", ["--input takes"]),
        (["sad/p1/1.png", "sad/p2/1.png", "happy/p1/1.png"], "sad", ["'sad'", "happy"]),
        (["train/1.png", "test/2.png"], "", ["test, train"]),
        (["a/b/c/d/1.png", "e/b/c/d/1.png"], "", ["--subject-pattern", 4]),
        (["fold0/sad/1.png", "fold1/sad/1.png"], "", ["fold0, fold1", "column fold"]),
        (["ann/0_sad.png", "ann/1_happy.png", "ben/0_sad.png"], "", ["ann, ben", "happy|sad"]),
    ],
)
def test_a_level_too_high_or_too_low_is_named(tmp_path, files, given, values):
    touch(tmp_path, *files)
    with pytest.raises(BadUse, match=naming(*values)):
        open_database("images", tmp_path / given)


RAFD = (
    "Rafd000_01_Caucasian_female_angry_frontal.jpg",
    "Rafd090_01_Caucasian_female_happy_left.jpg",
    "Rafd090_02_Caucasian_male_happy_left.jpg",
    "cover.jpg",
)


def test_a_pattern_tells_people_labels_and_angles(tmp_path):
    touch(tmp_path, *RAFD)
    pattern = r"Rafd(?P<yaw>\d+)_(?P<subject>\d+)_[A-Za-z]+_[a-z]+_(?P<label>[a-z]+)_"
    found = open_database("images", tmp_path, subject_pattern=pattern)
    assert found.subjects == KNOWN and found.classes == ("angry", "happy")
    assert [(s.subject, s.label, s.yaw) for s in found.samples] == [
        ("01", 0, 0.0),
        ("01", 1, 90.0),
        ("02", 1, 90.0),
    ]
    assert [reject.source for reject in found.rejects] == ["cover.jpg"]


def test_a_pattern_reads_the_path_and_may_leave_the_class_to_the_folder(tmp_path):
    touch(tmp_path, "sad/s1-003.png", "glad/s1-004.png", "glad/s2-010.png")
    found = open_database("images", tmp_path, subject_pattern=r"/(?P<subject>s\d)-(?P<frame>\d+)")
    assert told(found)["glad/s2-010"] == ("glad", "s2")
    assert {s.key: s.frame for s in found.samples}["glad/s1-004"] == 4


def test_a_pattern_tells_parts(tmp_path):
    touch(
        tmp_path, "sad/tr_train_1.png", "glad/x_test_2.png", "sad/x_test_3.png", "sad/x_dvd_4.png"
    )
    found = open_database("images", tmp_path, subject_pattern=r"_(?P<part>[a-z]+)_")
    assert official(found) == {
        "glad/x_test_2": (TEST,),
        "sad/tr_train_1": (TRAIN,),
        "sad/x_test_3": (TEST,),
    }
    assert found.subjects == UNKNOWN
    assert [reject.key for reject in found.rejects] == ["sad/x_dvd_4"]


def test_an_optional_subject_that_is_missing_is_unknown(tmp_path):
    touch(tmp_path, "sad/p1-1.png", "glad/2.png")
    found = open_database("images", tmp_path, subject_pattern=r"/((?P<subject>p\d)-)?\d")
    assert told(found) == {"sad/p1-1": ("sad", "p1"), "glad/2": ("glad", "")}
    assert found.subjects == UNKNOWN


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("(", "regular"),
        ("p[0-9]", "named"),
        ("(?P<person>p)", "'person'"),
        ("(?P<subject>Q)", 2),
        (r"(?P<subject>p)(?P<part>\d)", "its part"),
    ],
)
def test_a_pattern_that_cannot_be_used(tmp_path, pattern, value):
    touch(tmp_path, "sad/p1.png", "glad/p2.png")
    with pytest.raises(BadUse, match=naming("--subject-pattern", value)):
        open_database("images", tmp_path, subject_pattern=pattern)


@pytest.mark.parametrize(
    "pattern", ["^(?P<subject>[^/]+)/", "_(?P<subject>[a-z]+)", "/(?P<subject>(?P<label>[a-z]))"]
)
def test_a_pattern_whose_subjects_are_classes_is_refused(tmp_path, pattern):
    touch(tmp_path, "yawn/a_happy.png", "wink/b_sad.png", "wink/a_sad.png")
    with pytest.raises(BadUse, match=naming("--subject-pattern", "classes")):
        open_database("images", tmp_path, subject_pattern=pattern)


def test_people_and_classes_may_have_the_same_numbers(tmp_path):
    touch(tmp_path, "1/1_a.png", "1/2_a.png", "2/1_a.png", "2/2_a.png")
    found = open_database("images", tmp_path, subject_pattern=r"/(?P<subject>\d)_")
    assert told(found)["1/2_a"] == ("1", "2")


def test_subjects_that_nobody_knows(tmp_path):
    touch(tmp_path, "sad/p1.png", "glad/p2.png")
    found = open_database("images", tmp_path, subjects="unknown")
    assert found.subjects == UNKNOWN and {s.subject for s in found.samples} == {""}
    with pytest.raises(BadUse, match=naming("--subjects", "--subject-pattern")):
        open_database("images", tmp_path, subjects="unknown", subject_pattern="(?P<subject>p)")


def test_names_of_one_expression_are_one_class(tmp_path):
    touch(tmp_path, "happy/a.png", "Happiness/b.png", "sad/c.png", "e\u0301tonne/d.png")
    touch(tmp_path, "\u00e9tonne/e.png", "Bored_/f.png", "bored/g.png")
    found = open_database("images", tmp_path)
    assert len(found.classes) == 4
    assert {"happiness", "sad", "\u00e9tonne"} < set(found.classes)
    names = {key: name for key, (name, _) in told(found).items()}
    assert names["happy/a"] == names["Happiness/b"] == "happiness"
    assert any(mentions([note], "'Happiness', 'happy'", "'happiness'") for note in found.notes)


def test_a_name_that_stands_alone_stays(tmp_path):
    touch(tmp_path, "happy/a.png", "Sad/b.png", "surprised/c.png")
    found = open_database("images", tmp_path)
    assert found.classes == ("Sad", "happy", "surprised") and not [
        note for note in found.notes if "one class" in note
    ]


@pytest.mark.parametrize(
    "others",
    [("Anna", "anna"), ("Zo\u00eb", "Zoe\u0308"), ("01", "1"), ("anna b", "Anna-B")],
)
def test_a_name_written_in_two_ways_is_one_person(tmp_path, others):
    for place in ("{}_1", "{}/1"):
        root = tmp_path / str("/" in place)
        for label, who in zip(("sad", "glad"), others, strict=True):
            touch(root, *(f"{label}/{place.format(name)}.png" for name in (who, "p2")))
        found = open_database("images", root)
        assert len({s.subject for s in found.samples}) == 2
        assert any(mentions([note], *map(repr, others)) for note in found.notes)


def test_names_of_which_nothing_is_left_are_not_unknown(tmp_path):
    found = open_database("images", touch(tmp_path, "sad/_/1.png", "glad/-/1.png", "glad/p/1.png"))
    assert {s.subject for s in found.samples} == {"_", "-", "p"}


def test_links_may_lead_where_it_is_allowed(tmp_path):
    touch(tmp_path, "store/1.png", "store/more/2.png", "other/3.png", "in/sad/p_1.png")
    touch(tmp_path, "in/glad/q_1.png")
    (tmp_path / "in" / "sad" / "r_1.png").symlink_to(tmp_path / "store" / "1.png")
    (tmp_path / "in" / "glad" / "s_1.png").symlink_to(tmp_path / "other" / "3.png")
    (tmp_path / "in" / "fear").symlink_to(tmp_path / "store" / "more")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "fear").symlink_to(tmp_path / "store")
    found = open_database("images", tmp_path / "in")
    assert len(found.samples) == 2 and mentions(found.rejects[0].reason, "--allow")
    found = open_database("images", tmp_path / "in", allow=[tmp_path / "store"])
    assert list(told(found)) == ["fear/2", "glad/q_1", "sad/p_1", "sad/r_1"]
    assert [reject.source for reject in found.rejects] == ["glad/s_1.png"]
    with pytest.raises(BadUse, match="--allow"):
        open_database("images", linked)
    with pytest.raises(BadUse, match=naming("--allow", "nowhere")):
        open_database("images", tmp_path / "in", allow=[tmp_path / "nowhere"])


def test_a_link_round_in_a_circle_ends(tmp_path):
    touch(tmp_path, "sad/1.png", "glad/2.png")
    (tmp_path / "sad" / "again").symlink_to(tmp_path)
    (tmp_path / "up").symlink_to(tmp_path)
    assert list(told(open_database("images", tmp_path))) == ["glad/2", "sad/1"]


@pytest.mark.parametrize(("name", "what"), [("a.zip", "unpack"), ("b.XLSX", "CSV"), ("c", "c is")])
def test_a_file_in_place_of_a_folder_is_named(tmp_path, name, what):
    with pytest.raises(BadUse, match=naming(name, what)):
        open_database("images", touch(tmp_path, name) / name)


def test_all_pairs_of_one_name_are_listed(tmp_path):
    touch(tmp_path, "sad/1.png", "sad/1.jpg", "glad/2.png", "glad/2.bmp", "glad/3.png")
    with pytest.raises(BadUse, match=naming(2, "sad/1.jpg", "sad/1.png", "glad/2.bmp", "'glad/2'")):
        open_database("images", tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "own_data.json"])
def test_an_earlier_output_is_no_person(tmp_path, name):
    touch(tmp_path, "anna/sad/1.png", "anna/glad/1.png", "ben/sad/1.png", "ben/glad/1.png")
    touch(tmp_path, f"mine/{name}", "mine/report/1.png", "mine/photograph/2.png")
    found = open_database("images", tmp_path)
    assert len(found.samples) == 4 and found.classes == ("glad", "sad") and not found.rejects
    assert any(mentions([note], "mine") for note in found.notes)


def test_the_clients_annotated_copies_are_no_images(tmp_path):
    touch(tmp_path, "sad/p1_1.png", "sad/p1_1.annotated.png", "glad/p2_1.png")
    found = open_database("images", tmp_path)
    assert list(told(found)) == ["glad/p2_1", "sad/p1_1"]
    assert mentions(" ".join(found.notes), "p1_1.annotated.png")
