"""Checkpoints: whole or not at all, the last ones, a damaged one, a full disk, what they say."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config, runs
from fesr_tf.evaluate import main as evaluate
from fesr_tf.model import fesr
from fesr_tf.runs.checkpoints import Checkpoints, description, stage_of
from fesr_tf.training import guards
from pipelines.common.errors import BadUse, FailedWork
from tests.support.naming import naming

KEEP = 2


def settings_of(tiny_settings, *more: str) -> config.Config:
    return config.resolve("demo", "FESR_JL", [*tiny_settings, *more])


@pytest.fixture(scope="module")
def model(tiny_settings) -> fesr.FESR:
    return fesr.build(settings_of(tiny_settings), 8)


@pytest.fixture
def checkpoints(model, tmp_path) -> Checkpoints:
    """Of a model at step 1, whose values each test may change."""
    at(model, 1)
    return Checkpoints(model, tmp_path / "checkpoints", KEEP, images=48, data_digest="d")


def at(model: fesr.FESR, step: int) -> fesr.FESR:
    """The model with every value of networks and optimizers made by the step."""
    for number, variable in enumerate(variables(model)):
        values = np.random.default_rng([step, number]).uniform(0, 1, variable.shape)
        variable.assign(tf.cast(values, variable.dtype))
    model.fesgan.step.assign(step)
    return model


def variables(model: fesr.FESR) -> list[tf.Variable]:
    gan = model.fesgan
    trained = [*gan.generator_variables, *gan.image_critic.variables, *gan.code_critic.variables]
    optimizers = [gan.generator_optimizer, gan.image_critic_optimizer, gan.code_critic_optimizer]
    trained += model.recognizer.trained_variables
    slots = [each for one in (*optimizers, model.recognizer_optimizer) for each in one.variables]
    return trained + slots


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_network_optimizer_and_the_step_come_back(model, checkpoints):
    before = [variable.numpy() for variable in variables(at(model, 7))]
    checkpoints.save()
    at(model, 8)
    assert Checkpoints(model, checkpoints.folder, KEEP).restore() == 7
    for old, variable in zip(before, variables(model), strict=True):
        np.testing.assert_array_equal(old, variable.numpy(), err_msg=variable.name)


def test_the_last_ones_are_kept(model, checkpoints):
    for step in (2, 4, 6):
        at(model, step)
        checkpoints.save()
    assert names(checkpoints.folder) == ["step-000004", "step-000006"]


def test_a_checkpoint_describes_itself(model, checkpoints):
    """48 images at batch 4 are 12 batches an epoch: step 2 ends stage 1 in the first."""
    about = json.loads((checkpoints.save() / "checkpoint.json").read_text())
    assert about["step"] == 1 and about["stage"] == "FESGAN" and about["seed"] == 0
    assert about["next"] == {"stage": "FESGAN", "epoch": 0, "batch": 1}
    assert about["data_digest"] == "d" and len(about["config_sha256"]) == 64
    assert config.load(checkpoints.path(1) / "config.yaml") == model.config
    boundary = description(at(model, 2), images=48, data_digest="")
    assert boundary["stage"] == "FESGAN" and boundary["next"]["stage"] == "FESR"
    later = description(at(model, 29), images=51, data_digest="")
    assert (later["next"]["epoch"], later["next"]["batch"]) == (2, 5)


def test_the_stage_of_every_step(tiny_settings):
    settings = settings_of(tiny_settings)  # P_pre 2, P_max 4
    assert [stage_of(settings, step) for step in range(6)] == [
        *("none", "FESGAN", "FESGAN", "FESR", "FESR", "none")
    ]
    alone = config.resolve("demo", "FG", tiny_settings)
    assert [stage_of(alone, step) for step in (2, 3)] == ["FESGAN", "none"]


@pytest.mark.parametrize("damage", ["cut", "bit", "no data", "no words"])
def test_a_damaged_one_is_refused_and_an_older_one_taken_where_asked(
    model, checkpoints, damage, capsys
):
    for step in (2, 4):
        at(model, step)
        checkpoints.save()
    data = next(checkpoints.path(4).glob("weights.data*"))
    content = data.read_bytes()
    if damage == "cut":
        data.write_bytes(content[:1000])
    elif damage == "bit":
        middle = len(content) // 2
        data.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        (data if damage == "no data" else checkpoints.path(4) / "config.yaml").unlink()
    again = Checkpoints(model, checkpoints.folder, KEEP)
    with pytest.raises(FailedWork, match="step-000004"):
        again.restore()
    assert again.restore(fall_back=True) == 2
    assert "step-000004" in capsys.readouterr().err
    # Come to the damaged one's step, the run writes it anew.
    at(model, 4)
    again.save()
    assert Checkpoints(model, checkpoints.folder, KEEP).restore() == 4


def test_another_configuration_is_refused_naming_the_keys(checkpoints, tiny_settings):
    checkpoints.save()
    other = fesr.build(settings_of(tiny_settings, "lambda2=7", "learning_rate=1e-3"), 8)
    keys = naming("lambda2", 100.0, 7.0, "learning_rate", 0.0005, 0.001)
    with pytest.raises(BadUse, match=keys):
        Checkpoints(other, checkpoints.folder, KEEP).restore(fall_back=True)


def test_a_full_disk_leaves_the_old_checkpoint_good(model, checkpoints):
    """The kernel itself refuses the write, half-way through the file."""
    checkpoints.save()
    size = next(checkpoints.path(1).glob("weights.data*")).stat().st_size
    at(model, 2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))
    try:
        with pytest.raises(FailedWork, match=naming(2, checkpoints.folder)):
            checkpoints.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(checkpoints.folder) == ["step-000001"]
    assert Checkpoints(model, checkpoints.folder, KEEP).restore() == 1
    at(model, 2)
    checkpoints.save()
    assert Checkpoints(model, checkpoints.folder, KEEP).restore() == 2


def test_a_full_disk_at_the_first_checkpoint_promises_no_earlier_one(model, checkpoints):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(FailedWork, match=naming(1, checkpoints.folder)) as told:
            checkpoints.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "remains valid" not in str(told.value) and names(checkpoints.folder) == []


def test_another_machine_is_noted(model, checkpoints):
    """Equal to the bit holds for one TensorFlow and one number of cores."""
    checkpoints.save()
    assert checkpoints.elsewhere() is None
    path = checkpoints.path(1) / "checkpoint.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"cores": about["cores"] + 1, "tensorflow": "2.0"}))
    said = checkpoints.elsewhere()
    assert re.search(naming(about["cores"] + 1, "2.0", about["cores"], tf.__version__), said)


def test_what_a_kill_left_half_written_is_no_checkpoint(model, checkpoints):
    left = checkpoints.folder / ".step-000001.abc"
    left.mkdir(parents=True)
    (left / "weights.index").write_bytes(b"half")
    assert checkpoints.restore() is None
    checkpoints.sweep()
    assert names(checkpoints.folder) == []


def test_checkpoints_of_the_layout_before_are_not_taken_for_none(checkpoints):
    checkpoints.folder.mkdir()
    (checkpoints.folder / "step-500.index").write_bytes(b"")
    with pytest.raises(FailedWork, match=re.escape(str(checkpoints.folder))):
        checkpoints.restore()


@pytest.mark.parametrize("where", ["network", "optimizer"])
def test_a_state_that_is_not_finite_is_never_saved(model, checkpoints, where):
    checkpoints.save()
    poisoned = variables(at(model, 2))[3 if where == "network" else -1]
    poisoned.assign(tf.fill(poisoned.shape, np.nan))
    with pytest.raises(FailedWork, match=naming("step", 2)):
        checkpoints.save()
    assert names(checkpoints.folder) == ["step-000001"]


def test_the_best_is_the_first_of_the_highest_accuracies(model, tmp_path):
    best = Checkpoints(model, tmp_path / "best", 1)
    judged: list[tuple[int, float]] = []
    keep = guards.KeepBest(model, best, lambda: judged[-1] if judged else None)
    keep.on_step(1, {})
    for step, accuracy in ((2, 0.5), (4, 0.7), (6, 0.7), (8, 0.6)):
        at(model, step)
        judged.append((step, accuracy))
        keep.on_step(step, {})
        keep.on_step(step + 1, {})  # not validated: nothing to choose
    assert names(best.folder) == ["step-000004"]
    assert best.about()["validation_accuracy"] == 0.7
    # A run that was killed and validates the same states again chooses the same.
    again = guards.KeepBest(model, Checkpoints(model, best.folder, 1), lambda: judged[-1])
    for step, accuracy in ((4, 0.7), (6, 0.7)):
        at(model, step)
        judged.append((step, accuracy))
        again.on_step(step, {})
    assert names(best.folder) == ["step-000004"]


def test_evaluate_takes_the_best_where_it_is_asked_to(run_copy, demo_data, capsys):
    run = runs.open_run(run_copy)
    run.fesr.fesgan.step.assign(3)
    Checkpoints(run.fesr, run_copy / "best", 1).save(validation_accuracy=0.5)
    assert evaluate([str(run_copy), "--checkpoint", "best", "--data", str(demo_data)]) == 0
    assert re.search(naming(3), capsys.readouterr().out)
    result = json.loads((run_copy / "evaluation-best.json").read_text())
    assert (result["checkpoint"], result["step"]) == ("best", 3)
    assert not (run_copy / "evaluation.json").exists()


def test_without_a_validation_part_the_last_stands_for_the_best(run_copy, capsys):
    run = runs.open_run(run_copy, "best")
    assert (run.checkpoint, run.step) == ("last", 4)
    assert str(run_copy) in capsys.readouterr().err
