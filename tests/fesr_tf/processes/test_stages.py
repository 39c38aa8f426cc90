"""Commands in a row: what is done, what is left out, how a failure ends."""

from __future__ import annotations

import re

import pytest

from fesr_tf.processes import sequence
from fesr_tf.processes.sequence import Stage
from tests.support.naming import naming


def test_the_first_failure_ends_the_row_with_its_code(capfd):
    called = []

    def call(words):
        called.append(words)
        return 1 if words == ["b"] else 0

    row = [Stage("first", [["a"]], 1), Stage("second", [["b"], ["c"]], 1), Stage("x", [["d"]], 1)]
    assert sequence.run_stages(row, call) == 1
    assert called == [["a"], ["b"]]
    assert re.search(naming(2, 3, "second", 1), capfd.readouterr().err)


def test_a_stamped_stage_is_done_once_until_its_command_changes(tmp_path):
    called = []

    def call(words):
        called.append(words)
        return 0

    for words in (["a"], ["a"], ["a", "--more"]):
        sequence.run_stages([Stage("x", [words], 1, stamp=tmp_path / "stamp")], call)
    assert called == [["a"], ["a", "--more"]]


def test_a_stamped_stage_is_done_again_where_its_work_is_gone(tmp_path):
    stage = Stage("x", [["a"]], 1, stamp=tmp_path / "stamp", makes=tmp_path / "made")
    stage.mark()
    assert not stage.finished()
    (tmp_path / "made").mkdir()
    assert stage.finished()


def test_a_failed_stage_leaves_no_stamp(tmp_path):
    stage = Stage("x", [["a"]], 1, stamp=tmp_path / "stamp")
    assert sequence.run_stages([stage], lambda words: 3) == 3
    assert not stage.finished()


def test_time_left_follows_the_speed_of_this_machine(capfd):
    times = iter([0, 0, 0, 240, 240, 240, 240])
    row = [Stage("slow", [["a"]], 2), Stage("next", [["b"]], 10)]
    sequence.run_stages(row, lambda words: 0, clock=lambda: next(times))
    out = capfd.readouterr().out
    heads = [line for line in out.splitlines() if line.startswith("[")]
    # Of each: its time, what has passed, what is left in all.
    times = [re.findall(r"\d+ (?:min|s)\b", head) for head in heads]
    assert times == [["2 min", "1 s", "12 min"], ["20 min", "4 min", "20 min"]]
    assert [head.split()[:2] for head in heads] == [["[1/2]", "slow"], ["[2/2]", "next"]]


def test_words_are_filled_in_only_when_the_stage_begins():
    called = []

    def call(words):
        called.append(words)
        return 0

    sequence.run_stages([Stage("x", [["p", "PHOTO"]], 1)], call, fill=lambda w: w.lower())
    assert called == [["p", "photo"]]


@pytest.mark.parametrize(("code", "expected"), [("3", 3), ("0", 0)])
def test_a_command_is_a_process_of_its_own(code, expected):
    assert sequence.call(["-c", f"raise SystemExit({code})"]) == expected


def test_a_killed_command_reports_its_signal():
    assert sequence.call(["-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]) == 137
