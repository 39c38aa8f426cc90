"""The benchmark of the training step: its arithmetic, and that it measures what it names."""

from __future__ import annotations

import pytest

from benchmarks import arithmetic, train_step
from fesr_tf import config


def test_multiply_adds_of_the_papers_networks():
    """Worked out by hand from Tables I and II; the trunk and the rest make F_id's 3,619 M."""
    found = arithmetic.forward(config.resolve("ckplus"), 7)
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
def test_what_the_cache_saves(stage, saved):
    settings = config.resolve("ckplus")
    plain, cached = (arithmetic.step(settings, 7, stage, has) for has in (False, True))
    assert (plain - cached) / 1e6 == pytest.approx(saved, abs=1)


def test_modes_take_turns_and_the_losses_agree(capsys):
    words = ["--width", "0.0625", "--size", "64", "--batch", "4", "--identity", "light_cnn_demo"]
    words += ["--runs", "1", "--threads", "1", "--modes", "plain,optimised,bfloat16"]
    assert train_step.main(words) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line[:1] == "|"]
    by_mode = {row[1].strip(): [cell.strip() for cell in row[2:]] for row in rows[2:]}
    assert list(by_mode) == ["plain", "optimised", "bfloat16"]
    assert float(by_mode["optimised"][-2]) < 1e-4
    assert 1e-4 < float(by_mode["bfloat16"][-2]) < 0.02
    assert all(float(row[0]) > 0 for row in by_mode.values())


def test_an_unknown_mode_is_refused(capsys):
    assert train_step.main(["--modes", "fastest"]) == 2
    assert "no mode 'fastest'; there are: plain," in capsys.readouterr().err
