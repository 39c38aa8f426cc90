"""The whole command in two processes on loopback: equal weights, one writer, a killed worker."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fesr_tf import runs, train
from fesr_tf.config import resolve
from fesr_tf.model.fesr import FESR, build
from fesr_tf.runs.files import checkpoint_info
from fesr_tf.training.distribution import start, weights_digest
from pipelines.common.errors import BadUse

CHECKOUT = Path(__file__).parents[3]
SETTINGS = (
    "image_size=32 width=0.0625 batch_size=8 pretrain_iterations=6 max_iterations=12 log_every=3 "
    "picture_every=3 checkpoint_every=3 validate_every=3 projector_faces=8"
)
# Seconds until a worker notices on a busy machine that another one was killed.
LONGEST = 600


def free_ports() -> list[int]:
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Workers:
    """Two processes of the command that train the run in `folder`."""

    def __init__(self, data: Path, folder: Path, strategy: str = "multi_worker"):
        addresses = [f"localhost:{port}" for port in free_ports()]
        words = ["-m", "fesr_tf.train", "--db", "demo", "--data", str(data), "--runs", str(folder)]
        folder.mkdir(exist_ok=True)
        self.run = folder / "demo/FESR_JL/fold-00"
        self.logs, self.children = [], []
        for index in range(2 if strategy == "multi_worker" else 1):
            cluster = {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            }
            self.logs.append(folder / f"worker-{index}-{time.time_ns()}.txt")
            with self.logs[-1].open("w") as log:
                child = subprocess.Popen(
                    [sys.executable, *words, *SETTINGS.split(), f"strategy={strategy}"],
                    stdout=log,
                    stderr=log,
                    env=os.environ
                    | {"PYTHONPATH": str(CHECKOUT), "TF_CONFIG": json.dumps(cluster)},
                )
            self.children.append(child)

    def end(self) -> list[str]:
        """Waits for both; what they printed."""
        try:
            for child in self.children:
                child.wait(LONGEST)
        finally:
            for child in self.children:
                child.kill()
        return [log.read_text() for log in self.logs]

    def trained(self) -> list[str]:
        said = self.end()
        assert [child.returncode for child in self.children] == [0] * len(self.children), said
        return said


def weights(model: FESR) -> np.ndarray:
    return np.concatenate([each.numpy().ravel() for each in model.weights])


def digests(said: list[str]) -> list[str]:
    return [re.search(r"sha256 (\w+)", text)[1] for text in said]


@pytest.fixture(scope="module")
def data(demo_images, tmp_path_factory) -> Path:
    """Folds with a validation part, so that the best checkpoint is written too."""
    from pipelines.preprocess import main

    folder = tmp_path_factory.mktemp("validated") / "data"
    words = ["--db", "demo", "--input", str(demo_images), "--output", str(folder)]
    assert main([*words, "--folds", "4", "--valid-share", "0.34"]) == 0
    return folder


@pytest.fixture(scope="module")
def pair(data, tmp_path_factory) -> tuple[Path, list[str]]:
    """The run of two workers, and what each printed."""
    workers = Workers(data, tmp_path_factory.mktemp("pair"))
    return workers.run, workers.trained()


@pytest.mark.slow
def test_two_processes_hold_equal_weights_and_train_as_one(data, pair, tmp_path):
    folder, said = pair
    two = runs.open_run(folder)
    first, second = digests(said)
    assert first == second == weights_digest(two.fesr)
    alone = Workers(data, tmp_path, "none")
    alone.trained()
    one = runs.open_run(alone.run)
    begin = weights(build(one.config, len(one.info.classes)))
    # As with two devices: Adam's first steps go by the sign of gradients, some of them rounding.
    moved, moved_by_two = weights(one.fesr) - begin, weights(two.fesr) - begin
    assert np.corrcoef(moved, moved_by_two)[0, 1] > 0.999
    made = [
        sorted(path.name for path in each.rglob("*") if "tfevents" not in path.name)
        for each in (alone.run, folder)
    ]
    assert made[0] == made[1]
    events = [len(list(each.rglob("*tfevents*"))) for each in (alone.run, folder)]
    assert events[0] == events[1]


@pytest.mark.slow
def test_a_killed_worker_ends_the_other_and_both_resume_to_the_same_bits(data, pair, tmp_path):
    workers = Workers(data, tmp_path)
    began = time.monotonic()
    while not checkpoint_info(workers.run / "checkpoints").get("step"):
        assert time.monotonic() < began + LONGEST
        time.sleep(0.05)
    workers.children[1].send_signal(signal.SIGKILL)
    said = workers.end()
    assert workers.children[0].returncode not in (0, None)
    step = checkpoint_info(workers.run / "checkpoints")["step"]
    if workers.children[0].returncode == 1:
        assert "Traceback" not in said[0]
    again = Workers(data, tmp_path).trained()
    assert f"resuming at step {step}" in again[0]
    assert digests(again) == digests(pair[1])


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}']
)
def test_a_cluster_that_is_not_given_is_bad_use(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(BadUse):
        start(resolve("demo", overrides=["strategy=multi_worker"]))


def test_a_dry_run_of_several_workers_is_bad_use(demo_data):
    words = ["--db", "demo", "--data", str(demo_data), "--dry-run", "strategy=multi_worker"]
    assert train.main(words) == 2
