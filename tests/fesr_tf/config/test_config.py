"""The configuration: layers, types, ranges, and the errors on invalid values."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from fesr_tf import config
from fesr_tf.config.schema import Settings, Stage
from pipelines.common.errors import BadUse
from tests.support.naming import naming


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


def test_base_documents_every_key_of_the_schema_in_its_order():
    text = (config.config_folder() / "base.yaml").read_text(encoding="utf-8")
    documented = re.findall(r"^(\w+):.*#.*\w", text, re.MULTILINE)
    assert tuple(documented) == config.KEYS
    base = config.load(config.config_folder() / "base.yaml")
    # What the schema and the comments attribute to a source of their own agrees.
    comments = dict(re.findall(r"^(\w+):[^#]*#(.*)$", text, re.MULTILINE))
    silent = {key for key, comment in comments.items() if "not in the paper" in comment}
    assert config.silent_keys().keys() == silent
    assert base == config.resolve("ckplus")


def test_every_key_has_a_stage_and_a_description():
    stages = [config.keys_of(stage) for stage in get_args(Stage)]
    assert sum(map(len, stages)) == len(config.KEYS) and frozenset.union(*stages) == {*config.KEYS}
    assert all(field.description for field in Settings.model_fields.values())
    assert {"rdbp", "lambda6", "max_iterations"} < config.keys_of("second")
    assert "log_every" in config.keys_of("monitoring", "execution")
    assert {"lambda1", "identity"} < set(config.compared_keys())


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("lamda1=2", ("lamda1", "lambda1")),
        ("width=wide", ("width", "wide", "number")),
        ("width=.inf", ("width", "inf", "number")),
        ("width=true", ("width", True)),
        ("batch_size=2.5", ("batch_size", 2.5, "integer")),
        ("batch_size=true", ("batch_size", True, "integer")),
        ("batch_size='4'", ("batch_size", "'4'", "integer")),
        ("rdbp=1", ("rdbp", 1, "true", "false")),
        ("identity=null", ("identity", None, "string")),
        ("image_size=48", ("image_size", 48)),
        ("image_size=16", ("image_size", 16, 32)),
        ("channels=2", ("channels", 1, 3, 2)),
        ("channels=true", ("channels", True)),
        ("synthetic=real", ("synthetic", "real", "prior", "encoder", "none")),
        ("width=0", ("width", 0)),
        ("dropout=1", ("dropout", 1)),
        ("lambda2=-1", ("lambda2", 0, -1)),
        ("seed=4294967296", ("seed", 4294967296)),
    ],
)
def test_an_invalid_value_is_refused_with_its_key_and_place(override, values):
    with pytest.raises(BadUse, match=naming(*values, "the command line")) as error:
        config.resolve("demo", overrides=[override])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("max_iterations=1", ("max_iterations", "pretrain_iterations")),
        ("seed", ("seed", "key=value")),
        ("style_size=64", ("style_size", 64, "code_size")),
        ("synthetic=encoder", ("synthetic", "encoder", "lambda6")),
        ("steps_per_execution=7", ("log_every", 20, "steps_per_execution", 7)),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(override, values):
    with pytest.raises(BadUse, match=naming(*values)):
        config.resolve("demo", overrides=[override])


@pytest.mark.parametrize(("variant", "last"), [("FESR_JL", 4500), ("FESR_OneSt", 500)])
def test_recognizer_iterations_are_those_of_stage_two(variant, last):
    found = config.resolve("demo", variant, ["recognizer_iterations=500"])
    assert found.max_iterations == last
    with pytest.raises(BadUse, match=naming(500, "recognizer_iterations", 7000)):
        config.resolve("demo", variant, ["recognizer_iterations=500", "max_iterations=7000"])


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
    path.write_text("image_size: large\n")
    with pytest.raises(BadUse, match=naming("image_size", "'large'", path)):
        config.load(path)
    path.write_text("seed: [1\n")
    with pytest.raises(BadUse, match=naming("YAML", path)):
        config.load(path)


def test_origins_of_values():
    settings = config.resolve("demo", "FESR_JL-RDBP", ["lambda6=0.5", "seed=0"])
    origins = config.origins(settings, "demo", "FESR_JL-RDBP")
    assert origins.keys() == set(config.KEYS)
    assert origins["lambda6"] == "command line"
    assert origins["rdbp"] == "variants/FESR_JL-RDBP.yaml"
    assert origins["lambda2"] == "demo.yaml"
    # An override equal to the file's value counts as the file's.
    assert origins["seed"] == origins["lambda3"] == "base.yaml"


def test_a_run_saved_before_the_key_trunk_opens_with_the_trunk_of_its_identity(tmp_path):
    saved = tmp_path / "config.yaml"
    config.resolve("demo").save(saved)
    kept = [line for line in saved.read_text().splitlines() if not line.startswith("trunk")]
    saved.write_text("\n".join(kept))
    assert config.load(saved) == config.resolve("demo")


@pytest.mark.parametrize(
    ("line", "strategy"),
    [("mirrored: true\n", "mirrored"), ("mirrored: false\n", "none"), ("", "none")],
)
def test_a_run_saved_with_the_key_mirrored_opens_with_its_strategy(tmp_path, line, strategy):
    path = tmp_path / "config.yaml"
    config.resolve("demo").save(path)
    saved = path.read_text()
    assert "strategy: none\n" in saved
    path.write_text(saved.replace("strategy: none\n", line))
    assert config.load(path).strategy == strategy


def test_weights_of_a_trunk_need_its_name():
    with pytest.raises(BadUse):
        config.resolve("demo", overrides=["trunk_weights=photo.npz"])
