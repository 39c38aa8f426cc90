"""The settings of FESGAN beyond the paper: each against values worked out by hand."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import runs
from fesr_tf.export import main as export
from fesr_tf.model import losses
from fesr_tf.synthesize import main as synthesize
from fesr_tf.train import main as train
from pipelines.common.errors import BadUse
from tests.fesr_tf.model.test_beyond_paper import checkpoint_values

ALL = ("penalty_patches=mean", "upsampling=resize")


def test_penalty_on_the_mean_of_patches():
    """Patches 3 x and 4 x of one pixel x: a slope of 3.5, so (3.5 - 1)^2; of the sum (7 - 1)^2."""
    weights = tf.constant([3.0, 4.0], shape=(1, 1, 2, 1))
    images = tf.random.stateless_normal((2, 3, 1, 1, 1), (1, 0))
    penalty = losses.gradient_penalty(lambda x: x * weights, *images, [0, 0], patches="mean")
    assert float(penalty) == pytest.approx(6.25, rel=1e-5)


def test_a_run_with_all_resumes_to_the_same_bits_and_is_exported(
    demo_data, tiny_settings, tmp_path
):
    words = ["--db", "demo", "--data", str(demo_data), *tiny_settings, *ALL, "checkpoint_every=1"]
    words.append("keep_checkpoints=4")
    assert train([*words, "--runs", str(tmp_path / "whole")]) == 0
    folder = runs.run_folder(tmp_path / "whole", "demo", "FESR_JL", 0)
    values = checkpoint_values(folder)
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    stopped = runs.run_folder(tmp_path / "stopped", "demo", "FESR_JL", 0)
    for step in (2, 3, 4):  # from the middle of stage 1
        shutil.rmtree(stopped / f"checkpoints/step-{step:06d}")
    assert train([*words, "--runs", str(tmp_path / "stopped")]) == 0
    again = checkpoint_values(stopped)
    assert again.keys() == values.keys() and len(values) > 100
    for name, value in values.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)

    assert export(["--run", str(folder), "--name", "m", "--models", str(tmp_path / "m")]) == 0
    assert synthesize([str(folder), "--output", str(tmp_path / "sheets")]) == 0
    settings = stopped / "config.yaml"
    settings.write_text(
        settings.read_text().replace("upsampling: resize", "upsampling: transposed")
    )
    with pytest.raises(BadUse, match="upsampling"):
        runs.open_run(stopped)
