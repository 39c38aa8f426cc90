"""Every number on the page is in figures.json, and is the one that its source holds.

The runs are small ones of the real commands: BASELINE on both folds, FESR_JL on one, measured.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fesr_tf import evaluate, measure, runs
from fesr_tf.crossvalidation.plan import Plan
from fesr_tf.crossvalidation.record import Record
from fesr_tf.metrics.classification import wilson_interval
from fesr_tf.report import __main__ as report
from fesr_tf.report.sections import timings
from fesr_tf.report.values import written
from pipelines.dataset import manifest as manifests
from tests.support.naming import naming
from tests.support.report_pages import Page, resolve


class Made(NamedTuple):
    """The folder of runs/demo with its crossval.json, that of the report, and what is in it."""

    home: Path
    output: Path
    page: Page
    figures: list[dict]

    def value(self, item: str) -> float:
        (found,) = {f["value"] for f in self.figures if f["item"] == item}
        return found

    def one(self, item: str) -> dict:
        return next(f for f in self.figures if f["item"] == item)


@pytest.fixture(scope="module")
def made(evaluated_run, trained, demo_data, tiny_settings, tmp_path_factory) -> Made:
    home = tmp_path_factory.mktemp("report") / "runs"
    shutil.copytree(evaluated_run, runs.run_folder(home, "demo", "FESR_JL", 0))
    for fold in (0, 1):
        folder = runs.run_folder(home, "demo", "BASELINE", fold)
        shutil.copytree(trained("BASELINE", fold), folder)
        assert evaluate.main([str(folder)]) == 0
    judge = runs.run_folder(home, "demo", "BASELINE", 0)
    drawn = runs.run_folder(home, "demo", "FESR_JL", 0)
    assert measure.main([str(drawn), "--judge", str(judge), "--new", "8"]) == 0
    plan = Plan(
        database="demo",
        data=demo_data,
        runs=home,
        manifest=manifests.load(demo_data),
        variants=("BASELINE", "FESR_JL"),
        folds=(0, 1),
        seeds=(0,),
        overrides=tiny_settings,
    )
    Record(plan).write()
    output = home.parent / "page"
    assert report.main([str(home / "demo"), "--output", str(output)]) == 0
    figures = json.loads((output / "figures.json").read_text())["figures"]
    return Made(home / "demo", output, Page((output / "index.html").read_text()), figures)


def test_every_figure_with_a_pointer_is_what_its_file_holds(made):
    followed = 0
    for each in made.figures:
        file, mark, pointer = each["source"].partition("#")
        if not mark or ":" in pointer or each["value"] is None:
            continue
        document = json.loads(Path(file).read_text())
        assert resolve(document, pointer) == each["value"], each
        followed += 1
    assert followed > 200


def test_every_number_shown_is_one_of_figures_json_as_it_is_written(made):
    assert len(made.page.figures) > 200
    for number, value, text in made.page.figures:
        figure = made.figures[number]
        assert str(figure["value"]) == value
        shown = re.search(r"[-+]?[\d,.]+(?:e[-+]?\d+)?", text)[0]
        styles = ("percent", "points", "count", "seconds", ".2f", ".3f", ".4f", ".3g", ".2g")
        assert any(written(figure["value"], each).startswith(shown) for each in styles), text
        if figure["low"] is not None and "small" not in text and " to " in text:
            assert text.count(" to ") == 1


def test_no_numeric_cell_holds_a_number_that_is_no_figure(made):
    loose = [text for text in made.page.loose if re.search(r"\d", text)]
    assert loose == []


def test_nothing_is_fetched_and_nothing_runs(made):
    text = (made.output / "index.html").read_text()
    assert not [r for r in made.page.references if not r.startswith(("#", "data:image/webp;"))]
    assert not re.search(r"<script|<link|<iframe|@import|url\(|\son[a-z]+=", text)
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text


def test_the_table_holds_every_figure_in_the_same_order(made):
    with (made.output / "figures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["section", "item", "value", "low", "high", "n", "unit", "source"]
    assert [r["item"] for r in rows] == [f["item"] for f in made.figures]
    for row, figure in zip(rows, made.figures, strict=True):
        assert row["value"] == ("" if figure["value"] is None else str(figure["value"]))


def test_accuracies_are_those_of_the_pictures_themselves(made):
    right = {}
    for name, folds in (("BASELINE", (0, 1)), ("FESR_JL", (0,))):
        for fold in folds:
            path = runs.run_folder(made.home.parent, "demo", name, fold) / "evaluation.json"
            rows = json.loads(path.read_text())["predictions"]
            right[name, fold] = [row["label"] == row["prediction"] for row in rows]
    for (name, fold), each in right.items():
        assert made.value(f"{name}, fold {fold}") == pytest.approx(np.mean(each))
    both = [*right["BASELINE", 0], *right["BASELINE", 1]]
    pooled = made.one("BASELINE, pooled accuracy")
    assert pooled["value"] == pytest.approx(np.mean(both)) and pooled["n"] == len(both)
    ends = wilson_interval(sum(both), len(both))
    assert (pooled["low"], pooled["high"]) == pytest.approx(ends)
    means = [np.mean(right["BASELINE", fold]) for fold in (0, 1)]
    assert made.value("BASELINE, mean over folds") == pytest.approx(np.mean(means))
    assert made.value("BASELINE, sd over folds") == pytest.approx(np.std(means, ddof=1))


def test_a_missing_fold_is_said_and_not_averaged_over_silently(made):
    assert re.search(r"\bFESR_JL: [^.]*\bfold 1\b", made.page.text)
    assert not re.search(r"\bBASELINE: [^.]*\bfold 1\b", made.page.text)
    assert made.one("FESR_JL, fold 1")["value"] is None
    assert made.value("FESR_JL, mean over folds") == made.value("FESR_JL, fold 0")
    assert made.value("FESR_JL, folds_run") == 1 and made.value("FESR_JL, folds") == 2


def test_counts_of_the_data_are_the_manifests(made, demo_data):
    manifest = manifests.load(demo_data)
    for name in ("read", "aligned", "rejected"):
        assert made.value(f"pictures {name}") == manifest.counts[name]
    for fold, counts in enumerate(manifest.counts["by_fold"]):
        for part, count in counts.items():
            assert made.value(f"fold {fold}, {part}, pictures") == count
    assert made.value("fold 0, test, people") == 2
    assert manifest.digest in made.page.text and manifest.fold_digest in made.page.text


def test_the_drawn_faces_figures_are_the_measured_ones(made):
    folder = runs.run_folder(made.home.parent, "demo", "FESR_JL", 0)
    found = json.loads((folder / "synthesis.json").read_text())
    psnr = made.one("FESR_JL, fold 0, fidelity, translated, psnr")
    assert psnr["value"] == found["fidelity"]["translated"]["psnr"]["value"]
    assert psnr["unit"] == "pairs" and psnr["n"] == found["fidelity"]["translated"]["psnr"]["n"]
    assert f"{psnr['value']:.2f}" in made.page.text


def test_curves_are_those_in_the_event_files(made):
    from tests.support.reading_events import read, values

    folder = runs.run_folder(made.home.parent, "demo", "FESR_JL", 0)
    expected = values(read(folder / "events"), "losses/L_rec")
    found = {
        int(f["item"].rsplit(" ", 1)[1]): f["value"]
        for f in made.figures
        if f["item"].startswith("FESR_JL, fold 0, losses/L_rec, iteration")
    }
    assert found == pytest.approx({step: float(value) for step, value in expected.items()})
    assert len(found) == 4


def test_seconds_and_machine_are_named(made):
    document = json.loads((made.home / "crossval.json").read_text())
    assert [run["train_seconds"] for run in document["runs"]] == [None] * 4
    assert made.page.text.count(timings.UNKNOWN) >= 8  # nobody timed these
    starts = json.loads(
        (runs.run_folder(made.home.parent, "demo", "FESR_JL", 0) / "machine.json").read_text()
    )["starts"]
    assert starts[0]["processor"] in made.page.text
    assert starts[0]["tensorflow"] in made.page.text


def test_a_cross_validation_that_its_runs_contradict_is_refused(made, tmp_path, capfd):
    home = shutil.copytree(made.home, tmp_path / "demo")
    path = home / "BASELINE/fold-01/evaluation.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"correct": found["correct"] + 1}))
    assert report.main([str(home), "--output", str(tmp_path / "page")]) == 1
    err = capfd.readouterr().err
    assert re.search(naming("correct", "BASELINE/fold-01/evaluation.json"), err)
    document = json.loads((home / "crossval.json").read_text())
    del document["summaries"]
    (home / "crossval.json").write_text(json.dumps(document))
    assert report.main([str(home), "--output", str(tmp_path / "page")]) == 1
    assert re.search(naming(home / "crossval.json", "'summaries'"), capfd.readouterr().err)


def test_a_cross_validation_and_a_run_of_other_data_are_refused_by_name(
    made, run_copy, tmp_path, capfd
):
    info = json.loads((run_copy / "run.json").read_text())
    (run_copy / "run.json").write_text(json.dumps(info | {"data_digest": "e" * 64}))
    words = [str(made.home / "crossval.json"), str(run_copy), "--output", str(tmp_path / "page")]
    assert report.main(words) == 2
    err = capfd.readouterr().err
    assert "crossval.json" in err and str(run_copy) in err and "eeeeeeeeeeee" in err


def test_a_run_of_the_cross_validation_that_is_given_as_well_counts_once(made, tmp_path):
    run = runs.run_folder(made.home.parent, "demo", "FESR_JL", 0)
    words = [str(made.home), str(run), "--output", str(tmp_path / "page")]
    assert report.main(words) == 0
    page = Page((tmp_path / "page/index.html").read_text())
    assert len(page.figures) == len(made.page.figures)


def test_errors_by_group_are_counted_over_the_rendered_people(made, demo_data):
    with (demo_data / "people.csv").open(newline="") as file:
        sexes = {row["subject"]: row["sex"] for row in csv.DictReader(file)}
    assert set(sexes.values()) <= {"F", "M"} and len(sexes) == 4
    wrong, people = {"F": [], "M": []}, {"F": set(), "M": set()}
    for fold in (0, 1):
        path = runs.run_folder(made.home.parent, "demo", "BASELINE", fold) / "evaluation.json"
        for row in json.loads(path.read_text())["predictions"]:
            wrong[sexes[row["subject"]]].append(row["label"] != row["prediction"])
            people[sexes[row["subject"]]].add(row["subject"])
    for letter, name in (("F", "female"), ("M", "male")):
        if not wrong[letter]:
            continue
        found = made.one(f"BASELINE, sex: {name}, wrong")
        assert found["value"] == pytest.approx(np.mean(wrong[letter]))
        assert found["n"] == len(wrong[letter])
        ends = wilson_interval(sum(wrong[letter]), len(wrong[letter]))
        assert (found["low"], found["high"]) == pytest.approx(ends)
        assert made.value(f"sex: {name}, people") == len(people[letter])
        # Too few to be compared.
        assert re.search(rf"\b{name}\b\W*\({len(people[letter])} ", made.page.text)
