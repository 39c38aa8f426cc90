"""The wheel, installed into any folder, brings its settings and the model for photographs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SHOW = """
from fesr_tf import config
from fesr_tf.client.shipped import shipped_model
model = shipped_model()
print(model.parent)
print(config.config_folder())
print(*config.names(), *config.names("variants"), *config.names("sizes"))
print(*(path.name for path in config.config_folder().glob("serving/*")))
print(config.resolve("ckplus", "FG").image_size)
print(*(path.relative_to(model) for path in model.rglob("*") if path.is_file()))
"""


def call(*words: object, **more: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def show(python_path: Path, place: Path) -> list[str]:
    environment = os.environ | {"PYTHONPATH": str(python_path)}
    return call(sys.executable, "-c", _SHOW, cwd=place, env=environment).splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--target", "--prefix"])
def test_settings_and_model_are_found_wherever_the_wheel_is_installed(option, tmp_path):
    everywhere = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    outputs = shutil.ignore_patterns("build", "data", "runs", "demo")

    def left_out(folder: str, names: list[str]) -> set[str]:
        # Below, data and runs are rooms of the package.
        ignored = everywhere(folder, names)
        return ignored | outputs(folder, names) if Path(folder) == ROOT else ignored

    source = shutil.copytree(ROOT, tmp_path / "source", ignore=left_out)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    call(*pip, "wheel", source, *offline, "--wheel-dir", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    place = tmp_path / "place"
    # Without --ignore-installed, --prefix would uninstall the project from this environment.
    offline = ["--no-deps", "--no-index", "--ignore-installed"]
    call(*pip, "install", wheel, *offline, option, place)
    (package,) = place.rglob("fesr_tf/__init__.py")
    models, folder, *rest = show(package.parents[1], tmp_path)
    assert Path(models) == package.parent / "saved_models"
    assert Path(folder) == package.parent / "configs"
    models, checkout, *expected = show(ROOT, tmp_path)
    assert (Path(models), Path(checkout)) == (ROOT / "saved_models", ROOT / "configs")
    assert [sorted(line.split()) for line in rest] == [sorted(line.split()) for line in expected]
