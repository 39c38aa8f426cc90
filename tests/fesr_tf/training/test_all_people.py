"""`--fold all`: everybody trains, nobody is held out, and whoever asks for more is told so."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from fesr_tf import config, data, evaluate, measure, runs, synthesize, train
from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation import record
from fesr_tf.report import __main__ as report
from fesr_tf.report import material
from fesr_tf.results import sources
from fesr_tf.serving import export as serving_export
from pipelines.common.files import sha256_of
from pipelines.common.records import typed
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID


@pytest.fixture(scope="module")
def everybody(demo_data, tiny_settings, tmp_path_factory):
    """A finished run of everybody in `demo_data`."""
    home = tmp_path_factory.mktemp("runs")
    words = ["--db", "demo", "--data", str(demo_data), "--runs", str(home), "--fold", "all"]
    assert train.main([*words, *tiny_settings]) == 0
    return home / "demo" / "FESR_JL" / "fold-all"


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ([TEST, TRAIN], TRAIN),
        ([TEST, VALID], TRAIN),  # two folds, and its person validates in the other one
        ([TEST, VALID, TRAIN], TRAIN),
        ([UNUSED, TRAIN], TRAIN),  # for training alone
        ([TEST, UNUSED], UNUSED),  # for tests alone
        ([TEST, VALID, UNUSED], UNUSED),
    ],
)
def test_who_trains_when_nobody_is_held_out(splits, expected):
    assert data.role(np.array([splits]), data.ALL) == [expected]


def test_the_training_part_is_every_picture_that_any_fold_trains_or_tests(demo_data):
    settings = config.resolve("demo", overrides=["image_size=32"])
    parts = data.load_fold(demo_data, data.ALL, settings)
    folds = [data.load_fold(demo_data, fold, settings) for fold in (0, 1)]
    keys = {str(k) for fold in folds for part in (fold.train, fold.test) for k in part.keys}
    assert set(parts.train.keys.tolist()) == keys
    assert len(parts.train) == len(keys) > max(len(fold.train) for fold in folds)
    assert len(parts.test) == len(parts.valid) == 0
    assert parts.digest == folds[0].digest


def test_the_run_records_that_nobody_is_held_out(everybody):
    assert runs.read_info(everybody).fold == "all"
    assert runs.run_folder("runs", "x", "V", "all").name == "fold-all"


@pytest.mark.parametrize(("given", "read"), [(3, 3), ("all", "all")])
def test_a_fold_is_a_number_or_all(given, read):
    assert typed(data.FoldNumber, given) == read


@pytest.mark.parametrize("given", ["0", "some", None, 1.0, True])
def test_a_fold_is_nothing_else(given):
    with pytest.raises(TypeError):
        typed(data.FoldNumber, given)


@pytest.mark.parametrize("command", [evaluate.main, measure.main])
def test_nobody_is_left_to_test_it_on(command, everybody, capfd):
    assert command([str(everybody)]) == 2
    error = capfd.readouterr().err
    assert str(everybody) in error and error.count("\n") == 1


def test_it_is_no_judge(everybody, run_copy, capfd):
    assert measure.main([str(run_copy), "--judge", str(everybody)]) == 2
    assert str(everybody) in capfd.readouterr().err


def test_it_draws_the_people_that_it_learnt_from(everybody, tmp_path):
    assert synthesize.main([str(everybody), "--output", str(tmp_path), "--people", "2"]) == 0
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_the_page_warns_of_it(everybody, run_copy, tmp_path):
    """Of a run of fold 0 with the same settings and data it warns of less."""
    assert report.main([str(everybody), "--output", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page/index.html").is_file()
    all_people, one_fold = (
        list(material.warnings(sources.read([run]))) for run in (everybody, run_copy)
    )
    assert set(all_people) - set(one_fold)


def test_its_model_says_so(everybody):
    about = serving_export.description(runs.open_run(everybody))
    assert about["fold"] == "all" and about["held_out"] == serving_export.EVERYBODY
    assert about["cross_validation"] is None


def test_the_cross_validation_is_reported_only_for_the_same_settings_and_data(everybody):
    run = runs.open_run(everybody)
    pooled = {"right": 3.0, "pictures": 4, "accuracy": 0.75, "interval": [0.3, 0.95]}
    summary = {"variant": "FESR_JL", "pooled": pooled, "people": 4, "folds_run": 2, "folds": 2}
    entry = {"variant": "FESR_JL", "seed": 0, "status": "done"}
    entry["config_digest"] = sha256_of(everybody / "config.yaml")
    found = {"format": results.FORMAT, "data_digest": run.info.data_digest, "checkpoint": "last"}
    found |= {"runs": [entry], "summaries": [summary]}
    path = everybody.parent.parent / record.files.CROSSVAL
    try:
        path.write_text(json.dumps(found))
        told = record.summary_of(run)
        assert told == {**pooled, "people": 4, "unknown_subjects": 0, "folds_run": 2, "folds": 2}
        for change in (
            {"data_digest": "0" * 64},
            {"checkpoint": "best"},
            {"runs": [entry | {"config_digest": "0" * 64}]},
            {"runs": [entry | {"status": "stopped"}]},
            {"format": 0},
        ):
            path.write_text(json.dumps(found | change))
            assert record.summary_of(run) is None
    finally:
        path.unlink()


def test_a_model_of_a_fold_records_the_held_out_people(opened_run):
    about = serving_export.description(opened_run)
    assert about["held_out"] != serving_export.EVERYBODY
    other = dataclasses.replace(opened_run, info=dataclasses.replace(opened_run.info, fold="all"))
    assert serving_export.description(other)["held_out"] == serving_export.EVERYBODY
