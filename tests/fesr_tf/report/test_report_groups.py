"""Who belongs to which group, and what may be said of small ones."""

from __future__ import annotations

import re

import pytest

from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.results.groups import Rate, rates, read_people, sentences
from pipelines.common.errors import BadUse
from pipelines.dataset.people import table
from tests.support.naming import naming


def people(tmp_path, text: str):
    path = tmp_path / "people.csv"
    path.write_text(text)
    return path


def test_rendered_people_are_grouped_by_thirds_of_the_renderers_range(tmp_path):
    people(
        tmp_path,
        table({
            "p0": {"sex": "F", "age": "0.0", "skin": "1.66"},
            "p1": {"sex": "M", "age": "0.34", "skin": "1.67"},
            "p2": {"sex": "M", "age": "1.0", "skin": "4.99"},
        }),
    )  # fmt: skip
    found = read_people(tmp_path, "demo")
    assert [each["sex"] for each in found.values()] == ["female", "male", "male"]
    ages = [re.findall(r"\d+", each["age"]) for each in found.values()]
    assert ages == [["20", "36"], ["37", "53"], ["54", "70"]]
    skins = [re.split(r"\W", each["skin"])[0] for each in found.values()]
    assert skins == ["lighter", "middle", "darker"]


def test_another_databases_table_is_taken_as_it_is(tmp_path):
    given = people(tmp_path, "subject,glasses,age\nanna,yes,31\nben,no,\n")
    assert read_people(None, "images", given) == {
        "anna": {"glasses": "yes", "age": "31"},
        "ben": {"glasses": "no"},
    }


def test_a_person_who_is_said_to_be_two_things_is_refused(tmp_path):
    given = people(tmp_path, "subject,sex\nanna,F\nanna,M\n")
    with pytest.raises(BadUse, match=naming(given, "line 3", "anna")):
        read_people(None, "images", given)
    with pytest.raises(BadUse, match=naming("--people", tmp_path / "none.csv")):
        read_people(None, "images", tmp_path / "none.csv")


def test_without_a_table_nobody_is_in_a_group(tmp_path):
    assert read_people(tmp_path, "demo") == {} == read_people(None, "demo")


def evaluation(*answers: tuple[str, str, bool]) -> dict:
    rows = [
        {"key": key, "subject": who, "yaw": 0.0, "label": 1, "prediction": int(right)}
        for key, who, right in answers
    ]
    return {"predictions": rows}


def test_rates_are_of_pictures_pooled_over_folds_and_averaged_over_seeds():
    of = {"a": {"sex": "female"}, "b": {"sex": "male"}, "c": {"sex": "male"}}
    found = rates(
        {
            Unit("R", 0, 0): evaluation(("1", "a", False), ("2", "b", True)),
            Unit("R", 0, 1): evaluation(("1", "a", True), ("2", "b", True)),
            Unit("R", 1, 0): evaluation(("3", "c", False), ("4", "stranger", False)),
        },
        of,
    )
    # Half a picture wrong of one; one wrong of two; the stranger is in no group.
    assert found["sex", "female"][:4] == (0.5, 1, 1, 0.5)
    assert found["sex", "male"][:4] == (1.0, 2, 2, 0.5)
    # Wilson for 1 of 2: (1 ± z sqrt(1/2 + z²/16 …)): both ends by the textbook's formula.
    z = 1.959963984540054
    centre, half = 0.5, z / (1 + z * z / 2) * ((0.25 / 2 + z * z / 16) ** 0.5)
    assert found["sex", "male"].interval == pytest.approx((centre - half, centre + half))


def rate(people: int, value: float, interval: tuple[float, float]) -> Rate:
    return Rate(value * 8 * people, 8 * people, people, value, interval)


def test_a_small_group_is_named_and_not_compared():
    (said,) = sentences({
        ("sex", "female"): rate(9, 0.9, (0.8, 1.0)),
        ("sex", "male"): rate(30, 0.1, (0.0, 0.2)),
    })  # fmt: skip
    assert said.startswith("sex: ") and re.search(r"\bfemale\b.*\b9\b", said)
    assert not re.search(r"\bmale\b", said)


def test_large_groups_are_told_apart_by_their_intervals_only():
    apart = {
        ("sex", "female"): rate(30, 0.1, (0.05, 0.15)),
        ("sex", "male"): rate(30, 0.3, (0.2, 0.4)),
    }
    (said,) = sentences(apart)
    assert re.search(r"\bmale\b.*\bfemale\b", said)  # the group with more errors first
    near = {**apart, ("sex", "male"): rate(30, 0.2, (0.14, 0.3))}
    (said,) = sentences(near)
    assert said.startswith("sex: ") and "male" not in said  # neither is put above the other
