"""Corrections of probabilities: by hand, and through `fesr_tf.export`."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from fesr_tf import export, runs
from fesr_tf.model.predict import predict_logits
from fesr_tf.plots import image_grids
from fesr_tf.runs.opening import load_data
from fesr_tf.serving import calibration


def test_the_temperature_makes_confidence_the_share_of_hits():
    # Always sure of class 0 by 4, right in three of four: the share 3/4 is that of logit ln 3.
    logits = np.tile([4.0, 0.0], (4, 1))
    found = calibration.temperature(logits, np.array([0, 0, 0, 1]))
    assert found == pytest.approx(4 / np.log(3), rel=1e-4)


def test_a_rare_class_gains_what_its_rarity_costs():
    found = calibration.prior_offsets(np.array([0, 0, 0, 1]), 2, 0.5)
    np.testing.assert_allclose(found, [-0.5 * np.log(0.75), -0.5 * np.log(0.25)])


def test_the_last_layer_carries_both_corrections(tiny_run, opened_run):
    fold = load_data(opened_run)
    fold = dataclasses.replace(fold, valid=fold.test)
    run = runs.open_run(tiny_run)  # one of its own, to be changed
    before = predict_logits(run.fesr, fold.valid)
    done = calibration.calibrate(run.fesr, fold, True, 0.5)
    corrected = before + calibration.prior_offsets(fold.train.labels, len(fold.classes), 0.5)
    divisor = calibration.temperature(corrected, fold.valid.labels)
    assert done == calibration.Calibration(pytest.approx(divisor, rel=1e-3), 0.5, len(fold.valid))
    after = predict_logits(run.fesr, fold.valid)
    np.testing.assert_allclose(after, corrected / done.temperature, atol=1e-4)


def test_an_export_answers_with_corrected_probabilities(tiny_run, opened_run, tmp_path):
    words = ["--run", str(tiny_run), "--models", str(tmp_path), "--name", "corrected"]
    assert export.main([*words, "--prior-correction", "0.5", "--mirror"]) == 0
    about = json.loads((tmp_path / "corrected/1/assets.extra/model.json").read_text())
    assert about["calibration"] == {
        "temperature": 1.0, "prior_correction": 0.5, "images": 0, "mirrored": True,
    }  # fmt: skip
    fold = load_data(opened_run)
    offsets = calibration.prior_offsets(fold.train.labels, len(fold.classes), 0.5)
    mirror = dataclasses.replace(fold.test, images=fold.test.images[:, :, ::-1])
    both = [predict_logits(opened_run.fesr, faces) for faces in (fold.test, mirror)]
    expected = softmax(np.mean(both, axis=0) + offsets, 1)
    served = tf.saved_model.load(str(tmp_path / "corrected/1")).signatures["serving_default"]
    files = [image_grids.png(image) for image in fold.test.images]
    answer = served(image_bytes=tf.constant(files))["probabilities"]
    np.testing.assert_allclose(answer, expected, atol=1e-4)


def test_a_temperature_needs_a_validation_part(tiny_run, tmp_path):
    words = ["--run", str(tiny_run), "--models", str(tmp_path), "--name", "corrected"]
    assert export.main([*words, "--calibrate"]) == 2
    assert not list(tmp_path.iterdir())


def test_a_share_of_the_priors_beyond_all_of_them_is_refused(tiny_run, tmp_path):
    words = ["--run", str(tiny_run), "--models", str(tmp_path), "--name", "corrected"]
    assert export.main([*words, "--prior-correction", "1.5"]) == 2
    assert not list(tmp_path.iterdir())
