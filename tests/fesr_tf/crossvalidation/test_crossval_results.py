"""What a cross-validation found, worked out by hand: the table, poses, the correction."""

from __future__ import annotations

import re

import pytest

from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.metrics import comparison


def made_up(fold: int, right: str, turn: float = 0.0) -> dict:
    """An evaluation of two people, two pictures each, of class 0; `right` as in "1101"."""
    rows = [
        {"key": f"{fold}/{i}", "subject": f"p{fold}{i // 2}", "yaw": turn * i, "label": 0,
         "prediction": 1 - int(digit)}
        for i, digit in enumerate(right)
    ]  # fmt: skip
    return {"predictions": rows}


def test_the_table_by_hand():
    """BASELINE 2 and 3 of 4, FESR_JL 4 of 4 in fold 0 and nothing of fold 1, of three folds."""
    given = {
        "BASELINE": results.answers(
            {Unit("BASELINE", 0, 0): made_up(0, "1010"), Unit("BASELINE", 1, 0): made_up(1, "1110")}
        ),
        "FESR_JL": results.answers({Unit("FESR_JL", 0, 0): made_up(0, "1111")}),
    }
    result = {
        "database": "demo",
        "data_digest": "0123456789abcdef",
        "checkpoint": "last",
        "folds": 3,
        "baseline": "BASELINE",
        "asked": {"seeds": [0], "folds": [0, 1]},
        "runs": [
            {"variant": "BASELINE", "fold": 0, "status": "done"},
            {"variant": "BASELINE", "fold": 1, "status": "done"},
            {"variant": "FESR_JL", "fold": 0, "status": "done"},
            {"variant": "FESR_JL", "fold": 1, "status": "failed"},
        ],
        "summaries": [
            results.summary(name, each, ["a", "b"], 3, 1) for name, each in given.items()
        ],
        "comparisons": results.compare("BASELINE", given),
    }
    lines = [line.split() for line in results.table(result).splitlines()]
    # A row's name and its numbers, none of them in a word.
    numbers = [
        line[:1] + [w for w in line[1:] if re.fullmatch(r"[-+]?[\d.]+", w)] for line in lines
    ]
    # sd of 50 and 75: 25 / sqrt(2) = 17.7. Wilson of 5 of 8: 30.6 to 86.3.
    assert ["BASELINE", "50.0", "75.0", "62.5", "17.7", "62.5", "8", "30.6", "86.3", "2", "3"] in (
        numbers
    )
    assert ["FESR_JL", "100.0", "100.0", "100.0", "4", "51.0", "100.0", "1", "3"] in numbers
    (second,) = (line for line in lines if line[:2] == ["FESR_JL", "100.0"])
    assert "failed" in second
    # On fold 0 alone: +50 for both people; 2 : 0 is p 0.5; one fold has no test.
    assert ["FESR_JL", "+50.0", "+50.0", "+50.0", "0.5", "2", "0", "1", "3"] in numbers


def test_poses_are_listed_where_there_are_several():
    one = results.answers({Unit("V", 0, 0): made_up(0, "1010", turn=15.0)})
    found = results.summary("V", one, ["a", "b"], 2, 1)
    assert {yaw: each["accuracy"] for yaw, each in found["per_pose"].items()} == {
        "0": 1.0, "15": 0.0, "30": 1.0, "45": 0.0}  # fmt: skip
    frontal = results.answers({Unit("V", 0, 0): made_up(0, "1010")})
    assert results.summary("V", frontal, ["a", "b"], 2, 1)["per_pose"] == {}


def test_holm_is_over_the_family():
    """Three variants, each 6 to 0 (p 1/32): times three, all of them."""
    one = {name: results.answers({Unit(name, 0, 0): made_up(0, digits * 6)})
           for name, digits in (("A", "0"), ("B", "1"), ("C", "1"), ("D", "1"))}  # fmt: skip
    found = results.compare("A", one)
    assert [each["p_pictures"] for each in found] == [pytest.approx(1 / 32)] * 3
    assert [each["p_pictures_holm"] for each in found] == [pytest.approx(3 / 32)] * 3


def test_images_of_unknown_subjects_are_resampled_one_by_one():
    named = made_up(0, "1010")
    unnamed = {"predictions": [row | {"subject": ""} for row in named["predictions"]]}
    better = {"predictions": [row | {"prediction": 0} for row in unnamed["predictions"]]}
    given = {
        name: results.answers({Unit(name, 0, 0): evaluation})
        for name, evaluation in (("BASELINE", unnamed), ("FESR_JL", better))
    }
    found = results.summary("BASELINE", given["BASELINE"], ["a", "b"], 1, 1)
    assert (found["people"], found["unknown_subjects"]) == (0, 4)
    (pair,) = results.compare("BASELINE", given)
    # The differences 0, 1, 0, 1 of four units; two people would have +50 each, and no width.
    assert pair["interval"] == pytest.approx([0.0, 1.0])
    assert (pair["people"], pair["unknown_subjects"]) == (0, 4)
    assert "people" not in comparison.over(pair)
    assert comparison.over({"people": 4}) == "people"


def test_several_seeds_have_an_interval_of_their_own():
    """FESR_JL gains 1 and 0 of 4 images with two seeds: +12.5, and 12.5 +- 12.706 x 12.5."""
    given = {
        name: results.answers(
            {Unit(name, 0, seed): made_up(0, right) for seed, right in enumerate(rights)}
        )
        for name, rights in (("BASELINE", ("1100", "1100")), ("FESR_JL", ("1110", "1100")))
    }
    result = {
        "database": "demo",
        "data_digest": "0123456789abcdef",
        "checkpoint": "last",
        "folds": 1,
        "baseline": "BASELINE",
        "asked": {"seeds": [0, 1], "folds": [0]},
        "runs": [],
        "summaries": [
            results.summary(name, each, ["a", "b"], 1, 2) for name, each in given.items()
        ],
        "comparisons": results.compare("BASELINE", given),
    }
    row = results.table(result).splitlines()[-1].split()
    assert row[:2] == ["FESR_JL", "+12.5"] and row[5:8] == ["-146.3", "to", "+171.3"]
    assert row[-3:] == ["2", "of", "2"]
