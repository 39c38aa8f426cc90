"""What a run notes of the machine and the code that trained it."""

from __future__ import annotations

import json
import os
import subprocess

import tensorflow as tf

from fesr_tf.runs import machine


def starts(folder) -> list[int]:
    return [start["step"] for start in json.loads((folder / machine.MACHINE).read_text())["starts"]]


def test_a_run_notes_where_it_began(tiny_run):
    (start,) = json.loads((tiny_run / machine.MACHINE).read_text())["starts"]
    assert start["step"] == 0
    assert start["tensorflow"] == tf.__version__
    assert start["cores"] == len(os.sched_getaffinity(0))
    assert start["memory_gib"] > 0.5 and start["processor"]
    # By the product's name, not as TensorFlow numbers it (/physical_device:GPU:0).
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    assert start["gpus"] == [each["device_name"] for each in details]


def test_every_start_is_kept_and_a_restarted_run_starts_a_new_list(tmp_path):
    for step in (0, 500, 500, 900):
        machine.note_start(tmp_path, step)
    assert starts(tmp_path) == [0, 500, 900]
    machine.note_start(tmp_path, 0)
    assert starts(tmp_path) == [0]
    (tmp_path / machine.MACHINE).write_text("{")
    machine.note_start(tmp_path, 7)
    assert starts(tmp_path) == [7]


def test_the_commit_is_that_of_the_working_tree_and_marked_where_files_differ(tmp_path):
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *who, "-C", str(tmp_path), *words], capture_output=True,
                              text=True, check=True)  # fmt: skip
        return done.stdout.strip()

    assert machine.commit(tmp_path) is None
    git("init", "--quiet")
    (tmp_path / "code.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    head = git("rev-parse", "HEAD")
    assert machine.commit(tmp_path) == head
    (tmp_path / "code.py").write_text("x = 2\n")
    assert machine.commit(tmp_path) == head + "+"


def test_a_repository_further_up_is_somebody_elses(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "site-packages").mkdir()
    assert machine.commit(tmp_path / "site-packages") is None
