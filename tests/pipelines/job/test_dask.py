"""The job on a Dask cluster of three worker processes: the local runner's bytes, each face once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import apache_beam as beam
import pytest

from pipelines.databases import open_database
from pipelines.dataset.folds import divide
from pipelines.dataset.manifest import load
from pipelines.job.beam_options import pipeline_options
from pipelines.job.progress import Finished
from pipelines.preprocess import build
from tests.support.engines import ROOT, dask_cluster
from tests.support.inspection import contents, run

pytestmark = pytest.mark.skipif(
    find_spec("distributed") is None, reason="needs the extra dask: pip install 'fesr-tf[dask]'"
)
IMAGES, REJECTED = 56, 5
_PATIENCE = 300


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def crowd(demo_people, mixed, tmp_path):
    """The demo people and five images that are rejected, in the layout of `--db images`."""
    for folder in (each for each in demo_people.iterdir() if each.is_dir()):
        shutil.copytree(folder, mixed / folder.name, dirs_exist_ok=True)
    return mixed


@pytest.fixture
def here(crowd, tmp_path):
    """What the local runner makes of them."""
    assert run("--db", "images", "--input", crowd, "--output", tmp_path / "here") == 0
    manifest = load(tmp_path / "here")
    assert manifest.counts["aligned"] == IMAGES - REJECTED
    assert manifest.counts["rejected"] == REJECTED
    return contents(tmp_path / "here")


def on_dask(crowd: Path, output: Path, address: str) -> tuple[str, ...]:
    words = ("--db", "images", "--input", crowd, "--output", output)
    return (*map(str, words), "--runner", "dask", "--dask_client_address", address)


def started(crowd: Path, output: Path, address: str) -> subprocess.Popen:
    """The command, once its workers have finished with some of the images."""
    words = [sys.executable, "-m", "pipelines.preprocess", *on_dask(crowd, output, address)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    # A shell that runs the tests in the background lets its children ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    job = subprocess.Popen(words, cwd=ROOT, text=True, start_new_session=True, **pipes)
    signal.signal(signal.SIGINT, before)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and job.poll() is None:
        if any(Finished(str(each))() >= 10 for each in output.parent.glob(".out.*/.progress")):
            return job
        time.sleep(0.01)
    job.kill()
    raise AssertionError(f"no image was finished: {job.communicate()[1]}")


def test_the_same_bytes_as_on_the_local_runner(cluster, crowd, here, tmp_path):
    assert run(*on_dask(crowd, tmp_path / "out", cluster.address)) == 0
    assert contents(tmp_path / "out") == here


def test_every_image_is_decoded_and_aligned_once(cluster, crowd, tmp_path):
    database = open_database("images", crowd)
    words = ["--runner", "dask", "--dask_client_address", cluster.address, "--dask_npartitions=5"]
    ticks = tmp_path / "ticks"
    ticks.mkdir()
    pipeline = beam.Pipeline(options=pipeline_options(words))
    build(pipeline, database, divide(database), tmp_path, ticks=str(ticks))
    result = pipeline.run()
    result.wait_until_finish()
    result.client.close()
    assert Finished(str(ticks))() == len(database.samples) == IMAGES
    assert len(list(ticks.iterdir())) > 1  # more than one process took part


@pytest.mark.slow
def test_a_worker_that_is_killed(crowd, here, tmp_path):
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster") as cluster:
        job = started(crowd, tmp_path / "out", cluster.address)
        cluster.workers[0].kill()
        assert job.wait(_PATIENCE) == 0
    assert contents(tmp_path / "out") == here


@pytest.mark.slow
def test_a_cluster_that_the_job_starts_itself(crowd, here, tmp_path):
    words = [sys.executable, "-m", "pipelines.preprocess", "--db=images", f"--input={crowd}"]
    words += [f"--output={tmp_path / 'out'}", "--runner=DaskRunner"]
    job = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE)
    assert job.returncode == 0, job.stderr
    assert contents(tmp_path / "out") == here
    assert "distributed" not in job.stderr


@pytest.mark.slow
def test_ctrl_c_cancels_the_job_on_the_cluster(cluster, crowd, tmp_path):
    from distributed import Client

    job = started(crowd, tmp_path / "out", cluster.address)
    job.send_signal(signal.SIGINT)
    error = job.communicate(timeout=_PATIENCE)[1]
    assert job.returncode == 130 and error.splitlines()[-1] == "interrupted"
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
    with Client(cluster.address, set_as_default=False) as client:
        end = time.monotonic() + _PATIENCE
        while any(client.processing().values()) and time.monotonic() < end:
            time.sleep(0.1)
        assert not any(client.processing().values())
    assert len(list(tmp_path.glob(".out*"))) == 1  # what the next job takes up, and no other
