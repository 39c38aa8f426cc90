"""The paper by one command: what it plans for each database, and one small complete run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fesr_tf import reproduce
from fesr_tf.figures.faces import FIG_4

ROOT = Path(reproduce.__file__).parents[1]


@pytest.mark.parametrize(
    ("database", "compared", "absent"),
    [
        ("mmi", 7, {"DeRL", "ExprGAN", "PHRNN-MSCNN"}),
        ("multi_pie", 2, {"DS-GPLVM"}),
        ("tfd", 2, {"FN2EN"}),
        ("demo", 7, set()),
    ],
)
def test_a_database_gets_the_rows_that_the_paper_has_of_it(database, compared, absent):
    assert len(reproduce.recognizers_of(database)) == compared
    assert set(reproduce.others_of(database)) == absent


def request_for(folder: Path, **changes) -> reproduce.Request:
    values = {
        "database": "demo",
        "data": folder / "data",
        "runs": folder / "runs",
        "output": folder / "out",
        "recognizers": ("BASELINE", "FESR_JL"),
        "with_faces": True,
        "folds": (0, 1),
        "jobs": 1,
        "new": 8,
        "overrides": ("seed=3",),
    }
    return reproduce.Request(**values | changes)


def test_tables_iii_and_iv_come_from_every_fold_and_figure_4_from_the_first(tmp_path):
    todo = reproduce.stages(request_for(tmp_path), {"crossval": 1.0, "FG": 1.0})
    words = [each for stage in todo for each in stage.commands]
    trained = [(w[w.index("--variant") + 1], w[w.index("--fold") + 1]) for w in words
               if w[1] == "fesr_tf.train"]  # fmt: skip
    tables = [(name, fold) for fold in "01" for name in ("FG", "FG-IP")]
    assert sorted(trained) == sorted(
        [*tables, *((name, "0") for name in FIG_4 if name not in ("FG", "FG-IP"))]
    )
    assert sum(w[1] == "fesr_tf.measure" for w in words) == 2
    assert all(w[-1] == "seed=3" for w in words if w[1] in ("fesr_tf.train", "fesr_tf.crossval"))


def test_without_faces_only_accuracies_are_made(tmp_path):
    todo = reproduce.stages(request_for(tmp_path, with_faces=False), {"crossval": 1.0, "FG": 1.0})
    modules = [words[1] for stage in todo for words in stage.commands]
    assert modules == ["fesr_tf.crossval", "fesr_tf.figures", "fesr_tf.report"]


@pytest.mark.slow
def test_a_complete_run_and_a_second_start(demo_data, tmp_path, tiny_settings):
    words = [sys.executable, "-m", "fesr_tf.reproduce", "--db", "demo", "--data", str(demo_data),
             "--runs", str(tmp_path / "runs"), "--output", str(tmp_path / "out"), "--new", "8",
             *tiny_settings]  # fmt: skip
    planned = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr[-3000:]
    assert not list(tmp_path.glob("runs/**/checkpoints"))
    first = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr[-3000:]
    listed = json.loads((tmp_path / "out/figures/figures.json").read_text())
    assert {each["figure"] for each in listed} >= {"4", "6", "7", "8", "9"}
    assert (tmp_path / "out/report/index.html").is_file()
    for fold in ("fold-00", "fold-01"):
        assert (tmp_path / f"runs/demo/FG-IP/{fold}/synthesis.json").is_file()
    trained = [path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/*/checkpoints/*")]
    again = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-3000:]
    assert len(re.findall("already done", again.stdout)) >= 4
    assert trained == [p.stat().st_mtime_ns for p in tmp_path.glob("runs/*/*/*/checkpoints/*")]
