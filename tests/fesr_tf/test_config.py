"""The configuration: layers, types, ranges, and the sentences on what does not fit."""

from __future__ import annotations

import dataclasses

import pytest

from fesr_tf import config
from pipelines.common.errors import BadUse
from tests.fesr_tf.naming import naming


def test_later_layers_win_and_the_command_line_comes_last():
    resolved = config.resolve("demo", "FESR_JL-IL", ["learning_rate=5e-4", "image_size=32"])
    assert resolved.identity == "light_cnn_demo"  # demo.yaml over base.yaml
    assert resolved.lambda6 == 0.0  # the variant over base.yaml
    assert resolved.learning_rate == 5e-4  # YAML alone would read 5e-4 as a string
    assert resolved.image_size == 32


def test_base_holds_the_papers_values():
    base = config.resolve("ckplus")
    lambdas = [getattr(base, f"lambda{index}") for index in range(1, 7)]
    assert lambdas == [1, 10, 5, 1, 1, 0.001]
    assert (base.learning_rate, base.beta1, base.beta2, base.batch_size) == (1e-4, 0.5, 0.999, 16)
    assert (base.image_size, base.code_size, base.dropout) == (128, 64, 0.5)


@pytest.mark.parametrize("variant", config.names("variants"))
def test_every_variant_file_resolves(variant):
    assert config.resolve("demo", variant)


def test_a_saved_configuration_reads_back_equal(tmp_path):
    resolved = config.resolve("demo", "FG-IP", ["seed=7"])
    resolved.save(tmp_path / "config.yaml")
    assert config.load(tmp_path / "config.yaml") == resolved


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("lamda1=2", ("lamda1", "lambda1")),
        ("width=wide", ("width", "wide", "float")),
        ("width=.inf", ("width", "inf", "float")),
        ("batch_size=2.5", ("batch_size", 2.5, "int")),
        ("rdbp=1", ("rdbp", 1, "bool")),
        ("image_size=48", ("image_size", 48)),
        ("channels=2", ("channels", 1, 3, 2)),
        ("width=0", ("width", 0)),
        ("dropout=1", ("dropout", 1)),
        ("lambda2=-1", ("lambda2", 0, -1.0)),
        ("max_iterations=1", ("max_iterations", "pretrain_iterations")),
        ("seed", ("seed", "key=value")),
        ("seed=4294967296", ("seed", 4294967296)),
        ("synthetic=encoder", ("synthetic", "encoder", "lambda6")),
    ],
)
def test_what_does_not_fit_is_named(override, values):
    with pytest.raises(BadUse, match=naming(*values)):
        config.resolve("demo", overrides=[override])


@pytest.mark.parametrize(
    ("variant", "overrides"),
    [
        ("FG", ["pretrain_iterations=0"]),
        ("BASELINE", ["pretrain_iterations=5", "max_iterations=5"]),
        ("FESR_JL", ["pretrain_iterations=0", "max_iterations=0"]),
    ],
)
def test_a_run_without_an_iteration_is_refused(variant, overrides):
    with pytest.raises(BadUse, match="_iterations"):
        config.resolve("demo", variant, overrides)


def test_unknown_variants_and_databases_list_the_right_ones():
    with pytest.raises(BadUse, match="FESR_JL-RDBP"):
        config.resolve("demo", "FESR_XX")
    with pytest.raises(BadUse, match="tfd"):
        config.resolve("base")


def test_a_file_that_is_no_run_configuration_is_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("seed: 1\n")
    with pytest.raises(BadUse, match=naming("image_size", path)):
        config.load(path)
    path.write_text("seed: [1\n")
    with pytest.raises(BadUse, match=naming("YAML", path)):
        config.load(path)


def test_every_value_says_where_it_comes_from():
    settings = config.resolve("demo", "FESR_JL-RDBP", ["lambda6=0.5", "seed=0"])
    found = config.origins(settings, "demo", "FESR_JL-RDBP")
    assert found.keys() == dataclasses.asdict(settings).keys()
    assert found["lambda6"] == "command line"
    assert found["rdbp"] == "variants/FESR_JL-RDBP.yaml"
    assert found["lambda2"] == "demo.yaml"
    # The same value as the file's is the file's.
    assert found["seed"] == found["lambda3"] == "base.yaml"
