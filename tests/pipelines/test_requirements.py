"""Constraints and the workers' requirements beside setup.py; a job where TensorFlow is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.inspection import contents

ROOT = Path(__file__).parents[2]
_DECLARED = """
import json, setuptools
from distutils.core import run_setup
setup = run_setup("setup.py", stop_after="init")
print(json.dumps([setup.install_requires, setup.extras_require]))
"""
_EVERY_MODULE = """
import importlib, pkgutil, sys
import pipelines
for module in pkgutil.walk_packages(pipelines.__path__, "pipelines."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert "pipelines.job.steps" in sys.modules
try:
    import tensorflow
except ImportError:
    sys.exit(0)
sys.exit("TensorFlow is there")
"""


def lines(path: Path) -> list[str]:
    texts = path.read_text(encoding="utf-8").splitlines()
    return [line for line in texts if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def declared() -> list[str]:
    """setup.py's own requirements and those of its extras."""
    # A process of its own: setuptools brings its distutils only where no other was loaded before.
    command = [sys.executable, "-c", _DECLARED]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    install, extras = json.loads(outcome.stdout)
    # Older versions of setuptools move a marker from the requirement into the extra's name.
    return install + [
        f"{line}; {marker}" if (marker := extra.partition(":")[2]) else line
        for extra, of_extra in extras.items()
        for line in of_extra
    ]


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_every_constraint_is_allowed_by_setup(declared, python):
    path = ROOT / f"constraints/py{python.replace('.', '')}.txt"
    pins = {canonicalize_name(pin.name): pin for pin in map(Requirement, lines(path))}
    assert all(len(pin.specifier) == 1 and "==" in str(pin.specifier) for pin in pins.values())
    checked = 0
    for wanted in map(Requirement, declared):
        pin = pins.get(canonicalize_name(wanted.name))
        if pin and (not wanted.marker or wanted.marker.evaluate({"python_version": python})):
            (version,) = pin.specifier
            assert wanted.specifier.contains(version.version), f"{pin} is not {wanted}"
            checked += 1
    assert checked > 20


def test_the_workers_requirements_are_those_of_setup(declared):
    assert {str(Requirement(line)) for line in lines(ROOT / "pipelines/requirements.txt")} <= {
        str(Requirement(line)) for line in declared
    }


def closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions that pip would install for them."""
    found: dict[str, Distribution] = {}
    seen, left = set(), [Requirement(line) for line in requirements]
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        found[name] = distribution(name)
        for needed in map(Requirement, found[name].requires or ()):
            marker, extras = needed.marker, ("", *wanted.extras)
            if not marker or any(marker.evaluate({"extra": extra}) for extra in extras):
                left.append(needed)
    return found


def environment(folder: Path, requirements: Iterable[str]) -> Path:
    """The Python of an environment that holds these requirements alone, by links to the files of
    the present one: what pip would install, without a download."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    markers = [Requirement(line) for line in requirements]
    wanted = [str(each) for each in markers if not each.marker or each.marker.evaluate()]
    for each in closure(wanted).values():
        for file in each.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                if not (site / file).exists():
                    (site / file).symlink_to(each.locate_file(file))
    return folder / "bin/python"


@pytest.mark.slow
def test_the_job_runs_with_the_workers_requirements_and_without_tensorflow(
    demo_people, people_data, tmp_path
):
    python = environment(tmp_path / "workers", lines(ROOT / "pipelines/requirements.txt"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code/pipelines").symlink_to(ROOT / "pipelines")
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    given = {"cwd": tmp_path, "env": {**clean, "PYTHONPATH": str(tmp_path / "code")}}
    outcome = subprocess.run([python, "-c", _EVERY_MODULE], capture_output=True, text=True, **given)
    assert outcome.returncode == 0, outcome.stderr
    words = ["--input", demo_people, "--output", tmp_path / "out"]
    workers = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    command = [python, "-m", "pipelines.preprocess", *map(str, words), *workers]
    outcome = subprocess.run(command, capture_output=True, text=True, **given)
    assert outcome.returncode == 0, outcome.stderr
    assert contents(tmp_path / "out") == contents(people_data)
