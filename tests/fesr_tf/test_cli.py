"""`fesr`: one entry point for every command."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from fesr_tf import cli

ROOT = Path(__file__).parents[2]
NAMES = [each for members in cli.COMMANDS.values() for each in members]


def test_every_command_file_is_in_the_table():
    files = {path.stem for path in (ROOT / "fesr_tf").glob("[a-z]*.py")} - {"cli"}
    rooms = {path.parent.name for path in (ROOT / "fesr_tf").glob("*/__main__.py")}
    here = {each.name for each in NAMES if each.module.startswith("fesr_tf.")}
    assert here == files | rooms
    pipelines = {path.stem for path in (ROOT / "pipelines").glob("[a-z]*.py")}
    assert {each.name for each in NAMES} - here == pipelines


@pytest.mark.parametrize("entry", NAMES, ids=lambda entry: entry.name)
def test_every_command_can_be_called(entry):
    assert callable(importlib.import_module(entry.module).main)


def test_alone_it_lists_the_commands_without_tensorflow():
    code = (
        "import sys; from fesr_tf.cli import main; main([]); "
        "print(any(m in sys.modules for m in ('tensorflow', 'numpy', 'apache_beam')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, heavy = done.stdout.splitlines()
    listed = {line.split()[0] for line in lines if line.startswith("  ")}
    assert listed == {each.name for each in NAMES} and heavy == "False"


def test_it_passes_arguments_and_exit_codes_on(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_an_unknown_command_is_named_with_its_nearest(capsys):
    assert cli.main(["trian"]) == 2
    error = capsys.readouterr().err
    assert "trian" in error and "train" in error


def test_module_and_table_are_one(capsys):
    done = subprocess.run(
        [sys.executable, "-m", "fesr_tf"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.rstrip() == cli.overview()
