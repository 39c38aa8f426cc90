"""Recompute the results printed in docs/results/demo/README.md from the archived predictions."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from fesr_tf.metrics import comparison, inference
from fesr_tf.metrics.classification import summary
from fesr_tf.metrics.comparison import Answers

STUDY = Path(__file__).parents[3] / "docs/results/demo"
VARIANTS = ("FESR_SL", "FESR_OneSt", "FESR_Real", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_JL")
CONTROLS = ("BASELINE, 6,000 iterations", "BASELINE, 6,000 iterations, mirrored")


def load_rows() -> tuple[list[str], list[dict[str, str]]]:
    """The class names and the archived predictions, one row per run and test image."""
    with gzip.open(STUDY / "answers.csv.gz", "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames[6:]), list(reader)


CLASSES, ROWS = load_rows()


def answers(run: str) -> Answers:
    """The archived predictions of one run over its five folds; seed 0, frontal images."""
    rows = [row for row in ROWS if row["run"] == run]
    column = {name: np.array([row[name] for row in rows]) for name in ROWS[0]}
    return Answers(
        seeds=np.zeros(len(rows), int),
        folds=column["fold"].astype(int),
        keys=column["key"],
        subjects=column["subject"],
        labels=np.array([CLASSES.index(name) for name in column["label"]]),
        predictions=np.array([CLASSES.index(name) for name in column["prediction"]]),
        yaws=np.zeros(len(rows)),
    )


def table(heading: str) -> list[list[str]]:
    """The cells of the README's table under `heading`, without its two header rows."""
    section = (STUDY / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def percent(value: float, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f}"


def interval(bounds: tuple[float, float], sign: str = "") -> str:
    return " to ".join(percent(bound, sign) for bound in bounds)


def accuracies(run: str) -> list[str]:
    """The run's row of the README's accuracies."""
    given = answers(run)
    by_fold = list(comparison.by_fold(given.right, given.folds).values())
    mean, sd = inference.mean_and_sd(by_fold)
    pooled = summary(given.labels, given.predictions, CLASSES)
    return [
        run,
        *map(percent, by_fold),
        f"{percent(mean)} ± {percent(sd)}",
        percent(pooled["accuracy"]),
        interval(pooled["interval"]),
    ]


def differences(pairs: list[tuple[str, str]]) -> list[list[str]]:
    """For each (reference, variant) of one Holm family, the cells that the README prints."""
    compared = [comparison.paired(answers(first), answers(second)) for first, second in pairs]
    by_image = inference.holm([each["p_pictures"] for each in compared])
    return [
        [
            percent(each["difference"], "+"),
            interval(each["interval"], "+"),
            f"{each['mcnemar'][0]['only_second']} : {each['mcnemar'][0]['only_first']}",
            f"{by_image[index]:.2g}",
        ]
        for index, each in enumerate(compared)
    ]


def test_archive_holds_one_prediction_per_run_and_image():
    probabilities = np.array([[float(row[name]) for name in CLASSES] for row in ROWS])
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(9 * 480), abs=5e-4)
    assert [CLASSES[best] for best in probabilities.argmax(1)] == [r["prediction"] for r in ROWS]
    assert len({(row["run"], row["key"]) for row in ROWS}) == len(ROWS)
    # Each person is tested in one fold only.
    assert len({(row["fold"], row["subject"]) for row in ROWS}) == 60


def test_two_measurements():
    study, separate = table("Result")
    both = [accuracies(run)[-2] for run in ("BASELINE", "FESR_JL")]
    assert study[1:] == ["480", "60", *both, *differences([("BASELINE", "FESR_JL")])[0][:2]]
    # The predictions of this measurement are not archived: the row is compared as reported.
    assert separate[1:3] + separate[5:] == ["2,400", "300", "+1.6", "+0.1 to +3.1"]


def test_accuracies():
    runs = ("BASELINE", *VARIANTS, *CONTROLS)
    assert table("Accuracy per fold") == [accuracies(run) for run in runs]


@pytest.mark.parametrize("reference", ["BASELINE", "FESR_JL"])
def test_differences(reference):
    others = [name for name in ("BASELINE", *VARIANTS) if name != reference]
    expected = differences([(reference, name) for name in others])
    assert table(f"Differences from {reference}") == [
        [name, *cells] for name, cells in zip(others, expected, strict=True)
    ]


def test_longer_training_of_baseline():
    pairs = [(control, variant) for control in CONTROLS for variant in ("FESR_OneSt", "FESR_JL")]
    assert table("Longer training of BASELINE") == [
        [variant, control.removeprefix("BASELINE, "), *cells]
        for (control, variant), cells in zip(pairs, differences(pairs), strict=True)
    ]


def test_accuracy_per_class():
    expected = [[name] for name in CLASSES]
    for given in map(answers, ("BASELINE", "FESR_JL")):
        for label, recall in comparison.by_group(given.right, given.labels).items():
            expected[label] += [percent(recall["accuracy"]), interval(recall["interval"])]
    assert table("Accuracy per class") == expected
