"""`fesr_tf.measure` on a run of four steps, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fesr_tf import evaluate, measure
from fesr_tf.data.images import from_model
from fesr_tf.model.expression_codes import expression_code
from fesr_tf.runs import open_run
from fesr_tf.synthesis.quality import expression, generation, measurement
from fesr_tf.synthesis.quality.estimates import PROTOCOLS
from pipelines.common.errors import BadUse
from tests.support.naming import naming

NEW = 24
DOCS = Path(__file__).resolve().parents[3] / "docs/guide"


@pytest.fixture(scope="module")
def baselines(trained) -> list[Path]:
    """BASELINE on both folds of the data: the judges."""
    return [trained("BASELINE", fold) for fold in (0, 1)]


@pytest.fixture(scope="module")
def measured_run(opened_run, baselines) -> dict:
    return measurement.measure_run(opened_run, None, baselines, NEW, 0)[0]


def every_figure(found, path=()):
    """(path, figure) of everything in a result that is one."""
    if isinstance(found, dict):
        if {"value", "n", "unit"} <= found.keys():
            yield path, found
        for key, value in found.items():
            yield from every_figure(value, (*path, key))
    elif isinstance(found, list):
        for i, value in enumerate(found):
            yield from every_figure(value, (*path, i))


def test_every_figure_has_its_count_protocol_and_an_interval_that_makes_sense(measured_run):
    figures = dict(every_figure(measured_run))
    assert len(figures) > 40
    for path, each in figures.items():
        assert each["n"] > 0 or each["value"] is None, path
        assert each["protocol"] in measured_run["protocols"], path
        if each["interval"]:
            assert each["interval"][0] <= each["interval"][1], path
    for each in ("psnr", "ssim"):
        found = figures["fidelity", "translated", each]
        assert found["interval"][0] <= found["value"] <= found["interval"][1]


def test_translations_are_held_against_the_persons_own_pictures(measured_run, opened_run):
    test = evaluate.load_data(opened_run).test
    found = measured_run["fidelity"]
    by_hand = []
    for i in range(len(test)):
        for j in range(len(test)):
            if test.subjects[i] == test.subjects[j] and test.labels[i] != test.labels[j]:
                codes = opened_run.fesr.fesgan.encode(test.floats(slice(i, i + 1)))
                code = expression_code(tf.constant(test.labels[j : j + 1]), 1.0, 8)
                drawn = from_model(opened_run.fesr.fesgan.decode(codes, code))[0]
                error = np.mean((drawn.astype(float) - test.images[j]) ** 2)
                by_hand.append(10 * np.log10(255**2 / error))
    assert found["translated"]["psnr"]["n"] == len(by_hand) == 2 * 8 * 7
    assert found["translated"]["psnr"]["value"] == pytest.approx(np.mean(by_hand), abs=0.01)
    assert found["classes_without_pairs"] == [] and found["pictures_without_target"] == {}
    assert found["two_real_frames"]["psnr"]["value"] > found["mean_face"]["psnr"]["value"]


def test_verification_has_the_papers_pairs(measured_run):
    (network,) = measured_run["networks"].values()
    found = network["verification"]
    assert network["in_loss"]
    assert found["drawn"]["rate"]["n"] == 16 * 2 * 8
    assert found["real"]["rate"]["n"] == 2 * 16 * 7
    assert found["threshold"]["people"] == measured_run["train_people"] == 2
    assert any("fesr_tf.weights fetch" in note for note in measured_run["notes"])


def test_new_identities_are_as_many_as_asked_and_name_a_training_picture(measured_run, opened_run):
    (network,) = measured_run["networks"].values()
    assert network["memorisation"]["real"]["new"]["n"] == NEW
    keys = set(evaluate.load_data(opened_run).train.keys.tolist())
    assert len(network["nearest"]["keys"]) == NEW and set(network["nearest"]["keys"]) <= keys


def test_a_judge_judges_people_whom_it_never_saw(measured_run, opened_run, baselines):
    fold = evaluate.load_data(opened_run)
    own, other = measured_run["expression"]
    assert (own["judge_fold"], other["judge_fold"]) == (0, 1)
    # Two folds of two people: the other fold's judge learnt from the people that this run tests.
    assert own["people_of_both"] == 2 and own["translated_people_of_generator"] == 0
    assert other["people_of_both"] == 0 and other["translated_people_of_generator"] == 2
    assert own["real"]["n"] == len(fold.test) and own["translated"]["n"] == 16 * 7
    judge = open_run(baselines[0])
    expected = evaluate.evaluate(judge, fold.test)
    assert own["real"]["value"] == pytest.approx(expected["accuracy"])
    assert own["real"]["confusion"] == expected["confusion"]


def test_new_identities_follow_the_seed_and_take_the_classes_in_turn(opened_run):
    fesgan = opened_run.fesr.fesgan
    (one, labels), (again, _), (other, _) = (
        generation.new_identities(fesgan, 10, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any() and one.dtype == np.uint8
    assert labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]


def test_a_reconstruction_is_the_translation_to_ones_own_class(opened_run):
    test = evaluate.load_data(opened_run).test
    fesgan = opened_run.fesr.fesgan
    again = generation.reconstructions(fesgan, test.images, test.labels)
    own = generation.translations(fesgan, test.images)[np.arange(len(test)), test.labels]
    assert np.abs(again.astype(int) - own).max() <= 1


@pytest.mark.slow
def test_the_command_writes_what_it_prints_the_same_each_time(run_copy, baselines, capfd):
    words = [str(run_copy), "--judge", str(baselines[0]), "--new", "16", "--seed", "3"]
    assert measure.main(words) == 0
    said = capfd.readouterr().out
    first = (run_copy / "synthesis.json").read_text()
    found = json.loads(first)
    assert f"{found['fidelity']['translated']['psnr']['value']:.2f} (" in said
    assert "AUC" in said and "KID" in said and said.count("note: ") == len(found["notes"]) > 0
    assert found["seed"] == 3 and found["new_identities"] == 16
    with Image.open(run_copy / "pictures/nearest.png") as picture:
        assert picture.height > 10 * 128
    assert measure.main(words) == 0
    assert (run_copy / "synthesis.json").read_text() == first


def test_the_best_checkpoint_has_a_file_of_its_own(run_copy):
    best = replace(open_run(run_copy), checkpoint="best")
    found, sheet = measurement.measure_run(best, None, [], 8, 0)
    paths = measurement.save(run_copy, found, sheet)
    assert [path.name for path in paths] == ["nearest-best.png", "synthesis-best.json"]
    assert all(path.exists() for path in paths)


def test_without_a_generator_there_is_nothing_to_measure(baselines, capfd):
    assert measure.main([str(baselines[0])]) == 2
    assert re.search(naming(baselines[0], "BASELINE"), capfd.readouterr().err)
    assert not (baselines[0] / "synthesis.json").exists()


def test_a_judge_that_is_no_baseline_is_refused(tiny_run, capfd):
    assert measure.main([str(tiny_run), "--judge", str(tiny_run)]) == 2
    assert re.search(naming(tiny_run, "BASELINE"), capfd.readouterr().err)


def other_info(run: Path, copy: Path, **changed) -> Path:
    """A copy of `run` whose run.json says otherwise."""
    shutil.copytree(run, copy)
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(info | changed))
    return copy


def test_a_judge_of_other_data_or_classes_is_refused(tiny_run, baselines, tmp_path, capfd):
    judge = other_info(baselines[0], tmp_path / "data", data_digest="0" * 64)
    assert measure.main([str(tiny_run), "--judge", str(judge)]) == 2
    assert re.search(naming(judge, "000000000000"), capfd.readouterr().err)
    names = [f"class {k}" for k in range(8)]
    judge = other_info(baselines[0], tmp_path / "classes", classes=names)
    assert measure.main([str(tiny_run), "--judge", str(judge)]) == 2
    assert re.search(naming(judge, tiny_run), capfd.readouterr().err)
    assert not (tiny_run / "synthesis.json").exists()


def test_a_judge_of_other_pictures_is_refused(opened_run, baselines, tmp_path):
    other = replace(opened_run, config=opened_run.config.model_copy(update={"image_size": 64}))
    with pytest.raises(BadUse, match=naming("image_size", 32, 64)):
        expression.open_evaluator(baselines[0], other, None)


def test_a_fold_with_one_test_person_is_refused(opened_run, monkeypatch):
    fold = evaluate.load_data(opened_run)
    one = replace(fold, test=fold.test.of(fold.test.subjects == fold.test.subjects[0]))
    monkeypatch.setattr(measurement, "load_data", lambda run, data: one)
    with pytest.raises(BadUse, match=naming(1)):
        measurement.measure_run(opened_run, None, [], 8, 0)


def test_classes_without_pairs_are_counted_and_said(opened_run, demo_data, monkeypatch):
    fold = evaluate.load_data(opened_run)
    fewer = fold.test.of((fold.test.labels != 2) & (fold.test.keys != fold.test.keys[0]))
    monkeypatch.setattr(measurement, "load_data", lambda run, data: replace(fold, test=fewer))
    found, _ = measurement.measure_run(opened_run, demo_data, [], 8, 0)
    assert found["fidelity"]["classes_without_pairs"] == [fold.classes[2]]
    gone = fold.classes[fold.test.labels[0]]
    assert found["fidelity"]["pictures_without_target"] == {gone: 6, fold.classes[2]: 13}
    said = " ".join(found["notes"])
    assert fold.classes[2] in said and f"{gone} 6" in said


@pytest.mark.parametrize("words", [["--new", "3"], ["--seed", "-1"]])
def test_numbers_out_of_range_are_refused(words, tiny_run, capfd):
    assert measure.main([str(tiny_run), *words]) == 2
    assert re.search(naming(words[0]), capfd.readouterr().err)


def test_the_page_explains_every_protocol():
    page = (DOCS / "synthesis.md").read_text()
    for key in PROTOCOLS:
        assert f"`{key}`" in page, key


def test_an_unfinished_run_says_so(opened_run, measured_run):
    longer = replace(opened_run, config=opened_run.config.model_copy(update={"max_iterations": 9}))
    notes = measurement.notes(longer, measured_run, True)
    assert re.search(naming(4, 9), notes[0])
    ending = {"stop_after_pretraining": True, "pretrain_iterations": 4}
    alone = longer.config.model_copy(update=ending)
    ended = replace(longer, config=alone)
    assert measurement.notes(ended, measured_run, True) == notes[1:]
