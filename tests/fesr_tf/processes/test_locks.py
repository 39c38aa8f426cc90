"""Locks shared by processes of several hosts: one holder, dead ones replaced, never by two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fesr_tf.processes import locks

HOLD = """
import sys, time
from pathlib import Path
from fesr_tf.processes import locks
assert locks.take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""
# Takes every folder's lock at the same time as others; prints the numbers of those that it got.
RACE = """
import sys, time
from pathlib import Path
from fesr_tf.processes import locks
got = []
print("ready", flush=True)
begin = float(sys.stdin.readline())
for number, folder in enumerate(sorted(Path(sys.argv[1]).iterdir())):
    while time.time() < begin + number / 100:
        pass
    if locks.take(folder):
        got.append(number)
print(*got, flush=True)
sys.stdin.readline()
"""


def changed(path: Path, **content) -> None:
    """Changes what a lock file says, as if another process had written it."""
    path.write_text(json.dumps(json.loads(path.read_text()) | content))


def test_a_held_lock_names_its_holder_and_is_not_taken_again(tmp_path):
    lock = locks.take(tmp_path / "run")
    said = locks.read(lock.path)
    assert said["process"] == os.getpid() and said["host"] and said["started"]
    assert locks.take(tmp_path / "run") is None
    lock.release("failed", seconds=[1.5])
    assert locks.read(lock.path)["status"] == "failed"
    assert locks.take(tmp_path / "run").path.name == "crossval-0002.lock"
    assert len(locks.series(tmp_path / "run")) == 2


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    assert locks.take(tmp_path) is None
    holder.kill()
    # Not yet waited for: a zombie holds nothing.
    while locks.held(locks.newest(tmp_path)):
        time.sleep(0.01)
    assert locks.take(tmp_path).path.name == "crossval-0002.lock"
    holder.wait()


def test_another_process_with_the_number_of_the_dead_one_holds_nothing(tmp_path):
    lock = locks.take(tmp_path)
    changed(lock.path, process_started=1)
    assert locks.take(tmp_path)


@pytest.mark.parametrize(("age", "free"), [(100, False), (140, True)])
def test_on_another_host_the_heartbeat_counts(tmp_path, age, free):
    lock = locks.take(tmp_path)
    # A process of this number lives here, but it is not that host's.
    changed(lock.path, machine="elsewhere")
    os.utime(lock.path, times=(time.time() - age,) * 2)
    assert (locks.take(tmp_path, dead_after=120) is not None) == free


def test_a_file_without_content_counts_by_its_age(tmp_path):
    """Its maker was killed between the two, or has not got so far."""
    path = tmp_path / "crossval-0001.lock"
    path.touch()
    assert locks.take(tmp_path) is None
    os.utime(path, times=(time.time() - 1000,) * 2)
    assert locks.take(tmp_path)


def test_a_heartbeat_renews_the_time_and_notices_that_the_lock_was_taken_over(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(locks, "HEARTBEAT", 0.0)
    lock = locks.take(tmp_path)
    changed(lock.path, machine="elsewhere")
    os.utime(lock.path, times=(time.time() - 1000,) * 2)
    assert lock.beat() and lock.path.stat().st_mtime > time.time() - 60
    os.utime(lock.path, times=(time.time() - 1000,) * 2)
    assert locks.take(tmp_path)
    assert not lock.beat()


def test_of_several_takers_of_a_dead_lock_one_gets_it(tmp_path):
    """50 folders, every other one with the lock of a dead process; four takers at one instant."""
    count = 50
    for number in range(count):
        folder = tmp_path / f"{number:02d}"
        folder.mkdir()
        if number % 2:
            changed(locks.take(folder).path, process_started=1)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    begin = time.time() + 0.3
    for racer in racers:
        racer.stdin.write(f"{begin}\n")
        racer.stdin.flush()
    # All live until the last has finished: a lock of one that ended would be free.
    got = [number for racer in racers for number in map(int, racer.stdout.readline().split())]
    for racer in racers:
        racer.communicate("\n", timeout=60)
    assert sorted(got) == list(range(count))
