"""The paper's sizes: both stages at 128 pixels, full width, behind a published face network."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from fesr_tf.networks.light_cnn import SPECS
from fesr_tf.weights.convert import convert
from fesr_tf.weights.light_cnn_checkpoints import shapes_of

# isort: split
from tests.support.torch_writer import state, write_zip

NAME = "light_cnn_v4"
SIZE = ["image_size=128", "width=1.0", f"identity={NAME}"]
STEPS = ["pretrain_iterations=3", "max_iterations=6"]


@pytest.mark.slow
def test_three_steps_of_each_stage(demo_data, tmp_path):
    """In a process of its own, whose peak is measured; the weights are random, of v4's shape."""
    checkpoint = write_zip(tmp_path / "v4.pth.tar", {"state_dict": state(shapes_of(SPECS[NAME]))})
    convert(checkpoint, NAME, tmp_path / "cache" / f"{NAME}.npz")
    words = ["-m", "fesr_tf.train", "--db", "demo", "--data", str(demo_data)]
    words += ["--runs", str(tmp_path / "runs"), *SIZE, *STEPS]
    environment = os.environ | {"FESR_TF_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    run = tmp_path / "runs" / "demo" / "FESR_JL" / "fold-00"
    assert (run / "checkpoints" / "step-000003").exists()
    assert (run / "checkpoints" / "step-000006").exists()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert peak < 24 * 2**30
    print(f"peak {peak / 2**30:.1f} GiB")
