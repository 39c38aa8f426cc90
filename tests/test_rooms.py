"""The order of the rooms, as pyproject.toml states it for import-linter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the packages in `folder`."""
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


def test_every_room_imports_only_rooms_below_it():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


WRONG = {
    "fesr_tf/data/faces.py": "from fesr_tf.training import loop",
    "fesr_tf/own_data/plan.py": "from fesr_tf.train import parser",
    "pipelines/common/files.py": "from pipelines.job import steps",
    "pipelines/dataset/folds.py": "from fesr_tf.config import Config",
}


def test_every_wrong_import_is_found(tmp_path):
    for name in ("fesr_tf", "pipelines"):
        ignored = shutil.ignore_patterns("__pycache__", "*.npz")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in WRONG.items():
        with (tmp_path / file).open("a") as planted:
            planted.write(f"\n\ndef planted():\n    {line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    for file, line in WRONG.items():
        importer, imported = file[:-3].replace("/", "."), line.split()[1]
        named = [each for each in done.stdout.splitlines() if f"{importer} -> {imported}" in each]
        assert len(named) == 1, done.stdout
