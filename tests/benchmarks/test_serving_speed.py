"""The benchmark of serving: its arithmetic, and that its processes answer what they are asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import serving, serving_models, serving_peers
from benchmarks import serving_figures as figures
from benchmarks.alignment import onto_canvas
from benchmarks.asked import Asked, thread_limits
from benchmarks.serving_figures import Timed
from benchmarks.serving_peers import Turns, Way, timed
from pipelines.common.errors import FailedWork
from pipelines.faces.alignment import FaceAligner
from pipelines.media import images

PYTHON = sys.executable


@pytest.fixture(scope="module")
def faces(demo_images, tmp_path_factory) -> Path:
    """A folder with three photographs and their faces, as `make_faces` leaves them."""
    folder = tmp_path_factory.mktemp("faces")
    paths = sorted((demo_images / "neutral").glob("*.png"))[:3]
    photos = [onto_canvas(images.read(path), 320, i) for i, path in enumerate(paths)]
    aligner = FaceAligner()
    np.save(folder / serving_models.PHOTOS, np.stack(photos))
    chips = [aligner.align(photo).chip for photo in photos]
    np.save(folder / serving_models.CHIPS, np.stack(chips))
    return folder


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [(range(1, 101), 0.5, 50), (range(1, 101), 0.99, 99), ([3.0, 1.0, 2.0], 0.99, 3.0)],
)
def test_a_quantile_is_one_of_the_values(values, share, expected):
    assert figures.quantile(list(values), share) == expected


def test_a_ratio_is_of_medians_a_face_and_its_range_of_rounds():
    slow = Timed("slow", {8: [[[0.8], [0.8], [8.0]], [[1.6], [1.6], [1.6]]]})
    fast = Timed("fast", {8: [[[0.1], [0.1], [0.1]], [[0.4], [0.4], [0.4]]]})
    # All six of slow: 0.8 0.8 1.6 1.6 1.6 8 -> 1.6; of fast: 0.1 and 0.4 thrice -> 0.25.
    assert figures.ratio(slow, fast, 8) == pytest.approx((6.4, 4.0, 8.0))


def test_faces_a_second_count_all_the_time():
    assert figures.faces_a_second(np.array([[0.5], [1.5]]), 8) == pytest.approx(8.0)


def test_growth_is_the_slope_after_what_is_left_out():
    resident = [1e6 * n for n in range(50)] + [5e7 + 4096 * n for n in range(150)]
    assert figures.growth(resident, 51) == pytest.approx(4096)


def test_the_split_adds_up_to_the_whole():
    way = Timed("ours", {2: [[[0.100, 0.060, 0.010], [0.100, 0.060, 0.010]]]})
    row = figures.whole_table([way], [2]).splitlines()[-1]
    assert row == "| ours | 2 | 30.00 | 5.00 | 15.00 | 100.0 | 100.0 | 20.0 | 2 |"


def test_what_was_not_run_is_said():
    way = Timed("ours", {1: [[[0.002], [0.002]]]})
    *_, ours, missing = figures.faces_table([way], ["DeepFace"], [1], None).splitlines()
    assert ours == "| ours | 2.00, 2.00; 500 | · | 2 |"
    assert missing == "| DeepFace | not run | not run | not run |"


def test_requests_go_through_the_faces_in_turn():
    asked = []
    way = Way(lambda places: asked.append(places) or places, lambda places: [float(places[0])])
    turns = Turns(3)
    rows = [timed(way, turns, 2, 0.0) for _ in range(3)]
    assert asked == [[0, 1], [2, 0], [1, 2]]
    assert [[row[1] for row in each] for each in rows] == [[0.0], [2.0], [1.0]]


def test_a_turn_ends_when_its_time_is_over():
    rows = timed(Way(lambda places: places, lambda _: None), Turns(1), 1, 0.05)
    assert len(rows) > 1
    assert sum(took for (took,) in rows) <= 0.05 + rows[-1][0]


def test_a_process_that_ends_leaves_its_last_words():
    with (
        Asked("the peer", [PYTHON, "-c", "import sys; sys.exit('no such package')"], {}) as peer,
        pytest.raises(FailedWork, match="the peer ended: no such package"),
    ):
        peer.answer()


def test_the_peers_file_stands_alone():
    """Another environment has neither this project nor what it needs."""
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        "print(len({'benchmarks', 'pipelines', 'fesr_tf', 'tensorflow'} & set(sys.modules)))"
    )
    with Asked("peers", [PYTHON, "-I", "-c", code, serving_peers.__file__], {}) as peer:
        assert peer.answer() == 0


def test_the_worker_times_each_way(faces, exported_model):
    question = json.dumps({"faces": str(faces), "model": str(exported_model)})
    words = [PYTHON, "-m", "benchmarks.serving_worker", question]
    with Asked("worker", words, thread_limits(1)) as worker:
        assert worker.answer().startswith("tensorflow ")
        for kind in ("photos", "classify", "files", "pixels", "bytes"):
            rows = worker.ask({"way": kind, "batch": 2, "seconds": 0.0})
            assert len(rows) == 1 and rows[0][0] > 0
            if kind == "photos":
                whole, detect, align = rows[0]
                assert detect > 0 and align > 0
                assert whole > detect + align


def test_a_reload_answers_with_resident_memory(exported_model):
    picture = images.encode_png(np.full((64, 64), 128, np.uint8))
    resident = serving.reloads({"tiny": exported_model}, picture, 3)["tiny"]
    assert len(resident) == 3
    assert all(1e7 < each < 1e10 for each in resident)


def test_the_first_request_is_timed_with_and_without_warmup(exported_model):
    picture = images.encode_png(np.full((64, 64), 128, np.uint8))
    said = serving.first_requests(exported_model, picture, 1)
    assert said.startswith("first request after loading ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--models", "large"], "no model 'large'; there are: demo, full"),
        (["--batch", "0"], "--batch takes numbers from 1 on"),
        (["--threads", "0"], "--threads must be at least 1, not 0"),
        (["--reloads", "1"], "--reloads must be at least 2 for a slope, not 1"),
        (["--peers-python", "nowhere/python"], "no interpreter at nowhere/python"),
    ],
)
def test_what_cannot_be_is_refused(words, said, capsys):
    assert serving.main(words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_prints_every_way(capsys):
    words = ["--models", "demo", "--batch", "1,2", "--rounds", "1", "--seconds", "0"]
    assert serving.main([*words, "--reloads", "4", "--trials", "1", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    rows = [line.split(" | ")[0].strip("| ") for line in printed.splitlines() if line[:1] == "|"]
    for way in ("demo, in-process", "demo, gRPC", "demo, pixels in, model alone", "fer (Keras)"):
        assert way in rows
    assert "a reload beyond the first 2" in printed
