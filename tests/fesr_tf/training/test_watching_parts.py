"""The watching callbacks one by one, against numbers worked out by hand."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tqdm import tqdm

from fesr_tf import config
from fesr_tf.model import fesr
from fesr_tf.processes.console import clock_time
from fesr_tf.training.callbacks import EverySteps
from fesr_tf.training.monitoring.console import Progress
from fesr_tf.training.monitoring.events import open_writer
from fesr_tf.training.monitoring.held_out import precision_recall
from fesr_tf.training.monitoring.scalars import Scalars
from pipelines.common.errors import FailedWork
from tests.support.reading_events import read, values


@pytest.fixture(scope="module")
def model():
    """Batch 8, log_every 20; 100 steps of FESGAN, then 50 of FESR."""
    overrides = ["image_size=32", "width=0.0625", "batch_size=8", "pretrain_iterations=100",
                 "max_iterations=150", "log_every=20"]  # fmt: skip
    return fesr.build(config.resolve("demo", overrides=overrides), 3)


class Clock:
    """Time that a test sets."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def begin(callback, model, stage, step):
    model.fesgan.step.assign(step)
    callback.set_model(stage)
    callback.on_train_begin()


def go(callback, model, step, **losses):
    model.fesgan.step.assign(step)
    callback.on_train_batch_end(0, losses)


class Kept(EverySteps):
    """Keeps the steps at which it acted."""

    def __init__(self, *words):
        super().__init__(*words)
        self.acted = []

    def act(self, step, logs):
        self.acted.append(step)


@pytest.mark.parametrize(
    ("every", "steps", "acted"),
    [
        (4, range(1, 11), [4, 8, 10]),
        (4, [3, 6, 9, 12], [6, 9, 12]),  # three steps a call
        (4, [10], [10]),  # several multiples within one call are one
        (5, range(1, 11), [5, 10]),
        (0, range(1, 11), []),
    ],
)
def test_what_falls_due_is_done_once_and_at_the_end(model, every, steps, acted):
    callback = Kept(model, every, 10)
    begin(callback, model, model, 0)
    for step in steps:
        go(callback, model, step)
    assert callback.acted == acted


def test_a_resumed_run_does_not_act_at_once(model):
    callback = Kept(model, 500, None)
    begin(callback, model, model, 740)
    go(callback, model, 741)
    assert callback.acted == []


def test_rates_are_steps_and_images_by_the_clock(model, tmp_path):
    clock, writer = Clock(), open_writer(tmp_path / "events", None)
    scalars = Scalars(model, writer, None, clock)
    begin(scalars, model, model.fesgan, 0)
    for step in range(1, 61):
        clock.now += 0.25 if step <= 40 else 0.5
        go(scalars, model, step, L_rec=step / 8)
    writer.close()
    events = read(tmp_path / "events")
    # 20 steps of 8 images in 5 s, then in 10 s; before step 20 there is nothing to compare.
    assert values(events, "speed/seconds_per_step") == {40: 0.25, 60: 0.5}
    assert values(events, "speed/steps_per_second") == {40: 4, 60: 2}
    assert values(events, "speed/images_per_second") == {40: 32, 60: 16}
    assert values(events, "losses/L_rec") == {20: 2.5, 40: 5, 60: 7.5}


def test_what_is_no_loss_keeps_its_own_group(model, tmp_path):
    writer = open_writer(tmp_path / "events", None)
    scalars = Scalars(model, writer)
    begin(scalars, model, model.fesgan, 0)
    go(scalars, model, 20, **{"L_rec": 1.0, "signals/spread": 0.5})
    writer.close()
    tags = read(tmp_path / "events").Tags()["tensors"]
    assert {"losses/L_rec", "signals/spread"} <= set(tags)


def test_what_is_logged_is_on_disk_at_once(model, tmp_path):
    """A kill after the next checkpoint must not leave a gap that nobody fills."""
    writer = open_writer(tmp_path / "events", None)
    scalars = Scalars(model, writer)
    begin(scalars, model, model.fesgan, 0)
    for step in range(1, 21):
        go(scalars, model, step, L_rec=1.0)
    assert values(read(tmp_path / "events"), "losses/L_rec") == {20: 1}
    writer.close()


HOLDS = """
from fesr_tf.training.memory import peak_memory
import numpy as np
before = peak_memory()
block = np.ones(2**26)
held = peak_memory()
del block
print(held - before, peak_memory() - held)
"""


def test_peak_memory_grows_by_what_is_held_and_stays():
    """512 MiB, in a process of its own that has freed next to nothing."""
    done = subprocess.run([sys.executable, "-c", HOLDS], capture_output=True, text=True, check=True)
    grown, after = map(int, done.stdout.split())
    # The kernel's count is some pages behind.
    assert 2**29 - 2**27 < grown < 2**29 + 2**27
    assert after > -(2**23)


def parts_of(status_line: str) -> list[str]:
    """The parts of the line but its memory, which nobody can foresee."""
    return [part for part in status_line.split(" | ") if "GiB" not in part]


