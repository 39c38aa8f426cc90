"""The last words on one's own faces: what an accuracy, and a comparison, is worth."""

from __future__ import annotations

import pytest
from found_people import known, summary

from fesr_tf.own_data import summary as own_data_ending


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.4, 0.9), "the interval holds the 50.0% of always answering 'a': that it recognises"),
        ((0.6, 0.9), "more than always answering 'a' (50.0%)"),
        ((0.1, 0.4), "less than always answering 'a' (50.0%)"),
    ],
)
def test_an_accuracy_is_held_against_guessing(interval, said):
    text = own_data_ending.of_accuracy(summary("V", 6, interval), known(0, 1))
    assert text.startswith("V: 75.0% (6 of 8 test pictures of 4 people, 95 % interval")
    assert said in text


@pytest.mark.parametrize(
    ("interval", "p", "said"),
    [
        ([0.05, 0.3], 0.03, "the two can be told apart"),
        ([-0.3, -0.05], 0.05, "the two can be told apart"),
        ([0.05, 0.3], 0.06, "the two cannot be told apart"),
        ([0.0, 0.3], 0.03, "the two cannot be told apart"),
    ],
)
def test_two_variants_are_told_apart_where_both_tests_do(interval, p, said):
    found = {"variant": "V", "baseline": "B", "difference": 0.1, "interval": interval,
             "mcnemar": [{"only_first": 1, "only_second": 9}], "p_pictures_holm": p}  # fmt: skip
    text = own_data_ending.of_comparison(found)
    assert said in text and "9 pictures right by V alone, 1 by B alone" in text
