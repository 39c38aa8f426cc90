"""The same job on other runners and in a store: the same records to the byte.

The local runner in this process is what the other tests use.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pipelines.common.files import location
from pipelines.dataset import manifest
from tests.support.engines import ROOT, worker_pool
from tests.support.inspection import contents, mentions, run


@pytest.fixture(scope="module")
def here(people_data):
    """What the local runner makes of the demo people."""
    return contents(people_data)


def test_two_worker_processes(here, demo_people, tmp_path):
    workers = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    assert run("--input", demo_people, "--output", tmp_path / "out", *workers) == 0
    assert contents(tmp_path / "out") == here


def test_two_worker_threads(here, demo_people, tmp_path):
    workers = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")
    assert run("--input", demo_people, "--output", tmp_path / "out", *workers) == 0
    assert contents(tmp_path / "out") == here


def test_a_portable_runner(here, demo_people, tmp_path):
    portable = ("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK")
    assert run("--input", demo_people, "--output", tmp_path / "out", *portable) == 0
    assert contents(tmp_path / "out") == here


def test_workers_elsewhere_with_the_package_that_setup_file_sends(here, demo_people, tmp_path):
    # What Beam does with --setup_file: a source distribution, installed where the worker runs.
    build = [sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", str(tmp_path / "sdist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [package] = (tmp_path / "sdist").glob("*.tar.gz")
    code = tmp_path / "code"
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(code)]
    subprocess.run([sys.executable, "-m", "pip", *install, str(package)], check=True)
    with worker_pool(code) as address:
        elsewhere = ("--environment_type=EXTERNAL", f"--environment_config={address}")
        portable = ("--runner=PortableRunner", "--job_endpoint=embed", *elsewhere)
        output = tmp_path / "out"
        assert run("--input", demo_people, "--output", output, *portable) == 0
    assert contents(output) == here


def test_a_store_in_and_out(mixed, tmp_path, capsys):
    """`memory://` is reached as gs:// is, through the same library."""
    assert run("--db", "images", "--input", mixed, "--output", tmp_path / "out", "--folds", 2) == 0
    store = location(f"memory://runners-{time.monotonic_ns()}")
    for path in mixed.rglob("*.*"):
        (store / "in" / path.relative_to(mixed).parent).mkdir(parents=True, exist_ok=True)
        (store / "in" / path.relative_to(mixed).as_posix()).write_bytes(path.read_bytes())
    capsys.readouterr()
    arguments = ("--db", "images", "--input", store / "in", "--output", store / "out")
    assert run(*arguments, "--folds", 2) == 0
    shown = capsys.readouterr()
    assert mentions(shown.out, 9, 4, 5)
    assert "9/9" in shown.err  # from the engine's counters: a file in a store cannot grow
    found, here = contents(store / "out" / "version-a"), contents(tmp_path / "out")
    assert found == {name: here[name] for name in here.keys() - {manifest.NAME}}
    manifest.verify(store / "out", manifest.load(store / "out"))