def test_a_log_file_gets_whole_lines_now_and_then(model):
    clock, out = Clock(), io.StringIO()
    progress = Progress(model, [("FESGAN", 100), ("FESR", 150)], out, 30.0, clock)
    begin(progress, model, model.fesgan, 0)
    for step in range(1, 101):
        clock.now += 10 if step == 1 else 2
        go(progress, model, step, L_G=12.0, L_rec=0.25, penalty=3.0)
    progress.on_train_end()
    lines = [parts_of(line) for line in out.getvalue().splitlines()]
    losses = "L_G 12.000  L_rec 0.250"
    assert lines[0][0] == "step 1 of 150  FESGAN" and lines[0][2:] == [losses]
    assert not re.search(r"\d", lines[0][1])  # no rate yet
    # 30 s after the first: 15 steps of 8 images at 2 s; 84 steps of this stage are left.
    step, left, rates, last = lines[1]
    assert (step, last) == ("step 16 of 150  FESGAN", losses)
    assert re.findall(r"[\d:]+", left) == ["2:48"] and left.endswith("FESR")
    assert rates == "4.0 images/s, 2.000 s/step"
    assert lines[-1][0] == "step 100 of 150  FESGAN"
    assert re.findall(r"[\d:]+", lines[-1][1]) == ["0:00"] and lines[-1][1].endswith("FESR")
    assert len(lines) == 2 + 5 + 1
    assert "\r" not in out.getvalue()


def test_the_last_stage_names_no_other_and_uses_its_own_step_time(model):
    clock, out = Clock(), io.StringIO()
    progress = Progress(model, [("FESGAN", 100), ("FESR", 150)], out, 5.0, clock)
    begin(progress, model, model, 100)
    for step in range(101, 112):
        clock.now += 60 if step == 101 else 0.5
        go(progress, model, step, L_R=1.0)
    step, left, rates, losses = parts_of(out.getvalue().splitlines()[-1])
    assert (step, losses) == ("step 111 of 150  FESR", "L_R 1.000")
    assert re.findall(r"[\d:]+", left) == ["0:20"] and not re.search("FESR|FESGAN", left)
    assert rates == "16.0 images/s, 0.500 s/step"


class Terminal(io.StringIO):
    """A text stream that reports a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_s_line_moves_fits_and_is_ended(model, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    clock, out = Clock(), Terminal()
    progress = Progress(model, [("FESGAN", 100)], out, None, clock)
    begin(progress, model, model.fesgan, 0)
    for step in range(1, 4):
        clock.now += 1
        go(progress, model, step, L_G=1.0)
    shown = out.getvalue()
    assert "\n" not in shown
    states = [state for state in shown.split("\r") if state.startswith("step")]
    assert [state.split(" of")[0] for state in states] == ["step 1", "step 2", "step 3"]
    assert max(map(len, states)) == 39
    tqdm.write("a warning", file=out)
    assert "a warning" in [part.strip() for part in re.split("[\r\n]", out.getvalue())]
    progress.close()
    progress.close()
    assert out.getvalue().endswith("\n") and out.getvalue().count("\n") == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(7.4, "0:07"), (61, "1:01"), (3723, "1:02:03"), (2 * 86400 + 3723, "2 d 1:02:03")],
)
def test_times_read_like_a_clock(seconds, text):
    assert clock_time(seconds) == text


def test_precision_and_recall_by_hand():
    truth = np.array([True, True, False, False, True])
    scores = np.array([0.9, 0.5, 0.5, 0.1, 0.2])
    # thresholds 0, 0.5, 1
    found = precision_recall(truth, scores, 3)
    np.testing.assert_allclose(
        found,
        [
            [3, 2, 0],  # true positives
            [2, 1, 0],  # false positives
            [0, 1, 2],  # true negatives
            [0, 1, 3],  # false negatives
            [3 / 5, 2 / 3, 0],
            [1, 2 / 3, 0],
        ],
    )


def write(folder, resumed, steps, scale):
    writer = open_writer(folder, resumed)
    with writer.as_default():
        for step in steps:
            tf.summary.scalar("losses/L_G", scale * step, step=step)
            if step % 3 == 0:
                tf.summary.image("faces", tf.zeros((1, 2, 2, 3)), step=step)
    writer.flush()  # and never closed: killed
    return writer


def test_a_resumed_run_has_one_curve(tmp_path):
    """Written to step 9, killed, resumed from step 5, twice."""
    kept = [write(tmp_path, None, range(1, 10), 1.0)]
    kept.append(write(tmp_path, 5, range(6, 8), 2.0))
    kept.append(write(tmp_path, 5, range(6, 9), 4.0))
    events = read(tmp_path)
    found = values(events, "losses/L_G")
    assert found == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 24, 7: 28, 8: 32}
    assert sorted(values(events, "faces")) == [3, 6]


def test_what_a_killed_run_wrote_beyond_its_checkpoint_is_gone_before_new_events_come(tmp_path):
    write(tmp_path, None, range(1, 10), 1.0)
    open_writer(tmp_path, 5).close()
    assert values(read(tmp_path), "losses/L_G") == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}


def test_an_event_that_was_cut_short_by_a_kill_is_removed(tmp_path):
    write(tmp_path, None, range(1, 10), 1.0).close()
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-5])
    open_writer(tmp_path, 20).close()
    assert list(tf.data.TFRecordDataset(str(path)))  # TensorFlow refuses a damaged file
    events = read(tmp_path)
    assert max(values(events, "losses/L_G")) == 9
    assert sorted(values(events, "faces")) == [3, 6]  # the picture of step 9 came last


def test_files_with_nothing_to_forget_stay_as_they_are(tmp_path):
    write(tmp_path, None, range(1, 10), 1.0).close()
    path = next(tmp_path.iterdir())
    before = path.stat().st_mtime_ns, path.stat().st_ino
    open_writer(tmp_path, 9).close()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_a_restarted_run_has_no_old_events(tmp_path):
    write(tmp_path, None, range(1, 10), 1.0)
    write(tmp_path, None, range(1, 3), 2.0).close()
    assert values(read(tmp_path), "losses/L_G") == {1: 2, 2: 4}


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FailedWork, match=re.escape(str(tmp_path / "file" / "events"))):
        open_writer(tmp_path / "file" / "events", None)
