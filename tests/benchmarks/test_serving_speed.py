"""The engines of the serving benchmark, and its processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.__main__ import main
from pipelines.common.errors import FailedWork
from pipelines.faces.alignment import FaceAligner
from pipelines.media import images
from tests.support.request_times import Backend, Times, growth, timer
from tests.support.workers import Worker, thread_limits

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, "-m", "benchmarks.serving", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def faces(demo_images, tmp_path_factory) -> Path:
    """A folder with three photographs of 480 × 640 and their aligned faces."""
    folder = tmp_path_factory.mktemp("faces")
    paths = sorted((demo_images / "neutral").glob("*.png"))[:3]
    around = ((160, 160), (240, 240), (0, 0))
    photos = [np.pad(images.read(path), around, mode="edge") for path in paths]
    np.save(folder / "photos.npy", np.stack(photos))
    np.save(folder / "chips.npy", np.stack([FaceAligner().align(photo).chip for photo in photos]))
    return folder


def test_a_speedup_is_of_medians_and_its_range_of_rounds():
    slow = Times("slow", {8: [[[0.8], [0.8], [8.0]], [[1.6], [1.6], [1.6]]]})
    fast = Times("fast", {8: [[[0.1], [0.1], [0.1]], [[0.4], [0.4], [0.4]]]})
    # All six of slow: 0.8 0.8 1.6 1.6 1.6 8 -> 1.6; of fast: 0.1 and 0.4 thrice -> 0.25.
    assert fast.speedup(slow, 8) == pytest.approx((6.4, 4.0, 8.0))


def test_quantiles_are_requests_and_rates_count_all_the_time():
    times = Times("ours", {8: [[[0.5], [1.5]], [[1.0]]]})
    assert times.quantiles_ms(8).tolist() == [1000, 1500]
    assert times.faces_a_second(8) == pytest.approx(8.0)


def test_growth_is_the_slope_after_what_is_left_out():
    resident = [1e6 * n for n in range(50)] + [5e7 + 4096 * n for n in range(150)]
    assert growth(resident, 51) == pytest.approx(4096)


def test_requests_take_the_faces_in_turn_until_their_time_is_over():
    requests = []
    backend = Backend(lambda indices: requests.append(indices) or indices, lambda i: [float(i[0])])
    timed = timer({"ours": backend}, 3)
    rows = [timed("ours", 2, 0.0) for _ in range(3)]
    assert requests == [[0, 1], [2, 0], [1, 2]]
    assert [[row[1] for row in each] for each in rows] == [[0.0], [2.0], [1.0]]
    rows = timed("ours", 1, 0.05)
    assert len(rows) > 1 and sum(row[0] for row in rows) <= 0.05 + rows[-1][0]


def test_a_worker_that_ends_leaves_its_last_words():
    with (
        Worker("the peer", [PYTHON, "-c", "import sys; sys.exit('no such package')"], {}) as peer,
        pytest.raises(FailedWork, match=r"the peer .*no such package"),
    ):
        peer.ask("time")


def test_the_engines_of_the_peers_need_nothing_but_numpy():
    """Another environment has neither this project's dependencies nor TensorFlow."""
    code = (
        "import sys, tests.support.workers, tests.support.request_times; "
        "print(len({'fesr_tf', 'tensorflow', 'apache_beam', 'dlib', 'PIL'} & set(sys.modules)))"
    )
    found = subprocess.run([PYTHON, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == "0\n"


@pytest.mark.slow
def test_the_worker_times_each_backend(faces, exported_model):
    words = [PYTHON, "-m", "benchmarks.serving.worker", str(faces), str(exported_model)]
    with Worker("worker", words, thread_limits(1)) as worker:
        assert "tensorflow" in worker.line()
        for kind in ("photos", "classify", "files", "pixels", "bytes"):
            rows = worker.ask("time", kind, 2, 0.0)
            assert len(rows) == 1 and rows[0][0] > 0
            if kind == "photos":
                whole, detect, align = rows[0]
                assert detect > 0 and align > 0
                assert whole > detect + align


def test_impossible_options_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--models", "large", "--batch", "0"])
    error = capsys.readouterr().err
    assert "large" in error and "demo" in error
    assert main(["--peers-python", "nowhere/python"]) == 2
    assert "nowhere/python" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_prints_every_backend():
    done = run("--models", "demo", "--batch", "1,2", "--rounds", "1", "--seconds", "0",
               "--reloads", "4", "--trials", "1", "--threads", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    for title in ("demo, in-process", "demo, gRPC", "demo, pixels in, model alone", "fer (Keras)"):
        assert any(line.startswith(title) for line in lines), title
    assert any(line.startswith("goal of under 10 KB a reload") for line in lines)
