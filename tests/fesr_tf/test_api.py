"""The public API: every example in its docstrings is run, on real data and a real run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fesr_tf
from fesr_tf.runs.opening import Run
from pipelines.common.errors import BadUse

OBJECTS = [getattr(fesr_tf, name) for name in fesr_tf.__all__] + [Run.classify, Run.synthesize]


@pytest.fixture
def at_home(demo_data, tiny_run, exported_model, tmp_path, monkeypatch):
    """A working directory with the folders that the examples name."""
    for name, there in {
        "data/demo": demo_data,
        "runs/demo/FESR_JL/fold-00": tiny_run,
        "saved_models/fesr_demo": exported_model.parent,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(there)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: item.__qualname__)
def test_every_public_name_has_an_example_that_runs(item, at_home, tiny_settings):
    names = {"fesr_tf": fesr_tf, "np": np, "SMALL": tiny_settings}
    (test,) = doctest.DocTestFinder(recurse=False).find(item, item.__qualname__, globs=names)
    assert test.examples
    out: list[str] = []
    result = doctest.DocTestRunner().run(test, out=out.append)
    assert result.failed == 0, "".join(out)


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: item.__qualname__)
def test_every_docstring_names_arguments_and_errors(item):
    for heading in ("Args:", "Raises:"):
        assert heading in item.__doc__


def test_the_readme_s_first_example_runs(at_home):
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert len(code.strip().splitlines()) <= 10
    short = code.replace("_iterations=200", "_iterations=2").replace(
        "_iterations=400", "_iterations=4"
    )
    names: dict = {}
    exec(compile(short, "README.md", "exec"), names)
    count = len(names["fold"].test)
    assert len(names["labels"]) == count and names["probabilities"].shape == (count, 8)
    assert names["run"].step == 4 and names["smiles"].shape == (8, 64, 64, 1)


def test_the_import_is_light():
    code = "import fesr_tf, sys; dir(fesr_tf); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_classify_agrees_with_the_evaluated_network(opened_run, demo_data):
    fold = fesr_tf.load_fold(demo_data, 0, opened_run.config)
    logits = opened_run.fesr(fold.test.floats()).numpy()
    labels, probabilities = opened_run.classify(fold.test.images)
    exponent = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(probabilities, exponent / exponent.sum(1, keepdims=True), atol=1e-5)
    assert labels == tuple(opened_run.info.classes[k] for k in logits.argmax(1))


def test_synthesize_changes_with_expression_and_intensity(opened_run, demo_data):
    faces = fesr_tf.load_fold(demo_data, 0, opened_run.config).test.images[:2]
    first, second = opened_run.info.classes[:2]
    full = opened_run.synthesize(faces, first)
    assert full.dtype == np.uint8 and full.shape == (2, 32, 32, 1)
    assert (full != opened_run.synthesize(faces, second)).any()
    assert (full != opened_run.synthesize(faces, first, 0.0)).any()


@pytest.mark.parametrize(
    ("images", "expression", "intensity", "named"),
    [
        (np.zeros((1, 32, 32), np.uint8), "happiness", 1.0, r"\(1, 32, 32\)"),
        (np.zeros((1, 32, 32, 1), np.float32), "happiness", 1.0, "float32"),
        (np.zeros((1, 32, 32, 1), np.uint8), "joy", 1.0, "joy"),
        (np.zeros((1, 32, 32, 1), np.uint8), "happiness", 1.5, "1.5"),
    ],
)
def test_what_cannot_be_synthesized_is_named(opened_run, images, expression, intensity, named):
    with pytest.raises(BadUse, match=named):
        opened_run.synthesize(images, expression, intensity)


@pytest.mark.slow
def test_training_through_the_api_equals_the_command(
    demo_data, tiny_run, tiny_settings, tmp_path, opened_run
):
    config = fesr_tf.load_config("demo", overrides=tiny_settings)
    fold = fesr_tf.load_fold(demo_data, 0, config)
    model = fesr_tf.build_model(config, len(fold.classes))
    assert fesr_tf.train_model(model, fold, tmp_path / "run", variant="FESR_JL")
    run = fesr_tf.open_run(tmp_path / "run")
    assert run.info == opened_run.info and run.step == opened_run.step
    for mine, its in zip(run.fesr.weights, opened_run.fesr.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy())
