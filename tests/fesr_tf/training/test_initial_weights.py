"""A run may start with another run's weights; networks of other sizes are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fesr_tf.model.fesr import build
from fesr_tf.runs import files
from fesr_tf.train import main
from fesr_tf.training import initial_weights


def test_every_network_starts_with_the_other_runs_weights(tiny_run, opened_run, tmp_path):
    settings = opened_run.config.model_copy(update={"seed": 9, "ema": 0.9})
    model = build(settings, len(opened_run.info.classes))
    about = initial_weights.take(model, tiny_run)
    assert about == {"variant": "FESR_JL", "database": "demo", "step": opened_run.step}
    ours, theirs = model.fesgan, opened_run.fesr.fesgan
    for one, other in (
        (ours.generator_variables, theirs.generator_variables),
        (ours.image_critic.variables, theirs.image_critic.variables),
        (ours.code_critic.variables, theirs.code_critic.variables),
        (model.recognizer.trained_variables, opened_run.fesr.recognizer.trained_variables),
    ):
        for weight, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(weight, expected)
    assert int(model.fesgan.step) == 0
    before = [each.numpy() for each in ours.generator_variables]
    model.use_averages()  # which begin there too
    for weight, expected in zip(ours.generator_variables, before, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_the_command_records_the_origin_of_its_first_weights(
    tiny_run, demo_data, tiny_settings, tmp_path
):
    words = ["--db", "demo", "--data", str(demo_data), "--runs", str(tmp_path)]
    words += ["--variant", "BASELINE", "--initial-weights", str(tiny_run), *tiny_settings]
    assert main(words) == 0
    folder = tmp_path / "demo/BASELINE/fold-00"
    assert json.loads((folder / files.INITIAL_WEIGHTS).read_text())["variant"] == "FESR_JL"


@pytest.mark.parametrize("override", ["width=0.125", "upsampling=resize", "generator_norm=layer"])
def test_networks_of_other_sizes_are_refused(
    tiny_run, demo_data, tiny_settings, tmp_path, capfd, override
):
    words = ["--db", "demo", "--data", str(demo_data), "--runs", str(tmp_path)]
    words += ["--initial-weights", str(tiny_run), *tiny_settings, override]
    assert main(words) == 2
    assert override.partition("=")[0] in capfd.readouterr().err
    assert not list(tmp_path.iterdir())
