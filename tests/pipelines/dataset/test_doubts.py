"""Doubts about guessed subjects: what is no person is named, people are not."""

from __future__ import annotations

import pytest

from pipelines.dataset.doubts import doubt, reasons
from tests.support.inspection import mentions

CLASSES = ("anger", "fear", "happiness")


def images(names, each: int, classes=CLASSES) -> tuple[list[str], list[str]]:
    """The subject and the class of every image: `each` a name and class."""
    rows = [(name, label) for name in names for label in classes for _ in range(each)]
    return [name for name, _ in rows], [label for _, label in rows]


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (("Training", "PublicTest", "PrivateTest"), "PublicTest"),
        (("train", "val", "test"), "val"),
        (("test1", "test2", "anna"), "test1"),
        (("fer_train", "fer_test"), "fer_train"),
        (("myTrain", "myTest"), "myTest"),
        (("20230131", "20230201"), "20230131"),
        (("2023-01-31", "anna"), "2023-01-31"),
        (("000", "045", "090", "135", "180"), "045"),
        (("Rafd090", "Rafd045"), "Rafd045"),
        (("angry", "sad"), "angry"),
        (("ANGER", "Fear"), "Fear"),
        (("joy", "rage", "grin"), "joy"),
        (("im1", "im2", "im3", "im10"), "im10"),
        (("IMG", "anna"), "IMG"),
        (("DSC0042", "DSC0043"), "DSC0042"),
        (("fold0", "fold1", "fold2", "fold3", "fold4"), "fold3"),
        (("male", "female"), "female"),
        (("anna-0", "anna-1", "ben-0", "ben-1"), "ben-1"),
        (("anna 1", "anna (2)", "ben 1", "ben (2)"), "anna (2)"),
    ],
)
def test_what_is_no_person_is_named(names, named):
    classes = names if "joy" in names else CLASSES
    assert mentions(doubt(*images(names, 2, classes)), named, "--subject-pattern", "--subjects")


def test_few_people_with_many_images_each_are_doubted():
    assert mentions(reasons(*images(("a", "b", "c"), 40)), 3, 120)
    assert reasons(*images(("a", "b", "c"), 10)) == []
    assert reasons(*images([f"a{i}" for i in range(8)], 20)) == []


def test_the_same_few_names_in_every_class_are_doubted():
    names = [f"x{i}" for i in range(1, 8)]
    assert mentions(reasons(*images(names, 30)), 7, 30)
    # Each of many people shows every expression: that is how a database is made.
    assert reasons(*images([f"p{i}" for i in range(40)], 30)) == []


def test_one_image_a_person_throughout_is_doubted():
    subjects, classes = [f"a{i}" for i in range(12)], list(CLASSES) * 4
    assert len(reasons(subjects, classes)) == 1
    assert reasons([*subjects, "a0"], [*classes, "fear"]) == []


@pytest.mark.parametrize(
    "names",
    [
        [f"p{i:03d}" for i in range(60)],
        [f"{i:03d}" for i in range(1, 41)],
        [f"S{i:03d}" for i in (5, 10, 11, 22, 45, 90)],
        ["KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM"],
        ["anna", "bert", "carla", "joy"],
        ["valerie", "trainor", "testa", "kim", "lee"],
        ["p000", "p001"],
        ["subject-1", "subject-2", "subject-3"],
        ["S1-1", "S1-2", "S2-1", "S2-2"],
        ["anna-1", "ben-2", "carla-3"],
        ["20231301", "19991299", "2023013", "12345678"],
        ["imke", "faye", "pictor", "male01", "girlie"],
    ],
)
def test_people_are_not_doubted(names):
    assert doubt(*images(names, 2)) == ""


def test_no_image_gives_no_doubt():
    assert doubt([], []) == ""
