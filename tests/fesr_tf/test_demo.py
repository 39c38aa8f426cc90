"""The demo: the planned commands, and one small complete run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fesr_tf import demo
from tests.support.naming import naming


def plan(folder: Path, **changes) -> demo.Plan:
    values = {"subjects": 10, "frames": 4, "seed": 0, "overrides": ["seed=1"]} | changes
    return demo.Plan(output=folder / "demo", model=folder / "models/fesr_demo", **values)


def test_the_stages_go_from_faces_to_report_on_the_same_fold(tmp_path):
    stages = demo.stages(plan(tmp_path))
    modules = [words[1] for stage in stages for words in stage.commands]
    assert modules == [
        "pipelines.demo_faces",
        "pipelines.preprocess",
        "fesr_tf.train",
        "fesr_tf.train",
        "fesr_tf.evaluate",
        "fesr_tf.evaluate",
        "fesr_tf.synthesize",
        "fesr_tf.export",
        "pipelines.demo_faces",
        "fesr_tf.client",
        "fesr_tf.report",
    ]
    trained = [w for stage in stages for w in stage.commands if w[1] == "fesr_tf.train"]
    variants = [words[words.index("--variant") + 1] for words in trained]
    assert variants == ["BASELINE", "FESR_JL"]
    assert all(words[-1] == "seed=1" for words in trained)


def test_the_new_person_has_another_seed(tmp_path):
    made = [w for s in demo.stages(plan(tmp_path)) for w in s.commands if "--seed" in w]
    seeds = [words[words.index("--seed") + 1] for words in made]
    assert len(set(seeds)) == 2


def test_an_output_of_other_people_is_refused(tmp_path, capfd):
    plan(tmp_path).claim()
    plan(tmp_path, overrides=[]).claim()
    assert demo.main(["--output", str(tmp_path / "demo"), "--subjects", "11"]) == 2
    assert str(tmp_path / "demo") in capfd.readouterr().err


def test_too_few_people_are_refused(tmp_path, capfd):
    assert demo.main(["--output", str(tmp_path / "demo"), "--subjects", "4"]) == 2
    assert re.search(naming("--subjects", 10), capfd.readouterr().err)


@pytest.mark.slow
def test_a_complete_run_and_a_second_start(tmp_path, tiny_settings):
    root = Path(demo.__file__).parent.parent
    words = [sys.executable, "-m", "fesr_tf.demo", "--output", str(tmp_path / "demo"), "--model",
             str(tmp_path / "models/fesr_demo"), "--subjects", "10", "--frames", "4",
             *tiny_settings]  # fmt: skip
    first = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr[-3000:]
    for variant in ("BASELINE", "FESR_JL"):
        found = json.loads(
            (tmp_path / f"demo/runs/demo/{variant}/fold-00/evaluation.json").read_text()
        )
        assert re.search(rf"\b{found['correct']} of {found['total']}\b", first.stdout)
    assert (tmp_path / "demo/report/index.html").is_file()
    assert list((tmp_path / "demo/photograph").glob("*.annotated.png"))
    assert shlex.join(["fesr_tf.train", "--db", "demo"]) in first.stdout
    trained = [path.stat().st_mtime_ns for path in tmp_path.glob("demo/runs/*/*/*/checkpoints/*")]
    again = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert trained == [
        path.stat().st_mtime_ns for path in tmp_path.glob("demo/runs/*/*/*/checkpoints/*")
    ]
    assert again.returncode == 0 and len(again.stdout) < len(first.stdout)
    assert [path.name for path in (tmp_path / "models/fesr_demo").iterdir()] == ["1"]
