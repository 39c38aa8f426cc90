"""Folds: whole people, by hand-worked assignments."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.databases.base import GUESSED, UNKNOWN, Database, Sample
from pipelines.dataset import fold_checks, folds


def database(subjects: int, **fields) -> Database:
    """For each subject an onset frame (train), a peak (train and test) and a test-only frame."""
    roles = [(True, False), (True, True), (False, True)]
    samples = [
        Sample(f"c/s{s:02d}_{i}", i % 2, f"s{s:02d}", path="x", train=train, test=test, **fields)
        for s in range(subjects)
        for i, (train, test) in enumerate(roles)
    ]
    return Database("images", ("a", "b"), samples, channels=3, root=Path("data"))


def unnamed(by_class: dict[str, int], **fields) -> Database:
    """Images of unknown subjects: so many of each class."""
    samples = [
        Sample(f"{name}/{i:03d}", label, "", path="x", **fields)
        for label, (name, count) in enumerate(by_class.items())
        for i in range(count)
    ]
    made = Database("images", tuple(by_class), samples, channels=3, root=Path("data"))
    return dataclasses.replace(made, subjects=UNKNOWN)


def roles_of(division: folds.Division, fold: int) -> Counter:
    return Counter(splits[fold] for splits in division.splits.values())


def test_test_fold_is_index_modulo_k():
    division = folds.divide(database(5), 2, valid_share=0)
    assert [division.home[f"c/s{s:02d}_1"] for s in range(5)] == [0, 1, 0, 1, 0]
    assert division.splits["c/s00_1"] == (TEST, TRAIN)
    assert division.splits["c/s03_1"] == (TRAIN, TEST)
    assert division.subject_independent


def test_frames_keep_to_their_roles():
    division = folds.divide(database(4), 2, valid_share=0)
    assert division.splits["c/s00_0"] == (UNUSED, TRAIN)
    assert division.splits["c/s00_2"] == (TEST, UNUSED)


def test_validation_is_whole_people_from_the_training_part():
    made = database(20)
    division = folds.divide(made, 4, valid_share=0.2)
    for fold in range(4):
        roles = {}
        for sample in made.samples:
            roles.setdefault(sample.subject, set()).add(division.splits[sample.key][fold])
        validating = [subject for subject, found in roles.items() if VALID in found]
        assert len(validating) == 3  # a fifth of the fold's 15 training people
        assert all(roles[subject] == {VALID, UNUSED} for subject in validating)
        assert sum(TEST in found for found in roles.values()) == 5


def test_frames_that_only_train_are_idle_where_their_person_validates():
    made = database(20)
    # Of 15 people who train in a fold, 3 validate it, with an onset frame each.
    assert fold_checks.idle_training(made.samples, folds.divide(made, 4, 0.2).splits) == [3] * 4
    assert fold_checks.idle_training(made.samples, folds.divide(made, 4, 0).splits) == [0] * 4


def test_folds_validate_on_different_people():
    names = [f"s{s:02d}" for s in range(30)]
    chosen = [frozenset(folds.validation_subjects(names, 0.1, fold)) for fold in range(5)]
    assert len(set(chosen)) > 1
    assert chosen == [frozenset(folds.validation_subjects(names, 0.1, f)) for f in range(5)]


@pytest.mark.parametrize(
    ("people", "share", "expected"),
    [(2, 0.5, 0), (3, 0.1, 1), (30, 0.1, 3), (30, 0.0, 0), (4, 0.99, 3)],
)
def test_how_many_validate(people, share, expected):
    names = [str(number) for number in range(people)]
    assert len(folds.validation_subjects(names, share, 0)) == expected


def test_counts_add_up():
    made = database(10)
    division = folds.divide(made, 5)
    # Two people tested on two frames each; one of eight validates, on two; seven train on two.
    for fold in range(5):
        counts = Counter(roles[fold] for roles in division.splits.values())
        assert (counts[TRAIN], counts[VALID], counts[TEST]) == (14, 2, 4)


def test_customary_number_shrinks_to_the_people_there_are():
    assert folds.divide(database(3)).folds == 3
    assert folds.divide(database(30)).folds == 5


def test_more_folds_than_people_names_the_number():
    with pytest.raises(BadUse, match=r"--folds.*\b4\b"):
        folds.divide(database(4), 5)


def test_one_person_cannot_be_divided():
    with pytest.raises(BadUse, match=r"\bs00\b"):
        folds.divide(database(1))


@pytest.mark.parametrize(("count", "share"), [(1, 0.1), (0, 0.1), (2, -0.1), (2, 1.0)])
def test_senseless_numbers_are_refused(count, share):
    with pytest.raises(BadUse, match=r"--folds|--valid-share (1|-0.1) .*0 ≤ share < 1"):
        folds.divide(database(4), count, share)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"official": (TRAIN,)}, "12 train, 0 valid, 0 test.*test part"),
        ({"official": (TEST,)}, "0 train, 0 valid, 12 test.*train part"),
        ({"train": False}, "0 train, 0 valid, 3 test.*role train"),
    ],
)
def test_a_division_that_nothing_can_be_trained_on_or_tested_on_is_refused(fields, named):
    made = database(4)
    samples = [dataclasses.replace(each, **{"test": True, **fields}) for each in made.samples]
    with pytest.raises(BadUse, match=named):
        folds.divide(dataclasses.replace(made, samples=samples), valid_share=0)


def test_a_person_on_both_sides_is_noticed():
    made = database(2)
    splits = {sample.key: (TRAIN,) for sample in made.samples}
    splits["c/s01_1"] = (TEST,)
    with pytest.raises(FailedWork, match=r"\bs01\b.*\b0\b"):
        fold_checks.refuse_crossing(made.samples, splits)


def test_crossing_is_found_from_pairs_in_any_order():
    roles = [("b", (TRAIN, TEST)), ("a", (TRAIN, VALID)), ("b", (TRAIN, TRAIN)), ("a", (3, 0))]
    assert fold_checks.crossing(roles) == fold_checks.crossing(roles[::-1]) == [("a", 0), ("b", 1)]


def test_names_that_hardly_differ_are_grouped():
    # The last two are é as one character and as e with an accent.
    names = ["Anna", "anna ", "ANNA", "Bert", "ben", "Ren\u00e9", "Rene\u0301"]
    assert fold_checks.lookalikes(names) == [["ANNA", "Anna", "anna "], ["Rene\u0301", "Ren\u00e9"]]


def test_numbers_of_two_forms_are_grouped():
    assert fold_checks.lookalikes(["0", "0.0", "1", "01", "10", "1a"]) == [
        ["0", "0.0"],
        ["01", "1"],
    ]


def test_a_division_knows_how_it_was_cut():
    assert folds.divide(database(5)).rule == "step"
    assert folds.divide(database(5), 2, 0, "contiguous").rule == "contiguous"
    made = database(2, official=(TRAIN, TEST))
    made.samples[0] = dataclasses.replace(made.samples[0], official=(TEST, TRAIN))
    official = folds.divide(made)
    assert (official.rule, official.valid_share) == ("official", 0)


def test_the_users_folds_are_kept():
    made = database(4)
    given = [dataclasses.replace(s, fold=int(s.subject[1:]) // 2) for s in made.samples]
    division = folds.divide(Database(**{**vars(made), "samples": given}), valid_share=0)
    assert [division.home[f"c/s{s:02d}_1"] for s in range(4)] == [0, 0, 1, 1]
    assert division.rule == "given"
    assert division.splits["c/s00_1"] == (TEST, TRAIN)


def test_a_person_in_two_user_folds_is_refused():
    made = database(2)
    given = [dataclasses.replace(s, fold=i % 2) for i, s in enumerate(made.samples)]
    with pytest.raises(BadUse, match=r"\bs00\b.*\b0\b.*\b1\b"):
        folds.divide(Database(**{**vars(made), "samples": given}))


@pytest.mark.parametrize(("numbers", "missing"), [((1, 2), 0), ((0, 999_999_999), 1)])
def test_user_folds_with_a_gap_are_refused(numbers, missing):
    made = database(2)
    given = [dataclasses.replace(s, fold=numbers[int(s.subject[1:])]) for s in made.samples]
    with pytest.raises(BadUse, match=rf"\b{missing}\b.*\b{max(numbers)}\b"):
        folds.divide(Database(**{**vars(made), "samples": given}))


def test_official_folds_pass_through():
    made = database(2, official=(TRAIN, TEST, VALID))
    made.samples[1] = dataclasses.replace(made.samples[1], official=(TEST, TRAIN, VALID))
    division = folds.divide(made)
    assert division.splits["c/s00_0"] == (TRAIN, TEST, VALID)
    assert Counter(division.home.values()) == {0: 1, 1: 5}
    assert not division.subject_independent
    with pytest.raises(BadUse, match=r"\b3\b.*--folds 5\b"):
        folds.divide(made, 5)


def test_contiguous_folds_are_runs_of_neighbours():
    # ExprGAN's published split of Oulu-CASIA: the last of ten parts tests subjects 73 to 80.
    home = folds.divide(database(80), 10, valid_share=0, rule="contiguous").home
    assert [s + 1 for s in range(80) if home[f"c/s{s:02d}_1"] == 9] == list(range(73, 81))


def test_contiguous_folds_differ_in_size_by_one_at_most():
    home = folds.divide(database(7), 3, valid_share=0, rule="contiguous").home
    assert [home[f"c/s{s:02d}_1"] for s in range(7)] == [0, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(("name", "share"), [("demo", 0.1), ("images", 0.1), ("oulu_casia", 0)])
def test_the_papers_databases_have_no_validation_part_unless_it_is_requested(name, share):
    made = dataclasses.replace(database(20), name=name)
    assert folds.divide(made).valid_share == share
    assert roles_of(folds.divide(made), 0)[VALID] == (4 if share else 0)
    assert roles_of(folds.divide(made, valid_share=0.25), 0)[VALID] == 8


def test_unknown_subjects_are_divided_by_image_within_each_class():
    made = unnamed({"a": 20, "b": 10, "c": 5})
    division = folds.divide(made, 5, valid_share=0)
    assert (division.rule, division.subjects) == ("image", "unknown")
    assert not division.subject_independent
    for fold in range(5):
        tested = Counter(key[0] for key, splits in division.splits.items() if splits[fold] == TEST)
        assert tested == {"a": 4, "b": 2, "c": 1}
        assert roles_of(division, fold)[TRAIN] == 28


def test_images_of_unknown_subjects_validate_class_by_class():
    division = folds.divide(unnamed({"a": 40, "b": 20}), 2, valid_share=0.2)
    for fold in range(2):
        valid = Counter(key[0] for key, splits in division.splits.items() if splits[fold] == VALID)
        assert valid == {"a": 4, "b": 2}


def test_the_order_of_the_files_does_not_decide_the_fold():
    division = folds.divide(unnamed({"a": 30, "b": 30}), 2, valid_share=0)
    assert [division.home[f"a/{i:03d}"] for i in range(30)] != [i % 2 for i in range(30)]
    again = folds.divide(unnamed({"a": 30, "b": 30}), 2, valid_share=0)
    assert again.home == division.home


def test_more_folds_than_images_names_their_number():
    with pytest.raises(BadUse, match=r"--folds.*\b4\b"):
        folds.divide(unnamed({"a": 2, "b": 2}), 5)


def test_an_image_without_a_subject_stands_alone_among_known_people():
    made = database(4)
    stray = [Sample(f"c/x{i}", i % 2, "", path="x") for i in range(3)]
    mixed = dataclasses.replace(made, samples=[*made.samples, *stray])
    division = folds.divide(mixed, 2, valid_share=0)
    # The people lie as without the strays; those are spread over the folds.
    assert [division.home[f"c/s{s:02d}_1"] for s in range(4)] == [0, 1, 0, 1]
    assert sorted(division.home[f"c/x{i}"] for i in range(3)) == [0, 0, 1]
    assert (division.subjects, division.subject_independent) == ("unknown", False)
    assert division.rule == "step"


def test_unknown_subjects_are_no_person_on_two_sides():
    assert fold_checks.crossing([("", (TRAIN,)), ("", (TEST,)), ("a", (TRAIN,))]) == []
    assert fold_checks.lookalikes(["", " "]) == []


def test_people_whose_images_only_train_train_in_every_fold():
    made = database(6)
    samples = [
        dataclasses.replace(s, train=True, test=False) if s.subject < "s02" else s
        for s in made.samples
    ]
    division = folds.divide(dataclasses.replace(made, samples=samples), 2, valid_share=0.5)
    for name in ("c/s00_0", "c/s00_1", "c/s01_2"):
        assert division.splits[name] == (TRAIN, TRAIN)
    # Two of the four others are tested in each fold.
    assert [division.home[f"c/s{s:02d}_1"] for s in range(2, 6)] == [0, 1, 0, 1]


def test_one_official_division_is_one_fold():
    parts = {"a/000": (TRAIN,), "a/001": (TEST,), "b/000": (TRAIN,), "b/001": (VALID,)}
    made = unnamed({"a": 2, "b": 2})
    samples = [dataclasses.replace(s, official=parts[s.key]) for s in made.samples]
    division = folds.divide(dataclasses.replace(made, samples=samples))
    assert (division.folds, division.rule, division.valid_share) == (1, "official", 0)
    assert division.splits == parts and set(division.home.values()) == {0}
    assert not division.subject_independent


@pytest.mark.parametrize(("crosses", "independent"), [(False, True), (True, False)])
def test_an_official_division_of_known_people_promises_what_it_keeps(crosses, independent):
    made = database(4)
    samples = [
        dataclasses.replace(s, official=((TRAIN if s.subject < "s02" else TEST),))
        for s in made.samples
    ]
    if crosses:
        samples[0] = dataclasses.replace(samples[0], official=(TEST,))
    found = folds.divide(dataclasses.replace(made, samples=samples, subjects=GUESSED))
    assert (found.subject_independent, found.subjects) == (independent, "guessed")


def test_official_parts_cannot_be_changed():
    made = database(2, official=(TRAIN,))
    for options in ({"folds": 5}, {"valid_share": 0.1}):
        with pytest.raises(BadUse):
            folds.divide(made, **options)
    samples = [dataclasses.replace(made.samples[0], official=None), *made.samples[1:]]
    with pytest.raises(BadUse, match=r"\bx\b"):
        folds.divide(dataclasses.replace(made, samples=samples))
