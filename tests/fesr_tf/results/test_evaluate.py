"""Evaluation: the right pictures, R as it is served, and a refusal of other data."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics
from PIL import Image

from fesr_tf import evaluate
from pipelines import preprocess
from pipelines.common import roles
from pipelines.common.errors import BadUse
from pipelines.dataset import examples
from pipelines.dataset import manifest as manifests
from tests.support.naming import naming


@pytest.fixture(scope="module")
def fold(opened_run):
    return evaluate.load_data(opened_run)


@pytest.fixture(scope="module")
def result(opened_run, fold):
    return evaluate.evaluate(opened_run, fold.test)


def test_every_test_image_of_the_fold_is_classified_once_and_no_other(result, demo_data):
    manifest = manifests.load(demo_data)
    records = [
        examples.decode(payload)
        for shard in manifest.shards
        for payload in examples.read_records(demo_data / shard.path)
    ]
    expected = {r.key for r in records if r.splits[0] == roles.TEST}
    asked = [row["key"] for row in result["predictions"]]
    assert sorted(asked) == sorted(expected)
    assert all(r.intensity in (0.0, 1.0) for r in records if r.key in expected)


def test_the_people_are_none_of_training(result, fold):
    tested = {row["subject"] for row in result["predictions"]}
    assert tested and not tested & set(fold.train.subjects)
    assert result["people"] == len(tested)


def test_the_answer_does_not_depend_on_batches_or_on_the_time_of_asking(opened_run, fold, result):
    alone = evaluate.evaluate(opened_run, fold.test.of(np.arange(3)))
    for mine, theirs in zip(alone["predictions"], result["predictions"], strict=False):
        assert mine["probabilities"] == pytest.approx(theirs["probabilities"], abs=2e-6)


def test_counts_agree_with_the_predictions(result):
    right = sum(row["label"] == row["prediction"] for row in result["predictions"])
    assert (result["correct"], result["total"]) == (right, len(result["predictions"]))
    assert result["accuracy"] == right / result["total"]
    for row in result["predictions"]:  # written with six digits: an untrained R may then tie
        assert row["probabilities"][row["prediction"]] == max(row["probabilities"])


def test_the_scores_are_those_of_the_stored_probabilities(result):
    shares = np.array([row["probabilities"] for row in result["predictions"]])
    labels = [row["label"] for row in result["predictions"]]
    scaled = shares / shares.sum(1, keepdims=True)  # six digits each
    expected = sklearn.metrics.log_loss(labels, scaled, labels=range(len(result["classes"])))
    assert result["log_loss"] == pytest.approx(expected, abs=1e-5)
    squares = (shares - np.eye(len(result["classes"]))[labels]) ** 2
    assert result["brier"] == pytest.approx(squares.sum(1).mean())


def test_the_command_writes_both_files_and_prints_the_accuracy(run_copy, capfd):
    assert evaluate.main([str(run_copy)]) == 0
    out = capfd.readouterr().out
    written = json.loads((run_copy / "evaluation.json").read_text())
    low, high = (f"{100 * end:.1f}" for end in written["interval"])
    assert re.search(naming(f"{written['correct']} of {written['total']}", low, high), out)
    assert all(row["class"] in out for row in written["per_class"])
    with Image.open(run_copy / "pictures/confusion.png") as picture:
        assert picture.width > 300


def test_other_data_are_refused_and_moved_data_are_not(run_copy, demo_data, tmp_path, capfd):
    info = json.loads((run_copy / "run.json").read_text())
    moved = tmp_path / "moved"
    moved.symlink_to(demo_data)
    (run_copy / "run.json").write_text(json.dumps(info | {"data": str(tmp_path / "gone")}))
    assert evaluate.main([str(run_copy)]) == 2
    assert "--data" in capfd.readouterr().err
    assert evaluate.main([str(run_copy), "--data", str(moved)]) == 0
    (run_copy / "run.json").write_text(json.dumps(info | {"data_digest": "0" * 64}))
    assert evaluate.main([str(run_copy)]) == 2
    assert str(demo_data) in capfd.readouterr().err


def test_other_people_are_all_images_that_their_folder_tests(
    run_copy, demo_images, demo_data, result, tmp_path, capfd
):
    others = tmp_path / "others"
    words = ["--db", "demo", "--input", demo_images, "--output", others, "--folds", 4]
    assert preprocess.main([str(word) for word in words]) == 0
    assert evaluate.main([str(run_copy), "--people", str(others)]) == 0
    written = json.loads((run_copy / "evaluation-people.json").read_text())
    assert written["total"] == 4 * len(written["classes"])  # the peak of each class of each person
    asked = {row["key"]: row["probabilities"] for row in written["predictions"]}
    for row in result["predictions"]:
        assert asked[row["key"]] == pytest.approx(row["probabilities"], abs=2e-6)
    assert evaluate.main([str(run_copy), "--people", str(demo_data)]) == 2  # the run's own
    both = ["--people", str(others), "--data", str(demo_data)]
    assert evaluate.main([str(run_copy), *both]) == 2
    info = json.loads((run_copy / "run.json").read_text())
    info["classes"][0] = "boredom"
    (run_copy / "run.json").write_text(json.dumps(info))
    capfd.readouterr()
    assert evaluate.main([str(run_copy), "--people", str(others)]) == 2
    assert re.search(naming("boredom", others), capfd.readouterr().err)


def test_a_part_without_images_is_refused(run_copy, capfd, fold):
    assert not len(fold.valid)
    assert evaluate.main([str(run_copy), "--split", "valid"]) == 2
    assert re.search(r"\bvalid\b", capfd.readouterr().err)


def test_a_run_whose_recogniser_never_learned_is_refused(opened_run):
    with pytest.raises(BadUse, match=naming(2)):
        evaluate.require_recognizer(replace(opened_run, step=2))
    alone = opened_run.config.model_copy(update={"stop_after_pretraining": True})
    with pytest.raises(BadUse, match=naming(opened_run.folder)):
        evaluate.require_recognizer(replace(opened_run, config=alone))


def test_what_is_not_a_run_is_refused(tmp_path, capfd):
    assert evaluate.main([str(tmp_path)]) == 2
    assert str(tmp_path) in capfd.readouterr().err
