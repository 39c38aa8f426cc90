"""A run killed at random moments ends as one that was never stopped, equal to the bit."""

from __future__ import annotations

import re

import pytest

from fesr_tf.runs import open_run
from fesr_tf.runs.checkpoints import Checkpoints
from tests.support.killed_run import Trial, difference, ended, kill, newest, rendered


@pytest.mark.slow
def test_killed_in_both_stages_and_while_saving(tmp_path):
    rows, wrong = kill(rendered(tmp_path), tmp_path, kills=8, seed=3)
    assert len(rows) == 8 and wrong == []


def test_a_difference_of_one_bit_is_found(run_copy):
    """What the comparison of the killed runs rests on."""
    run = open_run(run_copy)
    last = newest(run_copy / "checkpoints")
    other = Checkpoints(run.fesr, run_copy / "other", 1)
    assert difference(other.save(), last) == ""
    weight = run.fesr.fesgan.generator_variables[0]
    weight.assign(weight * (1 + 2**-23))
    other.present = None
    assert re.findall(r"\d+", difference(other.save(), last)) == ["1", "169"]


def test_what_is_left_behind_is_found(tmp_path, run_copy):
    trial = Trial(tmp_path, tmp_path / "runs")
    trial.folder.parent.mkdir(parents=True)
    run_copy.rename(trial.folder)
    (trial.folder / "best").mkdir()
    (trial.folder / "checkpoints" / ".step-000002.x").mkdir()
    wrong = ended(trial, trial.folder)
    best, left = wrong
    assert best.startswith("best") and ".step-000002.x" in left
