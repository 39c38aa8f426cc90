"""Fig. 8: the variants in the paper's order, what is missing said, from a real crossval.json."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from fesr_tf import runs
from fesr_tf.config.variants import FIG_8
from fesr_tf.crossvalidation.plan import Plan
from fesr_tf.crossvalidation.record import Record
from fesr_tf.figures import accuracies
from fesr_tf.figures.__main__ import LIST, main
from fesr_tf.figures.sources import read
from pipelines.dataset import manifest as manifests
from tests.support.naming import naming


@pytest.fixture(scope="module")
def home(evaluated_run, tiny_settings, demo_data, tmp_path_factory) -> Path:
    """A folder with crossval.json of which one of 14 runs is finished: FESR_JL on fold 0."""
    made = tmp_path_factory.mktemp("crossval")
    shutil.copytree(evaluated_run, runs.run_folder(made, "demo", "FESR_JL", 0))
    plan = Plan(
        database="demo",
        data=demo_data,
        runs=made,
        manifest=manifests.load(demo_data),
        variants=FIG_8[:1] + FIG_8[:0:-1],
        folds=(0, 1),
        seeds=(0,),
        overrides=tiny_settings,
    )
    Record(plan).write()
    return made / "demo"


@pytest.fixture
def changed(home, tmp_path):
    """Writes crossval.json with what a function did to it; returns the folder."""

    def make(change) -> Path:
        found = json.loads((home / "crossval.json").read_text())
        change(found)
        (tmp_path / "crossval.json").write_text(json.dumps(found))
        return tmp_path

    return make


def bars_of(folder, monkeypatch) -> list:
    """The bars that the figure has, as `charts.bars` is given them."""
    given = []
    draw = accuracies.charts.bars
    monkeypatch.setattr(
        accuracies.charts, "bars", lambda bars, *more: given.extend(bars) or draw(bars, *more)
    )
    accuracies.figure_8(read([folder]))
    return given


def test_bars_stand_in_the_papers_order_with_their_folds_and_intervals(home, monkeypatch):
    bars = bars_of(home, monkeypatch)
    assert [bar.name for bar in bars] == list(FIG_8)
    found = json.loads((home / "FESR_JL/fold-00/evaluation.json").read_text())
    bar = bars[FIG_8.index("FESR_JL")]
    assert bar.value == pytest.approx(found["accuracy"])
    assert bar.interval == pytest.approx(found["interval"])
    assert bar.points == pytest.approx([found["accuracy"]])
    assert re.findall(r"\d+", bar.note) == ["1", "2"]
    assert all(each.value is None for each in bars if each is not bar)


def test_a_missing_fold_is_in_the_caption(home):
    (picture,) = accuracies.figure_8(read([home]))
    missing = re.split("[:;]", picture.caption)
    assert any(re.search(naming("FESR_JL ", "fold", 1), each) for each in missing)
    assert any(re.search(r"\bBASELINE\b[^\d]*$", each) for each in missing)
    assert "Wilson" in picture.caption and picture.runs == (str(home),)


def test_variants_that_nobody_asked_for_are_said_to_be(changed):
    def only_two(found):
        found["summaries"] = [each for each in found["summaries"]
                              if each["variant"] in ("BASELINE", "FESR_JL")]  # fmt: skip

    (picture,) = accuracies.figure_8(read([changed(only_two)]))
    assert "FESR_OneSt, FESR_SL, FESR_JL-IL, FESR_JL-RDBP, FESR_Real" in picture.caption


def test_a_variant_of_ones_own_comes_last(changed, monkeypatch):
    def renamed(found):
        found["summaries"][0]["variant"] = "A_NEW_ONE"

    assert bars_of(changed(renamed), monkeypatch)[-1].name == "A_NEW_ONE"


def test_nothing_finished_is_no_figure(changed):
    def none(found):
        for each in found["summaries"]:
            each["pooled"]["accuracy"] = None

    folder = changed(none)
    assert str(folder / "crossval.json") in accuracies.missing_8(read([folder]))


def test_the_command_draws_it_from_the_folder_alone(home, tmp_path, capfd):
    assert main([str(home), "--output", str(tmp_path / "figures")]) == 0
    (told,) = json.loads((tmp_path / "figures" / LIST).read_text())
    assert (told["figure"], told["file"]) == ("8", "fig-8.png")
    # The six that need a run are said, a line each.
    said = capfd.readouterr().out.splitlines()
    assert sum(line.lower().startswith(("fig. ", "interpolation")) for line in said) == 6
    assert any(re.search(r"^Fig\. 7: .*\bFG\b", line) for line in said)
