"""The real TensorBoard, asked over HTTP what it shows of a run."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorflow as tf

from fesr_tf.training.monitoring.events import open_writer

Ask = Callable[..., bytes]


@contextlib.contextmanager
def serving(folder: Path, *more: str) -> Iterator[Ask]:
    """TensorBoard on `folder`; yields a function from a path and its query to the answer."""
    words = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0"]
    log = folder.parent / "tensorboard.log"
    with log.open("w") as out:
        process = subprocess.Popen([*words, *more], stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://localhost:(\d+)/", log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        home = f"http://localhost:{found[1]}/data/"

        def ask(path: str, **query: str) -> bytes:
            address = f"{home}{path}?{urllib.parse.urlencode(query)}"
            end = time.monotonic() + 60
            while True:  # it reads the events after it has begun to answer
                with contextlib.suppress(urllib.error.HTTPError):
                    answer = urllib.request.urlopen(address, timeout=60).read()
                    if answer.strip() not in (b"{}", b"[]"):
                        return answer
                assert time.monotonic() < end, f"no answer to {address}"
                time.sleep(0.5)

        yield ask
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("loading", ["--load_fast=true", "--load_fast=false"])
def test_a_run_that_went_on_is_one_line_on_the_page(tmp_path, loading):
    folder = tmp_path / "logs/run"
    for begun, steps, scale in ((None, range(1, 10), 1.0), (5, range(6, 9), 2.0)):
        writer = open_writer(folder, begun)
        with writer.as_default():
            for step in steps:
                tf.summary.scalar("losses/L_G", scale * step, step=step)
        writer.flush()
    with serving(tmp_path / "logs", loading) as ask:
        points = json.loads(ask("plugin/scalars/scalars", run="run", tag="losses/L_G"))
    assert [point[1:] for point in points] == [
        [1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 12], [7, 14], [8, 16]
    ]  # fmt: skip


@pytest.mark.slow
def test_the_page_has_pictures_projector_table_and_text(tiny_run, tmp_path):
    runs = tiny_run.parents[2]
    (tmp_path / "logs").symlink_to(runs)
    name = "demo/FESR_JL/fold-00/events"
    with serving(tmp_path / "logs") as ask:
        tags = json.loads(ask("plugin/images/tags"))[name]
        assert {"faces", "intensity"} <= tags.keys()
        info = json.loads(ask("plugin/projector/info", run=name))
        (embedding,) = info["embeddings"]
        points, size = embedding["tensorShape"]
        tensor = ask("plugin/projector/tensor", run=name, name="R_ext")
        assert len(tensor) == 4 * points * size
        table = ask("plugin/projector/metadata", run=name, name="R_ext").decode()
        assert len(table.strip().splitlines()) == 1 + points
        sprite = ask("plugin/projector/sprite_image", run=name, name="R_ext")
        assert sprite.startswith(b"\x89PNG")
        text = json.loads(ask("plugin/text/text", run=name, tag="run/config"))
        assert "<td>lambda2</td>" in text[0]["text"]
