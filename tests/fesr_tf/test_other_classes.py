"""A run and data, or a checkpoint, of another number of classes: one sentence each, by command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fesr_tf import evaluate, synthesize
from fesr_tf.train import main as train
from pipelines.preprocess import main as preprocess


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
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    capfd.readouterr()
    arguments = ["--db", "demo", "--data", str(fewer), "--runs", str(tmp_path / "runs")]
    assert train([*arguments, *tiny_settings]) == 2
    error = said(capfd)
    assert f"{home} holds a run with other settings" in error
    assert "the classes were 8, now 7 (contempt is in one of them only)" in error
    assert "give another --runs folder" in error
    assert before == {path: path.stat().st_mtime_ns for path in home.rglob("*")}


@pytest.mark.parametrize("command", [evaluate.main, synthesize.main])
def test_using_a_run_on_data_of_other_classes(run_copy, fewer, capfd, command):
    assert command([str(run_copy), "--data", str(fewer)]) == 2
    error = said(capfd)
    assert f"{fewer} holds other data" in error
    assert "classes: 8, now 7 (contempt is in one of them only)" in error
    assert "--data DIR" in error


@pytest.mark.parametrize("command", [evaluate.main, synthesize.main])
def test_a_checkpoint_of_other_classes_than_run_json_says(run_copy, capfd, command):
    path = run_copy / "run.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"classes": info["classes"][:-1]}))
    assert command([str(run_copy)]) == 1
    assert "does not fit the run's configuration or is damaged" in said(capfd)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--variant", "FESR"], "no variant 'FESR'; there are: BASELINE, FESR_JL, FESR_JL-IL"),
        (["--variant", "../base"], "no variant '../base'; there are: BASELINE"),
        (["--variant", ""], "no variant ''; there are: BASELINE"),
        (["lamda6=0"], "no configuration key 'lamda6' (in the command line); did you mean 'lambda"),
        (["zzz=0"], "no configuration key 'zzz' (in the command line); there are: image_size"),
        (["intensity=half"], "intensity must be one of uniform, one, not half"),
        (["l1_reduction=max"], "l1_reduction must be one of mean, sum, not max"),
        (["intra_features=x"], "intra_features must be one of post_dropout, pre_dropout, not x"),
        (["synthetic=z"], "synthetic must be one of prior, encoder, none, not z"),
        (["channels=4"], "channels must be one of 1, 3, not 4"),
        (["rdbp=2"], "rdbp must be of type bool (true or false), not 2"),
    ],
)
def test_what_does_not_exist_lists_what_does(demo_data, tmp_path, capfd, wrong, sentence):
    runs = tmp_path / "runs"
    arguments = ["--db", "demo", "--data", str(demo_data), "--runs", str(runs)]
    assert train([*arguments, *wrong]) == 2
    assert sentence in said(capfd)
    assert not runs.exists()
