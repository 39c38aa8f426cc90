"""Training as a user types it: whole runs, interruption, resumption, refusals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config, runs
from fesr_tf.runs import machine
from fesr_tf.train import main
from pipelines.common.errors import BadUse, FailedWork
from pipelines.dataset import examples, manifest
from tests.support.naming import naming


def arguments(data: Path, folder: Path, *more: str) -> list[str]:
    return ["--db", "demo", "--data", str(data), "--runs", str(folder), *more]


def weights(folder: Path) -> dict[str, np.ndarray]:
    """Every value in the last checkpoint: networks, optimizers, iteration."""
    last = max((folder / "checkpoints").glob("step-*"))
    reader = tf.train.load_checkpoint(str(last / "weights"))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names}


def assert_equal(first: Path, second: Path) -> None:
    left, right = weights(first), weights(second)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def begun(folder: Path) -> list[int]:
    """The steps at which training began in the folder."""
    return [start["step"] for start in json.loads((folder / machine.MACHINE).read_text())["starts"]]


def test_a_run_leaves_what_the_later_commands_need(tiny_run):
    assert runs.read_info(tiny_run).variant == "FESR_JL"
    assert runs.open_run(tiny_run).step == 4
    assert list((tiny_run / "events").iterdir())
    assert sorted(path.name for path in (tiny_run / "pictures").glob("step-*")) == [
        "step-000002.png",
        "step-000004.png",
    ]


def test_every_loss_is_in_tensorboard(tiny_run):
    tags = set()
    for path in (tiny_run / "events").glob("events.out.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            tags |= {value.tag for value in event.summary.value}
    assert {"losses/L_rec", "losses/L_R", "losses/L_advd_z", "faces"} <= tags
    assert "speed/images_per_second" in tags


@pytest.fixture(scope="module")
def longer(tiny_settings) -> list[str]:
    """Settings of a run that is long enough to be stopped in either stage."""
    return [
        *(*tiny_settings, "pretrain_iterations=30", "max_iterations=40"),
        *("picture_every=5", "checkpoint_every=3"),
    ]


@pytest.fixture(scope="module")
def never_stopped(demo_data, longer, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert main(arguments(demo_data, folder, *longer)) == 0
    return runs.run_folder(folder, "demo", "FESR_JL", 0)


def started(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "fesr_tf.train", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_resumes(demo_data, longer, never_stopped, tmp_path):
    """Stopped in the first stage, the run ends as one never stopped, equal to the bit."""
    folder = runs.run_folder(tmp_path, "demo", "FESR_JL", 0)
    command = arguments(demo_data, tmp_path, *longer)
    process = started(command)
    while not (folder / "pictures" / "step-000005.png").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 130, output
    step = runs.open_run(folder).step
    assert 5 <= step < 30
    assert any(re.search(naming(step, folder), line) for line in output.splitlines())

    assert main(command) == 0
    assert begun(folder) == [0, step]
    assert_equal(folder, never_stopped)


@pytest.mark.slow
def test_a_run_killed_while_it_saves_resumes_to_the_same_end(
    demo_data, longer, never_stopped, tmp_path
):
    folder = runs.run_folder(tmp_path, "demo", "FESR_JL", 0)
    command = arguments(demo_data, tmp_path, *longer)
    process = started(command)
    while process.poll() is None:
        if (
            len({path.name for path in folder.glob("checkpoints/.*")})
            and (folder / "checkpoints" / "step-000003").exists()
        ):
            break
        time.sleep(0.0005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert main(command) == 0
    first, again = begun(folder)
    assert first == 0 and again >= 3
    assert_equal(folder, never_stopped)
    assert not list(folder.glob("checkpoints/.*"))


def test_two_runs_in_one_folder_are_refused(demo_data, tiny_settings, tmp_path, capsys):
    home = runs.run_folder(tmp_path, "demo", "FESR_JL", 0)
    command = arguments(demo_data, tmp_path, *tiny_settings)
    with runs.alone(home):
        assert main(command) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and re.search(naming(os.getpid(), home), error)
    assert [path.name for path in home.iterdir()] == [".lock"]


def test_a_finished_run_is_left_alone(run_copy, demo_data, tiny_settings, tmp_path):
    home = runs.run_folder(tmp_path / "runs", "demo", "FESR_JL", 0)
    home.parent.mkdir(parents=True)
    run_copy.rename(home)
    before = weights(home)
    assert main(arguments(demo_data, tmp_path / "runs", *tiny_settings)) == 0
    assert begun(home) == [0]
    for name, value in before.items():
        np.testing.assert_array_equal(value, weights(home)[name])


def test_another_configuration_in_the_same_folder_is_refused(
    run_copy, demo_data, tiny_settings, capsys, tmp_path
):
    home = runs.run_folder(tmp_path / "runs", "demo", "FESR_JL", 0)
    home.parent.mkdir(parents=True)
    run_copy.rename(home)
    command = arguments(demo_data, tmp_path / "runs", *tiny_settings, "lambda2=7")
    assert main(command) == 2
    assert re.search(naming("lambda2", 100.0, 7.0), capsys.readouterr().err)


def test_a_checkpoint_of_another_width_is_refused(run_copy):
    path = run_copy / "config.yaml"
    path.write_text(path.read_text().replace("width: 0.0625", "width: 0.125"))
    with pytest.raises(BadUse, match=naming("width", 0.0625, 0.125)):
        runs.open_run(run_copy)


@pytest.mark.parametrize(
    ("wrong", "values"),
    [
        (["--variant", "FESR"], ("'FESR'", "BASELINE")),
        (["--db", "nothing"], ("'nothing'", "demo")),
        (["--data", "nowhere"], ("nowhere",)),
        (["--fold", "9"], (9, 0, 1)),
        (["widht=1"], ("'widht'", "'width'")),
        (["batch_size=10000"], ("batch_size", 10000)),
        (["image_size=256"], ("image_size", 256, 128)),
        (["identity=nobody"], ("'nobody'", "light_cnn_demo")),
        (["identity=light_cnn_29"], ("light_cnn_29", "identity=light_cnn_demo")),
    ],
)
def test_bad_use_is_one_sentence_and_exit_code_2(wrong, values, demo_data, tmp_path, capsys):
    assert main(arguments(demo_data, tmp_path, *wrong)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and re.search(naming(*values), error)
    assert not list(tmp_path.iterdir())


def test_a_runs_folder_that_cannot_be_made_is_one_sentence(demo_data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(arguments(demo_data, tmp_path / "file")) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert str(tmp_path / "file") in error


def test_a_run_without_a_checkpoint_restarts(opened_run, tmp_path):
    runs.start(tmp_path, opened_run.config, opened_run.info)
    other = opened_run.config.model_copy(update={"lambda2": 7.0})
    runs.start(tmp_path, other, opened_run.info)
    assert config.load(tmp_path / "config.yaml") == other


@pytest.mark.parametrize(
    ("name", "value"),
    [("fold", "0"), ("classes", "abc"), ("classes", [1, 2]), ("data", 5), ("extra", 1)],
)
def test_a_damaged_run_json_is_named(run_copy, name, value):
    path = run_copy / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(FailedWork, match=naming(path)):
        runs.read_info(run_copy)


@pytest.mark.parametrize("damage", ["short", "tampered", "missing"])
def test_a_damaged_shard_is_refused_by_name_before_a_run_starts(
    demo_data, tiny_settings, tmp_path, capsys, damage
):
    data = shutil.copytree(demo_data, tmp_path / "data")
    path = data / manifest.load(data).shards[-1].path
    content = path.read_bytes()
    # Cut between two records, where TensorFlow would read on without an error.
    first = next(iter(examples.read_records(path)))
    if damage == "short":
        path.write_bytes(examples.framed(first))
    elif damage == "tampered":
        path.write_bytes(content.replace(first, first[:-1] + bytes([first[-1] ^ 1])))
    else:
        path.unlink()
    assert main(arguments(data, tmp_path / "runs", *tiny_settings)) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path} ") and error.count("\n") == 1
    assert not (tmp_path / "runs").exists()
