"""The final sentences of own_data: verdicts on an accuracy and on a comparison."""

from __future__ import annotations

import re

import pytest

from fesr_tf.own_data import summary as own_data_summary
from tests.support.found_people import known, summary
from tests.support.naming import naming


def wording(text: str) -> str:
    """A sentence without its numbers, to compare verdicts."""
    return re.sub(r"[-+]?\d[\d.e-]*", "0", text)


def of_accuracy(interval: tuple[float, float]) -> str:
    return own_data_summary.accuracy(summary("V", 6, interval), known(0, 1))


def test_an_accuracy_is_compared_with_the_majority_class():
    """The baseline is 50 %: the interval includes it, lies above it or below it."""
    around, above, below = (
        ((0.4, 0.9), (0.3, 0.51)),
        ((0.6, 0.9), (0.51, 1)),
        ((0.1, 0.4), (0, 0.49)),
    )
    verdicts = []
    for intervals in (around, above, below):
        texts = [of_accuracy(interval) for interval in intervals]
        for (low, high), text in zip(intervals, texts, strict=True):
            assert re.search(naming("V", "75.0%", "6 of 8", f"{low:.1%}", f"{high:.1%}"), text)
            assert re.search(naming("50.0%", "'a'"), text)
        verdicts.append({wording(text) for text in texts})
    assert [len(each) for each in verdicts] == [1, 1, 1]
    assert len(set().union(*verdicts)) == 3


def of_comparison(interval: list[float], p: float) -> str:
    found = {"variant": "V", "baseline": "B", "difference": 0.1, "interval": interval,
             "mcnemar": [{"only_first": 1, "only_second": 9}], "p_pictures_holm": p}  # fmt: skip
    return own_data_summary.comparison(found)


@pytest.mark.parametrize(
    ("interval", "p", "different"),
    [
        ([0.05, 0.3], 0.03, True),
        ([-0.3, -0.05], 0.05, True),
        ([0.05, 0.3], 0.06, False),
        ([0.0, 0.3], 0.03, False),
    ],
)
def test_two_variants_differ_where_both_tests_say_so(interval, p, different):
    plainly, not_at_all = of_comparison([0.1, 0.3], 1e-4), of_comparison([-0.3, 0.3], 0.9)
    assert wording(plainly) != wording(not_at_all)
    text = of_comparison(interval, p)
    assert wording(text) == wording(plainly if different else not_at_all)
    assert re.search(naming("V", "B", "+10.0", 9, 1, p), text)
