"""Checks before a job begins that what its runner needs is there: options, Docker, a server."""

from __future__ import annotations

import difflib
import json
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
    StandardOptions,
)
from apache_beam.runners.runner import create_runner
from apache_beam.utils.subprocess_server import JavaJarServer

from pipelines.common.errors import BadUse, FailedWork
from pipelines.job.beam_options import DASK_RUNNER

_SECONDS = 3.0
_ON_DATAFLOW = {"project": "PROJECT", "region": "REGION", "temp_location": "gs://BUCKET/tmp"}
_EMBEDDED = "embed"
_HERE = ("localhost", "127.0.0.1", "::1")
_JAVA_RUNNERS = ("flinkrunner", "sparkrunner")


def check_engine(options: PipelineOptions) -> None:
    """Raises `BadUse` where Beam has no such runner or it lacks an option, a library or a program
    on this machine, `FailedWork` where a server that it is to use does not answer in seconds."""
    name = options.view_as(StandardOptions).runner
    unusable = _import_trouble(name)
    runner = name.rpartition(".")[2].lower()
    portable = options.view_as(PortableOptions)
    endpoint, workers_here = portable.job_endpoint, False
    if runner == "dataflowrunner":
        cloud = options.view_as(GoogleCloudOptions)
        missing = [
            f"--{each} {value}" for each, value in _ON_DATAFLOW.items() if not getattr(cloud, each)
        ]
        if missing:
            raise BadUse(f"--runner DataflowRunner needs {' '.join(missing)}")
    if unusable:
        raise BadUse(f"--runner {name} cannot be used: {unusable}")
    if runner == "portablerunner" and not endpoint:
        raise BadUse(
            "--runner PortableRunner needs --job_endpoint HOST:PORT of a Beam job server, or "
            "--job_endpoint embed, which runs the job here"
        )
    if endpoint == _EMBEDDED:
        workers_here = True
    elif endpoint and runner in ("portablerunner", *_JAVA_RUNNERS):
        host = _reach(endpoint, "--job_endpoint", "start the Beam job server")
        workers_here = host in _HERE
    elif runner in _JAVA_RUNNERS:
        workers_here = _check_master(runner, options)
    elif runner == "daskrunner":
        _check_dask(options)
    if workers_here and (portable.environment_type or "").upper() == "DOCKER":
        _check_docker()


def _import_trouble(name: str) -> str:
    """What the runner's import lacks, empty if nothing. Raises `BadUse` for an unknown name."""
    try:
        create_runner(name)
    except ValueError:
        names = [*StandardOptions.KNOWN_RUNNER_NAMES, "DaskRunner"]
        known = {each.lower(): each for each in names}
        near = [known[each] for each in difflib.get_close_matches(name.lower(), known)]
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known.values())}"
        )
        raise BadUse(f"--runner {name}: Apache Beam has no such runner; {hint}") from None
    except (ImportError, AttributeError) as error:
        dask = "; `pip install 'fesr-tf[dask]'` has what it needs" if name == DASK_RUNNER else ""
        return f"{error}{dask}"
    return ""


def _check_master(runner: str, options: PipelineOptions) -> bool:
    """Whether Flink or Spark runs the job on this machine. Its job server is a jar, which Beam
    downloads."""
    if runner == "flinkrunner":
        flink = options.view_as(FlinkRunnerOptions)
        flag, master, jar = "--flink_master", flink.flink_master, flink.flink_job_server_jar
        target = f":runners:flink:{flink.flink_version}:job-server:shadowJar"
        uber, local = flink.flink_submit_uber_jar, master in ("[auto]", "[local]")
    else:
        spark = options.view_as(SparkRunnerOptions)
        flag, master, jar = "--spark_master_url", spark.spark_master_url, spark.spark_job_server_jar
        target = f":runners:spark:{spark.spark_version}:job-server:shadowJar"
        uber, local = spark.spark_submit_uber_jar, master.partition("[")[0] == "local"
    source = jar or JavaJarServer.path_to_beam_jar(target)
    places = Path(source), Path(JavaJarServer.JAR_CACHE) / Path(source).name
    download = not any(place.exists() for place in places)
    then = f"; Beam then downloads its job server {source}" if download else ""
    if not local:
        address = spark.spark_rest_url if uber and runner == "sparkrunner" else master
        local = _reach(address, flag, f"start the cluster{then}") in _HERE
    if not uber and shutil.which("java") is None:
        raise BadUse(
            f"{flag} {master} needs Java, which starts Beam's job server: install it, or give "
            "--job_endpoint HOST:PORT of a job server that runs"
        )
    return local


def _check_dask(options: PipelineOptions) -> None:
    from apache_beam.runners.dask.dask_runner import DaskOptions

    dask = options.view_as(DaskOptions)
    address, flag = dask.address, "--dask_client_address"
    if dask.scheduler_file:
        flag = f"--dask_scheduler_file {dask.scheduler_file}:"
        try:
            address = json.loads(Path(dask.scheduler_file).read_text(encoding="utf-8"))["address"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadUse(f"{flag} not a file that a Dask scheduler wrote: {error}") from None
    if address:
        _reach(address, flag, "start the scheduler (`dask scheduler`), or leave the option out")


def _reach(address: str, flag: str, remedy: str) -> str:
    """The host of HOST:PORT, with a scheme or without; `FailedWork` where nothing answers."""
    text = address if "://" in address else f"//{address}"
    try:
        host, port = urlsplit(text).hostname or "", urlsplit(text).port
    except ValueError:
        host, port = "", None
    if not host or port is None:
        raise BadUse(f"{flag} {address} is not an address HOST:PORT")
    try:
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except OSError as error:
        reason = error.strerror or error
        raise FailedWork(f"{flag} {address} does not answer ({reason}): {remedy}") from None
    return host


def _check_docker() -> None:
    remedy = "use --environment_type LOOPBACK, which starts the workers without it"
    if shutil.which("docker") is None:
        raise BadUse(f"--environment_type DOCKER needs docker, which is not installed; {remedy}")
    words = ["docker", "version"]
    try:
        answers = subprocess.run(words, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        answers = False
    if not answers:
        raise FailedWork(
            f"--environment_type DOCKER: the Docker daemon does not answer; start it, or {remedy}"
        )
