"""Commands in several processes: order, shares of the machine, failures, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fesr_tf.processes import jobs
from fesr_tf.processes.jobs import Command, Job


def job(tmp_path, name: str, *scripts: str, after: str | None = None, ends: int = 0) -> Job:
    commands = tuple(Command(("-c", script), tmp_path / f"{name}.log") for script in scripts)
    return Job(name, commands, ends=ends, after=after)


def statuses(outcomes) -> dict[str, str]:
    return {name: outcome.status for name, outcome in outcomes.items()}


def test_commands_of_a_job_run_in_a_row_and_their_output_is_in_its_log(tmp_path):
    outcomes, stopped = jobs.run([job(tmp_path, "a", "print('one')", "print('two')")], 1)
    assert statuses(outcomes) == {"a": "done"} and not stopped
    assert len(outcomes["a"].seconds) == 2
    output = (tmp_path / "a.log").read_text().splitlines()
    assert [line for line in output if not line.startswith("$")] == ["one", "two"]


def test_a_failure_reports_the_end_of_its_log_and_the_others_continue(tmp_path):
    todo = [
        job(tmp_path, "bad", "print('why'); raise SystemExit(3)", "print('never')"),
        job(tmp_path, "follows", "print('never')", after="bad"),
        job(tmp_path, "other", "print('fine')"),
    ]
    outcomes, stopped = jobs.run(todo, 1)
    assert statuses(outcomes) == {"bad": "failed", "follows": "not run", "other": "done"}
    assert outcomes["bad"].tail == "why" and not stopped
    assert not (tmp_path / "follows.log").exists()


def test_a_job_waits_for_the_one_it_follows_while_another_runs(tmp_path):
    stamp = "import time; from pathlib import Path; Path({!r}).write_text(str(time.time()))"
    todo = [
        job(tmp_path, "first", "import time; time.sleep(0.5)", stamp.format(str(tmp_path / "1"))),
        job(tmp_path, "second", stamp.format(str(tmp_path / "2")), after="first"),
        job(tmp_path, "third", stamp.format(str(tmp_path / "3"))),
    ]
    assert set(statuses(jobs.run(todo, 2)[0]).values()) == {"done"}
    times = [float((tmp_path / name).read_text()) for name in "123"]
    assert times[2] < times[0] < times[1]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no bounds on cores here")
@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_each_place_has_its_share_of_the_cores_and_this_process_keeps_its_own(tmp_path, at_once):
    before = os.sched_getaffinity(0)
    script = "import os; print(sorted(os.sched_getaffinity(0)))"
    names = [f"j{index}" for index in range(min(at_once, 2))]
    jobs.run([job(tmp_path, name, script) for name in names], at_once)
    assert os.sched_getaffinity(0) == before
    shares = [set(eval((tmp_path / f"{n}.log").read_text().splitlines()[1])) for n in names]
    assert [len(share) for share in shares] == [max(1, len(before) // at_once)] * len(names)
    if at_once == 2 and len(before) > 1:
        assert not shares[0] & shares[1]


SAVES = """
import signal, sys, time
count = 0
def hear(number, frame):
    global count
    count += 1
signal.signal(signal.SIGINT, hear)
print("ready", flush=True)
while not count:
    time.sleep(0.02)
time.sleep(0.5)
print("saved after", count, flush=True)
sys.exit(130)
"""


def test_ctrl_c_reaches_every_process_once_and_nothing_new_begins(tmp_path):
    todo = [job(tmp_path, name, SAVES, "print('never')") for name in ("a", "b")]
    todo.append(job(tmp_path, "c", "print('never')"))

    def press() -> None:
        logs = [tmp_path / "a.log", tmp_path / "b.log"]
        while not all(log.exists() and "ready" in log.read_text() for log in logs):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    before = signal.getsignal(signal.SIGINT)
    presser.start()
    outcomes, stopped = jobs.run(todo, 2)
    presser.join()
    assert stopped and signal.getsignal(signal.SIGINT) is before
    assert statuses(outcomes) == {"a": "stopped", "b": "stopped", "c": "not run"}
    for name in ("a", "b"):
        assert (tmp_path / f"{name}.log").read_text().splitlines()[-1] == "saved after 1"


def test_the_state_counts_the_steps_in_the_log(tmp_path):
    script = "import time; print('step 7 of 10  FESGAN', flush=True); time.sleep(1)"
    seen = []
    todo = [Job("a", (Command(("-c", script), tmp_path / "log"),), begins=4, ends=10)]
    jobs.run(todo, 1, seen.append)
    assert {state.steps for state in seen} >= {3, 6}
    assert (seen[-1].ended, seen[-1].running) == (1, ())


class Shared(jobs.Alone):
    """Jobs of which "other" runs in another process that needs `looks` looks, and "lost" is taken
    over by it once it has started."""

    def __init__(self, looks: int = 2):
        self.looks, self.taken, self.released = looks, [], []

    def take(self, job):
        self.taken.append(job.name)
        if job.name == "other" or (self.taken.count("lost") > 1 and job.name == "lost"):
            self.looks -= 1
            return None if self.looks else jobs.DONE
        return jobs.RUNNING

    def keep(self, job):
        return job.name != "lost"

    def release(self, job, outcome):
        self.released.append(job.name)


def test_a_job_of_another_process_is_waited_for_and_the_one_after_it_runs_here(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(jobs, "LOOK", 0.05)
    todo = [
        job(tmp_path, "other", "print('never')"),
        job(tmp_path, "follows", "print('fine')", after="other"),
    ]
    claims, ends = Shared(), []
    outcomes, stopped = jobs.run(todo, 1, ended=lambda job, _: ends.append(job.name), claims=claims)
    assert statuses(outcomes) == {"other": "done", "follows": "done"} and not stopped
    assert ends == ["other", "follows"] and claims.released == ["follows"]
    assert not (tmp_path / "other.log").exists() and not outcomes["other"].seconds


def test_a_job_that_another_process_took_over_ends_here_and_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "LOOK", 0.05)
    claims, ends = Shared(), []
    started = time.monotonic()
    todo = [job(tmp_path, "lost", "import time; time.sleep(60)")]
    outcomes, stopped = jobs.run(
        todo, 1, ended=lambda _, outcome: ends.append(outcome.status), claims=claims
    )
    assert time.monotonic() - started < 30 and not stopped
    assert ends == [jobs.TAKEN_OVER, "done"] and statuses(outcomes) == {"lost": "done"}
    assert claims.released == []


@pytest.mark.skipif(sys.platform != "linux", reason="a kernel without this")
def test_a_job_ends_with_the_process_that_started_it_even_by_sigkill(tmp_path):
    """A training gets SIGTERM, on which it saves its state; another process then resumes it."""
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    words = f"""
from pathlib import Path
from fesr_tf.processes import jobs
jobs.run([jobs.Job("a", (jobs.Command(("-c", {script!r}), Path({str(tmp_path)!r}) / "log"),))], 1)
"""
    parent = subprocess.Popen([sys.executable, "-c", words])
    log = tmp_path / "log"
    while not (log.exists() and (lines := log.read_text().splitlines()[1:])):
        time.sleep(0.02)
    child = int(lines[0])
    parent.kill()
    parent.wait()
    for _ in range(500):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            break
        if state == "Z":  # nobody here waits for it
            break
        time.sleep(0.02)
    else:
        pytest.fail("the job outlived its parent")
