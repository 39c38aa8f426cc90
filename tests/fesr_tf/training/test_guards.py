"""What stops a run before harm is saved, through the command and by itself."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config, data, runs
from fesr_tf.model import fesr
from fesr_tf.runs.checkpoints import Checkpoints
from fesr_tf.train import main
from fesr_tf.training import guards
from fesr_tf.training.loop import train
from pipelines.common.errors import FailedWork
from tests.support.naming import naming


def trained(source: Path, folder: Path, *more: str) -> tuple[int, Path]:
    """The exit code of a run, and its folder."""
    code = main(["--db", "demo", "--data", str(source), "--runs", str(folder), *more])
    return code, runs.run_folder(folder, "demo", "FESR_JL", 0)


def error_of(capsys) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_an_injected_nan_stops_the_run_by_name_and_the_last_checkpoint_stays(
    demo_data, tiny_settings, tmp_path
):
    """One pixel of one training image, first seen in step 3, is not a number."""
    longer = (*tiny_settings, "pretrain_iterations=6", "max_iterations=8", "checkpoint_every=1")
    settings = config.resolve("demo", "FESR_JL", longer)
    fold = data.load_fold(demo_data, 0, settings)
    batches = list(data.batches(fold.train, settings).take(3))
    third = batches[2][0].numpy()
    seen = np.concatenate([image for image, *_ in batches[:2]])
    floats = fold.train.floats().numpy()
    chosen = next(
        row
        for row, image in enumerate(floats)
        if (image == third).all((1, 2, 3)).any() and not (image == seen).all((1, 2, 3)).any()
    )
    images = fold.train.images.astype(np.float32)
    images[chosen, 0, 0, 0] = np.nan
    poisoned = dataclasses.replace(fold, train=dataclasses.replace(fold.train, images=images))
    model = fesr.build(settings, len(fold.classes))
    with pytest.raises(FailedWork, match=naming("L_advd_z", "nan", 3)):
        train(model, poisoned, tmp_path)
    assert Checkpoints(model, tmp_path / "checkpoints", 3).restore() == 2
    assert all(np.isfinite(each.numpy()).all() for each in model.variables)


def test_a_gradient_that_is_not_finite_stops_the_run_though_every_loss_is(
    demo_data, tiny_settings, tmp_path, capsys
):
    code, folder = trained(
        demo_data, tmp_path, *tiny_settings, "lambda2=1e37", "checkpoint_every=1"
    )
    assert code == 1
    assert re.search(r"\bgradient\b.*\bG\b.*\binf\b.*\b1\b", error_of(capsys))
    assert not list(folder.glob("checkpoints/*"))


def model_at(step: int):
    return type("Model", (), {"fesgan": type("Gan", (), {"step": tf.Variable(step)})})


def test_the_terms_are_named_losses_first_and_counted():
    guard = guards.StopOnNonFinite(model_at(7))
    guard.on_train_batch_end(0, {"L_rec": 1.0})
    logs = {"signals/gradient_G": np.inf, "L_a": np.nan, "L_b": 1.0, "L_c": np.nan, "L_d": np.inf}
    with pytest.raises(FailedWork, match=r"L_a.* nan.*L_c.* nan.*L_d.* inf.*\b1\b.*\b7\b") as error:
        guard.on_train_batch_end(0, logs)
    assert "L_b" not in str(error.value) and "gradient" not in str(error.value)


def test_of_steps_taken_in_one_call_all_are_named():
    model = model_at(10)
    guard = guards.StopOnNonFinite(model)
    guard.on_train_batch_end(0, {"L_rec": 1.0})
    model.fesgan.step.assign(15)
    with pytest.raises(FailedWork, match=naming("L_rec", "nan", 11, 15)):
        guard.on_train_batch_end(0, {"L_rec": np.nan})


def test_a_checkpoint_that_falls_among_steps_taken_in_one_call_is_saved_after_them():
    """Every 4 steps, 3 at a time: after 6 (for 4), 9 (for 8) and 12."""
    saved, model = [], model_at(0)
    model.config = type("Config", (), {"checkpoint_every": 4})

    class Counted:
        def save(self):
            saved.append(int(model.fesgan.step.numpy()))

    guard = guards.Saves(model, Counted())
    for step in (3, 6, 9, 12, 15):
        model.fesgan.step.assign(step)
        guard.on_train_batch_end(0, {})
    assert saved == [6, 9, 12]
