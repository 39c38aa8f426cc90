"""The benchmark of the training step: its arithmetic, and that it measures what it names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.training import step
from fesr_tf import config
from tests.support import multiply_adds

ROOT = Path(__file__).parents[2]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.training.step", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_multiply_adds_of_the_papers_networks():
    """Worked out by hand from Tables I and II; the trunk and the rest make F_id's 3,619 M."""
    found = multiply_adds.forward(config.resolve("ckplus"), 7)
    millions = {name: round(value / 1e6) for name, value in found.items()}
    assert {name: millions[name] for name in ("G_enc", "G_dec", "D_img", "R", "trunk")} == {
        "G_enc": 542,
        "G_dec": 137,
        "D_img": 541,
        "R": 65,
        "trunk": 1776,
    }
    assert round((found["trunk"] + found["rest"]) / 1e6) == 3619


@pytest.mark.parametrize(("stage", "saved"), [("joint", 2 * 1776 + 1843), ("pretrain", 3619)])
def test_multiply_adds_that_the_cache_saves(stage, saved):
    settings = config.resolve("ckplus")
    plain, cached = (multiply_adds.step(settings, 7, stage, has) for has in (False, True))
    assert (plain - cached) / 1e6 == pytest.approx(saved, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "modes",
    [
        ["plain", "bfloat16"],
        pytest.param(["plain", "optimised", "bfloat16"], marks=pytest.mark.slow),
    ],
    ids=",".join,
)
def test_modes_take_turns_and_the_losses_agree(modes):
    done = run("--width", "0.0625", "--size", "64", "--batch", "4", "--identity", "light_cnn_demo",
               "--runs", "1", "--threads", "1", "--modes", ",".join(modes))  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    by_mode = {row[0]: row[1:] for row in rows if row and row[0] in modes and len(row) > 6}
    assert list(by_mode) == modes
    assert "optimised" not in modes or float(by_mode["optimised"][-1]) < 1e-4
    assert 1e-4 < float(by_mode["bfloat16"][-1]) < 0.02
    assert all(float(row[0]) > 0 for row in by_mode.values())


def test_an_unknown_mode_is_refused(capsys):
    assert step.main(["--modes", "fastest"]) == 2
    error = capsys.readouterr().err
    assert "fastest" in error and "plain" in error
