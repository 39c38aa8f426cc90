"""Stage 1 once for several variants: what it reads, equality to the bit, refusals."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config, data, runs
from fesr_tf.config import Config
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.networks.face_networks import load_face_network
from fesr_tf.train import main
from fesr_tf.training import first_stage
from pipelines.common.errors import BadUse
from tests.support.naming import naming

SIBLINGS = ("FESR_SL", "FESR_Real", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_JL")


def arguments(source: Path, home: Path, variant: str, settings, *more: str) -> list[str]:
    where = ["--db", "demo", "--data", str(source), "--runs", str(home), "--variant", variant]
    return [*where, *more, *settings]


def values(folder: Path, step: int) -> dict[str, np.ndarray]:
    """Every value of a checkpoint: networks, optimizers, the step."""
    reader = tf.train.load_checkpoint(str(folder / f"checkpoints/step-{step:06d}/weights"))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names}


def assert_same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert left.keys() == right.keys() and len(left) > 100
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


@pytest.fixture(scope="module")
def shared(trained) -> Path:
    """A finished FG run: stage 1 alone."""
    return trained("FG")


def test_stage_1_reads_no_key_of_the_second_stage(opened_run, demo_data):
    """Every attribute of the configuration that building and training FESGAN asks for."""
    names = set(config.KEYS)
    read = set()

    class Recording(Config):
        def __getattribute__(self, name):
            if name in names:
                read.add(name)
            return super().__getattribute__(name)

    plain = opened_run.config
    watched = Recording(**plain.model_dump())
    read.clear()
    fold = data.load_fold(demo_data, 0, watched)
    gan = FESGAN(watched, len(fold.classes), load_face_network(plain.identity))
    gan.compile()
    gan.fit(data.batches(fold.train, watched, recognizer=False), steps_per_epoch=1, verbose=0)
    assert {"lambda1", "learning_rate", "seed", "image_critic", "width"} <= read
    assert read & first_stage.UNREAD == set()


def test_the_variants_of_fig_8_that_share_a_stage_1():
    stage = config.resolve("ckplus", "FG")
    found = [
        name
        for name in config.names("variants")
        if first_stage.has_one(config.resolve("ckplus", name))
        and not first_stage.differences(stage, config.resolve("ckplus", name))
    ]
    assert sorted(found) == sorted(SIBLINGS)


def test_stage_1_of_fg_is_that_of_the_whole_method(shared, tiny_run):
    """R, untrained, and its optimizer included."""
    assert_same(values(shared, 2), values(tiny_run, 2))


def test_a_run_from_a_shared_stage_1_ends_as_one_that_trained_alone(
    shared, tiny_run, demo_data, tiny_settings, tmp_path, capfd
):
    words = arguments(demo_data, tmp_path, "FESR_JL", tiny_settings, "--first-stage", str(shared))
    assert main(words) == 0
    out = capfd.readouterr().out
    assert any(re.search(naming(shared, 2), line) for line in out.splitlines())
    folder = runs.run_folder(tmp_path, "demo", "FESR_JL", 0)
    for step in (2, 4):
        assert_same(values(folder, step), values(tiny_run, step))
    assert first_stage.taken_from(folder) == "FG"
    # A run that has begun goes on by itself, wherever that stage 1 is by now.
    gone = [str(tmp_path / "gone") if word == str(shared) else word for word in words]
    assert main(gone) == 0


@pytest.mark.slow
@pytest.mark.parametrize("variant", [name for name in SIBLINGS if name != "FESR_JL"])
def test_every_variant_that_shares_it_has_this_stage_1_and_the_same_end(
    variant, shared, demo_data, tiny_settings, tmp_path
):
    alone, seeded = tmp_path / "alone", tmp_path / "seeded"
    assert main(arguments(demo_data, alone, variant, tiny_settings)) == 0
    more = ("--first-stage", str(shared))
    assert main(arguments(demo_data, seeded, variant, tiny_settings, *more)) == 0
    folders = [runs.run_folder(home, "demo", variant, 0) for home in (alone, seeded)]
    assert_same(values(folders[0], 2), values(shared, 2))
    assert_same(values(folders[0], 4), values(folders[1], 4))


@pytest.mark.parametrize(
    ("variant", "override", "values"),
    [
        ("FESR_JL", "lambda2=7", ("lambda2", 100.0, 7.0)),
        ("FESR_JL", "seed=3", ("seed", 0, 3)),
        ("FESR_JL", "pretrain_iterations=1", ("pretrain_iterations", 2, 1)),
        ("BASELINE", "seed=0", ("BASELINE",)),
        ("FESR_OneSt", "pretrain_iterations=0", ("FESR_OneSt",)),
    ],
)
def test_another_stage_1_is_refused_and_no_run_starts(
    variant, override, values, shared, demo_data, tiny_settings, tmp_path, capfd
):
    more = ("--first-stage", str(shared))
    words = arguments(demo_data, tmp_path, variant, (*tiny_settings, override), *more)
    assert main(words) == 2
    assert re.search(naming(*values, shared), capfd.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_other_data_and_a_stage_1_without_its_end_are_refused(shared, opened_run, tmp_path):
    info = runs.read_info(shared)
    with pytest.raises(BadUse, match=naming("fold", 0, 1)):
        first_stage.refuse(shared, opened_run.config, dataclasses.replace(info, fold=1))
    other = dataclasses.replace(info, data_digest="f" * 64)
    with pytest.raises(BadUse, match=naming("data_digest", info.data_digest[:12], "f" * 12)):
        first_stage.refuse(shared, opened_run.config, other)
    copy = Path(shutil.copytree(shared, tmp_path / "copy"))
    shutil.rmtree(copy / "checkpoints/step-000002")
    with pytest.raises(BadUse, match=naming(copy, 2)):
        first_stage.refuse(copy, opened_run.config, info)
    with pytest.raises(BadUse, match=naming(tmp_path)):
        first_stage.refuse(tmp_path, opened_run.config, info)
