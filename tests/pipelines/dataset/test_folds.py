"""Folds: whole people, by hand-worked assignments."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.databases.base import Database, Sample
from pipelines.dataset import folds


def database(subjects: int, **fields) -> Database:
    """For each subject an onset frame (train), a peak (train and test) and a test-only frame."""
    roles = [(True, False), (True, True), (False, True)]
    samples = [
        Sample(f"c/s{s:02d}_{i}", i % 2, f"s{s:02d}", path="x", train=train, test=test, **fields)
        for s in range(subjects)
        for i, (train, test) in enumerate(roles)
    ]
    return Database("images", ("a", "b"), samples, channels=3, root=Path("data"))


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
    with pytest.raises(BadUse, match=r"--(folds|valid-share)"):
        folds.divide(database(4), count, share)


def test_a_person_on_both_sides_is_noticed():
    made = database(2)
    splits = {sample.key: (TRAIN,) for sample in made.samples}
    splits["c/s01_1"] = (TEST,)
    with pytest.raises(FailedWork, match=r"\bs01\b.*\b0\b"):
        folds.refuse_crossing(made.samples, splits)


def test_crossing_is_found_from_pairs_in_any_order():
    roles = [("b", (TRAIN, TEST)), ("a", (TRAIN, VALID)), ("b", (TRAIN, TRAIN)), ("a", (3, 0))]
    assert folds.crossing(roles) == folds.crossing(roles[::-1]) == [("a", 0), ("b", 1)]


def test_names_that_hardly_differ_are_grouped():
    # The last two are é as one character and as e with an accent.
    names = ["Anna", "anna ", "ANNA", "Bert", "ben", "Ren\u00e9", "Rene\u0301"]
    assert folds.lookalikes(names) == [["ANNA", "Anna", "anna "], ["Rene\u0301", "Ren\u00e9"]]


def test_a_division_knows_how_it_was_cut():
    assert (folds.divide(database(5)).rule, folds.divide(database(5)).valid_share) == ("step", 0.1)
    assert folds.divide(database(5), 2, 0, "contiguous").rule == "contiguous"
    official = folds.divide(database(2, official=(TRAIN, TEST)))
    assert (official.rule, official.valid_share) == ("official", 0)


def test_the_users_folds_are_kept():
    made = database(4)
    given = [Sample(**{**vars(s), "fold": int(s.subject[1:]) // 2}) for s in made.samples]
    division = folds.divide(Database(**{**vars(made), "samples": given}), valid_share=0)
    assert [division.home[f"c/s{s:02d}_1"] for s in range(4)] == [0, 0, 1, 1]
    assert division.rule == "given"
    assert division.splits["c/s00_1"] == (TEST, TRAIN)


def test_a_person_in_two_user_folds_is_refused():
    made = database(2)
    given = [Sample(**{**vars(s), "fold": i % 2}) for i, s in enumerate(made.samples)]
    with pytest.raises(BadUse, match=r"\bs00\b.*\b0\b.*\b1\b"):
        folds.divide(Database(**{**vars(made), "samples": given}))


@pytest.mark.parametrize(("numbers", "missing"), [((1, 2), 0), ((0, 999_999_999), 1)])
def test_user_folds_with_a_gap_are_refused(numbers, missing):
    made = database(2)
    given = [Sample(**{**vars(s), "fold": numbers[int(s.subject[1:])]}) for s in made.samples]
    with pytest.raises(BadUse, match=rf"\b{missing}\b.*\b{max(numbers)}\b"):
        folds.divide(Database(**{**vars(made), "samples": given}))


def test_official_folds_pass_through():
    made = database(2, official=(TRAIN, TEST, VALID))
    division = folds.divide(made)
    assert division.splits["c/s00_0"] == (TRAIN, TEST, VALID)
    assert set(division.home.values()) == {1}
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
