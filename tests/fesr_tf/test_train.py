"""Training as a user types it: whole runs, interruption, resumption, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import callbacks, config, runs
from fesr_tf.train import main
from pipelines import examples, manifest
from pipelines.errors import FailedWork


def arguments(data: Path, folder: Path, *more: str) -> list[str]:
    return ["--db", "demo", "--data", str(data), "--runs", str(folder), *more]


def weights(folder: Path) -> dict[str, np.ndarray]:
    """Every value in the last checkpoint: networks, optimizers, iteration."""
    reader = tf.train.load_checkpoint(str(folder / "checkpoints"))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


def assert_equal(first: Path, second: Path) -> None:
    left, right = weights(first), weights(second)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


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


def test_ctrl_c_saves_and_the_same_command_goes_on(demo_data, tiny_settings, tmp_path):
    """Stopped in the first stage, the run ends as one never stopped, equal to the bit."""
    settings = [*tiny_settings, "pretrain_iterations=30", "max_iterations=40", "picture_every=5"]
    folder = runs.run_folder(tmp_path / "stopped", "demo", "FESR_JL", 0)
    command = arguments(demo_data, tmp_path / "stopped", *settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "fesr_tf.train", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (folder / "pictures" / "step-000005.png").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 130, output
    assert "run the same command again to go on" in output
    assert 5 <= runs.open_run(folder).step < 30

    assert main(command) == 0
    whole = runs.run_folder(tmp_path / "whole", "demo", "FESR_JL", 0)
    assert main(arguments(demo_data, tmp_path / "whole", *settings)) == 0
    left, right = weights(folder), weights(whole)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def test_a_finished_run_is_left_alone(run_copy, demo_data, tiny_settings, capsys, tmp_path):
    home = runs.run_folder(tmp_path / "runs", "demo", "FESR_JL", 0)
    home.parent.mkdir(parents=True)
    run_copy.rename(home)
    before = weights(home)
    assert main(arguments(demo_data, tmp_path / "runs", *tiny_settings)) == 0
    assert "finished" in capsys.readouterr().out
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
    assert "lambda2 was" in capsys.readouterr().err


def test_a_checkpoint_of_another_width_is_refused(run_copy, capsys):
    path = run_copy / "config.yaml"
    path.write_text(path.read_text().replace("width: 0.0625", "width: 0.125"))
    with pytest.raises(FailedWork, match="does not fit"):
        runs.open_run(run_copy)


def test_a_damaged_checkpoint_is_refused(run_copy):
    for path in (run_copy / "checkpoints").glob("*.data-*"):
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FailedWork, match="damaged"):
        runs.open_run(run_copy)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--variant", "FESR"], "there are: BASELINE"),
        (["--db", "nothing"], "no database 'nothing'"),
        (["--data", "nowhere"], "nowhere"),
        (["--fold", "9"], "folds 0 to 1"),
        (["widht=1"], "did you mean 'width'"),
        (["batch_size=10000"], "lower it"),
        (["identity=nobody"], "no face network 'nobody'"),
        (["identity=light_cnn_29"], "use identity=light_cnn_demo"),
    ],
)
def test_bad_use_is_one_sentence_and_exit_code_2(wrong, sentence, demo_data, tmp_path, capsys):
    assert main(arguments(demo_data, tmp_path, *wrong)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and sentence in error
    assert not list(tmp_path.iterdir())


def test_a_runs_folder_that_cannot_be_made_is_one_sentence(demo_data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(arguments(demo_data, tmp_path / "file")) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: cannot read or write") and error.count("\n") == 1


def test_a_run_that_has_learnt_nothing_yet_may_begin_anew(opened_run, tmp_path):
    runs.start(tmp_path, opened_run.config, opened_run.info)
    other = dataclasses.replace(opened_run.config, lambda2=7.0)
    runs.start(tmp_path, other, opened_run.info)
    assert config.load(tmp_path / "config.yaml") == other


@pytest.mark.parametrize("content", [None, b"junk{", b"\xff\xfe"])
def test_a_run_whose_list_of_checkpoints_is_damaged_does_not_start_over(run_copy, content):
    path = run_copy / "checkpoints" / "checkpoint"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(FailedWork, match="missing or damaged"):
        runs.open_run(run_copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [("fold", "0"), ("classes", "abc"), ("classes", [1, 2]), ("data", 5), ("extra", 1)],
)
def test_a_damaged_run_json_is_named(run_copy, name, value):
    path = run_copy / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(FailedWork, match=r"run\.json is damaged"):
        runs.read_info(run_copy)


def test_a_loss_that_is_not_a_number_stops_the_run_by_name():
    model = type("Model", (), {"fesgan": type("Gan", (), {"step": tf.Variable(7)})})
    guard = callbacks.StopOnNonFinite(model)
    guard.on_train_batch_end(0, {"L_rec": 1.0})
    with pytest.raises(FailedWork, match="L_id became nan at step 7"):
        guard.on_train_batch_end(0, {"L_rec": 1.0, "L_id": float("nan")})


@pytest.mark.parametrize(
    ("damage", "said"),
    [("short", "is cut short"), ("tampered", "was changed after"), ("missing", "is missing")],
)
def test_a_damaged_shard_is_refused_by_name_before_a_run_is_begun(
    demo_data, tiny_settings, tmp_path, capsys, damage, said
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
    assert error.startswith(f"error: {path} {said}") and error.count("\n") == 1
    assert not (tmp_path / "runs").exists()
