"""A run and data, or a checkpoint, of another number of classes: one sentence each, by command."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from fesr_tf import evaluate, synthesize
from fesr_tf.train import main as train
from pipelines.preprocess import main as preprocess
from tests.support.naming import naming


@pytest.fixture(scope="module")
def fewer(demo_images, tmp_path_factory) -> Path:
    """The same people without one expression, preprocessed: 7 classes, not 8."""
    images = tmp_path_factory.mktemp("fewer") / "faces"
    shutil.copytree(demo_images, images)
    shutil.rmtree(images / "contempt")
    folder = images.parent / "data"
    arguments = ["--db", "images", "--input", images, "--output", folder, "--folds", 2]
    assert preprocess([str(each) for each in arguments]) == 0
    return folder


def said(capfd) -> str:
    """The one line of standard error."""
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    return lines[0]


def test_going_on_with_data_of_other_classes(run_copy, fewer, tiny_settings, tmp_path, capfd):
    home = tmp_path / "runs" / "demo" / "FESR_JL" / "fold-00"
    home.parent.mkdir(parents=True)
    run_copy.rename(home)
    # The lock is taken before the run is looked at.
    before = {path: path.stat().st_mtime_ns for path in home.rglob("[!.]*")}
    capfd.readouterr()
    arguments = ["--db", "demo", "--data", str(fewer), "--runs", str(tmp_path / "runs")]
    assert train([*arguments, *tiny_settings]) == 2
    error = said(capfd)
    assert re.search(naming(home, 8, 7, "contempt", "--runs"), error)
    assert before == {path: path.stat().st_mtime_ns for path in home.rglob("[!.]*")}


@pytest.mark.parametrize("command", [evaluate.main, synthesize.main])
def test_using_a_run_on_data_of_other_classes(run_copy, fewer, capfd, command):
    assert command([str(run_copy), "--data", str(fewer)]) == 2
    error = said(capfd)
    assert re.search(naming(fewer, 8, 7, "contempt", "--data DIR"), error)


@pytest.mark.parametrize("command", [evaluate.main, synthesize.main])
def test_a_checkpoint_of_other_classes_than_run_json_says(run_copy, capfd, command):
    path = run_copy / "run.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"classes": info["classes"][:-1]}))
    assert command([str(run_copy)]) == 1
    assert "step-000004" in said(capfd)


@pytest.mark.parametrize(
    ("wrong", "values"),
    [
        (["--variant", "FESR"], ("'FESR'", "BASELINE, FESR_JL, FESR_JL-IL")),
        (["--variant", "../base"], ("'../base'", "BASELINE")),
        (["--variant", ""], ("''", "BASELINE")),
        (["lamda6=0"], ("'lamda6'", "'lambda")),
        (["zzz=0"], ("'zzz'", "image_size")),
        (["intensity=half"], ("intensity", "half", "uniform", "one")),
        (["l1_reduction=max"], ("l1_reduction", "max", "mean", "sum")),
        (["intra_features=x"], ("intra_features", "x", "post_dropout", "pre_dropout")),
        (["synthetic=z"], ("synthetic", "z", "prior", "encoder", "none")),
        (["channels=4"], ("channels", 4, 1, 3)),
        (["rdbp=2"], ("rdbp", 2, "true", "false")),
    ],
)
def test_what_does_not_exist_lists_what_does(demo_data, tmp_path, capfd, wrong, values):
    runs = tmp_path / "runs"
    arguments = ["--db", "demo", "--data", str(demo_data), "--runs", str(runs)]
    assert train([*arguments, *wrong]) == 2
    assert re.search(naming(*values), said(capfd))
    assert not runs.exists()
