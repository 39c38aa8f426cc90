"""The whole command on two devices: every callback, one device's weights, and a resumed run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fesr_tf import runs
from fesr_tf.model.fesr import FESR, build

CHECKOUT = Path(__file__).parents[3]
SETTINGS = (
    "image_size=32 width=0.0625 batch_size=8 pretrain_iterations=6 max_iterations=12 log_every=3 "
    "histogram_every=3 picture_every=3 checkpoint_every=3 validate_every=3 projector_faces=8 "
    "prior=fitted details=0.2"
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(demo_images, tmp_path_factory):
    """Folds with a validation part, so that the best checkpoint is written too."""
    from pipelines.preprocess import main

    folder = tmp_path_factory.mktemp("validated") / "data"
    words = ["--db", "demo", "--input", str(demo_images), "--output", str(folder)]
    assert main([*words, "--folds", "4", "--valid-share", "0.34"]) == 0
    return folder


def train(devices: int, data: Path, folder: Path) -> Path:
    script = CHECKOUT / "tests/support/mirrored_training.py"
    words = [str(script), str(devices), "--db", "demo", "--data", str(data), "--runs", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run([sys.executable, *words, *SETTINGS.split()], env=environment)
    assert done.returncode == 0
    return folder / "demo/FESR_JL/fold-00"


def weights(model: FESR) -> np.ndarray:
    return np.concatenate([each.numpy().ravel() for each in model.weights])


def test_two_devices_train_as_one_and_resume_to_the_same_bits(data, tmp_path):
    folders = {devices: train(devices, data, tmp_path / str(devices)) for devices in (1, 2)}
    one, two = (runs.open_run(folder) for folder in folders.values())
    begin = weights(build(one.config, len(one.info.classes)))
    moved, moved_by_two = weights(one.fesr) - begin, weights(two.fesr) - begin
    # Adam's first steps go by the sign of gradients, some of which are rounding.
    assert np.corrcoef(moved, moved_by_two)[0, 1] > 0.999
    # Which of the nearly untrained checkpoints is the best is rounding, too.
    made = [
        sorted(
            path.name
            for path in folder.rglob("*")
            if "tfevents" not in path.name and path.parent.name != "best"
        )
        for folder in folders.values()
    ]
    assert made[0] == made[1]
    assert all(len(list((folder / "best").iterdir())) == 1 for folder in folders.values())
    assert (folders[2] / "pictures/step-000012.png").is_file()
    for step in (9, 12):
        shutil.rmtree(folders[2] / f"checkpoints/step-{step:06d}")
    train(2, data, tmp_path / "2")
    np.testing.assert_array_equal(weights(runs.open_run(folders[2]).fesr), weights(two.fesr))
