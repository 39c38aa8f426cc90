"""Runners that cannot run, by the command: one sentence, no traceback."""

from __future__ import annotations

import json
import socket
from importlib.util import find_spec

import pytest

from pipelines.job import engines
from tests.support.inspection import contents, mentions, run


@pytest.fixture
def closed() -> str:
    """An address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def refused(demo_people, tmp_path, capsys):
    """Runs the command, which has to fail without a trace; its exit code and its sentence."""

    def refused(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = run("--input", demo_people, "--output", tmp_path / "out", *words)
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error
        assert contents(tmp_path) == {}
        return code, error

    return refused


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("--runner", "FlnkRunner"), ("FlnkRunner", "FlinkRunner")),
        (("--runner", "spak"), ("spak", "SparkRunner")),
        (("--runner", "DskRunner"), ("DskRunner", "DaskRunner")),
        (("--runner", "no.such.Runner"), ("no.such.Runner",)),
        (("--runner",), ("--runner",)),
        (("--runner", "DataflowRunner"), ("--project", "--region", "--temp_location")),
        (("--runner", "DataflowRunner", "--project", "p"), ("--region", "--temp_location")),
        (("--runner", "PortableRunner"), ("--job_endpoint",)),
        (("--runner", "PortableRunner", "--job_endpoint", "host"), ("host", "HOST:PORT")),
        (("--runner", "FlinkRunner", "--parallelism", "many"), ("--parallelism", "many")),
        (("--runner", "SparkRunner", "--spark_version", "2"), ("--spark_version", 2)),
        (("--environment_type", "EXTERNAL"), ("EXTERNAL",)),
    ],
)
def test_options_that_cannot_work(refused, words, values):
    code, error = refused(*words)
    assert code == 2 and mentions(error, *values)


def test_a_job_server_that_does_not_answer_is_named(refused, closed):
    code, error = refused("--runner", "PortableRunner", "--job_endpoint", closed)
    assert code == 1 and mentions(error, closed)


@pytest.mark.parametrize(
    ("words", "jar"),
    [
        (("--runner", "FlinkRunner", "--flink_master"), "beam-runners-flink"),
        (("--runner", "SparkRunner", "--spark_master_url"), "beam-runners-spark"),
    ],
)
def test_a_cluster_that_does_not_answer_and_what_would_be_downloaded(
    refused, closed, tmp_path, monkeypatch, words, jar
):
    monkeypatch.setattr(engines.JavaJarServer, "JAR_CACHE", str(tmp_path))
    address = f"spark://{closed}" if "SparkRunner" in words else closed
    code, error = refused(*words, address)
    assert code == 1 and closed in error and f"{jar}-" in error


def test_docker_that_is_not_installed(refused, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("bin")))
    words = ("--runner", "PortableRunner", "--job_endpoint", "embed", "--environment_type")
    code, error = refused(*words, "DOCKER")
    assert code == 2 and mentions(error, "DOCKER", "LOOPBACK")


@pytest.mark.skipif(find_spec("distributed") is not None, reason="Dask is installed")
def test_dask_that_is_not_installed(refused):
    code, error = refused("--runner", "dask")
    assert code == 2 and "fesr-tf[dask]" in error


@pytest.mark.skipif(find_spec("distributed") is None, reason="needs the extra dask")
def test_a_dask_scheduler_that_cannot_be_used(refused, closed, tmp_path_factory):
    code, error = refused("--runner", "dask", "--dask_client_address", f"tcp://{closed}")
    assert code == 1 and closed in error
    code, error = refused("--runner", "dask", "--dask_client_adress", closed)
    assert code == 2 and mentions(error, "--dask_client_adress", "--dask_client_address")
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    code, error = refused("--runner", "dask", "--dask_scheduler_file", str(file))
    assert code == 2 and str(file) in error
    file.write_text(json.dumps({"address": f"tcp://{closed}"}))
    code, error = refused("--runner", "dask", "--dask_scheduler_file", str(file))
    assert code == 1 and closed in error


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_store_whose_library_is_missing(refused):
    for words in (("--input", "s3://bucket/faces"), ("--output", "s3://bucket/out")):
        code, error = refused(*words)
        assert code == 2 and "s3://bucket" in error and "fesr-tf[s3]" in error
