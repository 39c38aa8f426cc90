"""The committed study of the demo database: what it says follows from every picture's answer."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fesr_tf import comparison
from fesr_tf import crossval_results as results
from fesr_tf.crossval_results import Unit

STUDY = Path(__file__).parents[2] / "docs/results/demo"
CALLS = sorted(
    str(path.relative_to(STUDY / "answers")) for path in STUDY.glob("answers/*/crossval*.json")
)


def read(call: str) -> tuple[dict, dict[str, dict[Unit, dict]]]:
    """What a call of crossval wrote, and by variant the evaluations that it names."""
    path = STUDY / "answers" / call
    told = json.loads(path.read_text())
    found: dict[str, dict[Unit, dict]] = {name: {} for name in told["variants"]}
    for run in told["runs"]:
        unit = Unit(run["variant"], run["fold"], run["seed"])
        found[unit.variant][unit] = json.loads((path.parent / run["evaluation"]).read_text())
    return told, found


def leaves(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Every number, text and None of nested lists and dictionaries, by its place."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, f"{place}/{key}")
    else:
        yield place, value


def split(value: object) -> tuple[dict[str, float], dict[str, object]]:
    """The leaves that are numbers, and the others."""
    found = dict(leaves(value))
    numbers = {place: each for place, each in found.items() if isinstance(each, int | float)}
    return numbers, {place: found[place] for place in found.keys() - numbers.keys()}


def test_the_study_is_there():
    assert "study/crossval.json" in CALLS


@pytest.mark.parametrize("call", CALLS)
def test_figures_follow_from_the_answers(call):
    told, found = read(call)
    assert all(run["status"] == "done" for run in told["runs"])
    answers = {name: results.answers(each) for name, each in found.items()}
    folds, seeds = told["folds"], len(told["asked"]["seeds"])
    again = [
        results.summary(name, each, told["classes"], folds, seeds) for name, each in answers.items()
    ]
    compared = results.compare(told["baseline"], answers)
    # Through JSON, as keys that are numbers become texts there.
    worked_out = split(json.loads(json.dumps([again, compared])))
    numbers, others = split([told["summaries"], told["comparisons"]])
    assert worked_out[0] == pytest.approx(numbers, rel=1e-9)
    assert worked_out[1] == others


@pytest.mark.parametrize("call", CALLS)
def test_nobody_is_tested_who_was_tested_in_another_fold(call):
    _, found = read(call)
    for evaluations in found.values():
        people = [{row["subject"] for row in each["predictions"]} for each in evaluations.values()]
        assert sum(map(len, people)) == len(set.union(*people)) == 60


@pytest.mark.parametrize("call", CALLS)
def test_the_page_prints_the_tables_of_the_answers(call):
    told, _ = read(call)
    for summary in told["summaries"]:
        by_fold = summary["fold_accuracies"]
        summary["fold_accuracies"] = {int(fold): each for fold, each in by_fold.items()}
    assert results.table(told) in (STUDY / "README.md").read_text()


def against_control(control: str, variant: str) -> str:
    """The row of the README's table: `variant` of the study less BASELINE of a control."""
    answers = [
        results.answers(read(f"{call}/crossval.json")[1][name])
        for call, name in ((control, "BASELINE"), ("study", variant))
    ]
    found = comparison.paired(*answers)
    low, high = (100 * bound for bound in found["interval"])
    return (
        f"| {variant} | {control} | {100 * found['difference']:+.1f} ({low:+.1f} to {high:+.1f}) | "
        f"{found['p_pictures']:.2g} |"
    )


@pytest.mark.parametrize("control", ["longer", "flipped"])
@pytest.mark.parametrize("variant", ["FESR_OneSt", "FESR_JL"])
def test_the_page_compares_with_baselines_that_were_given_more(control, variant):
    assert against_control(control, variant) in (STUDY / "README.md").read_text()


def mean_loss(run: str, name: str, after: int, to: int) -> float:
    """The mean of a loss of fold 0 over the iterations (after, to] that figures.csv has."""
    start = f"{run}, fold 0, losses/{name}, iteration "
    with (STUDY / "figures.csv").open(newline="", encoding="utf-8") as file:
        found = [
            float(row["value"])
            for row in csv.DictReader(file)
            if row["item"].startswith(start) and after < int(row["item"][len(start) :]) <= to
        ]
    assert found
    return sum(found) / len(found)


def test_the_page_quotes_the_curves():
    intra, total = (mean_loss("FESR_JL", name, 4000, 4500) for name in ("L_intra", "L_R"))
    without = mean_loss("FESR_JL-IL", "L_intra", 4000, 4500)
    guided = [mean_loss("FESR_JL", "L_cls_R_f_to_G", t, t + 250) for t in (3000, 4250)]
    fell = [mean_loss("FG", name, t, t + 500) for name in ("L_rec", "L_id") for t in (2000, 2500)]
    page = " ".join((STUDY / "README.md").read_text().split())
    assert f"L_intra is {intra:.0f} with it and {without:.0f} without" in page
    assert f"with it {0.001 * intra / total:.0%} of L_R".replace("%", " %") in page
    assert "L_rec {:.3f} to {:.3f}, L_id {:.3f} to {:.3f}".format(*fell) in page
    assert f"falls from {guided[0]:.2f} in the first" in page
    assert f"to {guided[1]:.2f} in the last 250" in page
