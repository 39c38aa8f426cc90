"""Two devices take the step that one takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fesr_tf import runs
from fesr_tf.train import main

SCRIPT = Path(__file__).parents[2] / "support/mirrored_steps.py"


def run(devices: int, folder: Path) -> tuple[dict[str, float], list[np.ndarray]]:
    """The last losses, and by how much each weight has moved. The signals are left out: of
    several devices each looks at its own rows."""
    output = folder / f"{devices}.npz"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(devices), str(output)],
        capture_output=True,
        text=True,
        cwd=SCRIPT.parent.parent.parent,
        env={"PYTHONPATH": str(SCRIPT.parent.parent.parent), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    with np.load(output) as file:
        logs = json.loads(done.stdout.splitlines()[-1])
        losses = {name: value for name, value in logs.items() if "/" not in name}
        return losses, [file[name] for name in file.files]


def test_two_devices_give_the_single_devices_weights(tmp_path):
    """Two steps of each stage on halves of the same batches, draws and masks, in float64."""
    one, moved = run(1, tmp_path)
    two, moved_by_two = run(2, tmp_path)
    assert two == pytest.approx(one, rel=1e-10, abs=1e-12)
    assert {"L_rec", "penalty", "L_R", "L_dist_rf", "L_G"} <= set(one)
    largest = max(np.abs(value).max() for value in moved)
    assert largest > 0
    for value, other in zip(moved, moved_by_two, strict=True):
        assert value.dtype == np.float64
        assert np.abs(value - other).max() <= 1e-9 * np.abs(value).max() + 1e-12 * largest


def test_the_command_trains_saves_and_opens_a_mirrored_run(
    demo_data, tiny_settings, opened_run, tmp_path
):
    """Without a GPU the strategy has one device: the run ends as the one without it."""
    words = ["--db", "demo", "--data", str(demo_data), "--runs", str(tmp_path), *tiny_settings]
    assert main([*words, "strategy=mirrored"]) == 0
    mirrored = runs.open_run(tmp_path / "demo/FESR_JL/fold-00")
    assert mirrored.step == opened_run.step == 4
    for ours, single in zip(mirrored.fesr.weights, opened_run.fesr.weights, strict=True):
        np.testing.assert_allclose(ours, single, rtol=1e-5, atol=1e-6)
