"""Cross-validation: what is to be done, what is refused, what is written; once, the whole way."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fesr_tf import config, crossval, runs
from fesr_tf.crossvalidation import execution
from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.crossvalidation.plan import Plan, evaluation_of, jobs_of
from fesr_tf.crossvalidation.record import Record, config_digest
from fesr_tf.processes import jobs, locks
from fesr_tf.train import parser as train_parser
from pipelines.common.errors import BadUse
from pipelines.dataset import manifest as manifests
from tests.support.naming import naming


@pytest.fixture
def plan(demo_data, tiny_settings, tmp_path) -> Plan:
    return Plan(
        database="demo",
        data=demo_data,
        runs=tmp_path / "runs",
        manifest=manifests.load(demo_data),
        variants=crossval.FIG_8,
        folds=(0, 1),
        seeds=(0,),
        overrides=tiny_settings,
    )


def words(source: Path, home: Path, *more: str) -> list[str]:
    return ["--db", "demo", "--data", str(source), "--runs", str(home), *more]


@pytest.fixture
def one_run(evaluated_run, tmp_path) -> Path:
    """`evaluated_run` in a folder of runs of its own: that folder."""
    home = tmp_path / "one"
    shutil.copytree(evaluated_run, runs.run_folder(home, "demo", "FESR_JL", 0))
    return home


# --- what is to be done


def test_stage_1_comes_first_once_a_fold_and_those_that_share_it_follow(plan):
    todo = jobs_of(plan)
    assert len(todo) == 2 * (1 + 7)
    shared = [job for job in todo if job.name.startswith("FG fold")]
    assert [job.name for job in shared] == ["FG fold 0", "FG fold 1"]
    for fold in (0, 1):
        here = [job for job in todo if job.name.endswith(f"fold {fold}")]
        assert here[0].name == f"FG fold {fold}" and len(here[0].commands) == 1
        follow = {job.name.split()[0] for job in here if job.after == f"FG fold {fold}"}
        assert follow == set(crossval.FIG_8) - {"BASELINE", "FESR_OneSt"}
    # Two steps of stage 1, two of stage 2: stage 1 is counted in no other job but OneSt's own.
    steps = {job.name.split()[0]: job.ends - job.begins for job in todo}
    assert steps == {"FG": 2, **dict.fromkeys(crossval.FIG_8, 2), "FESR_OneSt": 4}


def test_a_variant_that_would_share_with_none_trains_alone(plan):
    todo = jobs_of(dataclasses.replace(plan, variants=("BASELINE", "FESR_JL")))
    assert [job.name for job in todo[:2]] == ["BASELINE fold 0", "FESR_JL fold 0"]
    assert all("--first-stage" not in job.commands[0].words for job in todo)


def test_a_setting_of_all_runs_does_not_make_a_variant_another_one(plan):
    """`pretrain_iterations` of every run is not FESR_OneSt's, whose very point is that it is 0."""
    more = dataclasses.replace(plan, overrides=(*plan.overrides, "lambda6=0.5", "lambda2=7"))
    settings = {variant: more.settings(variant, 0) for variant in more.variants}
    assert more.withheld("FESR_OneSt") == ["pretrain_iterations=2"]
    assert settings["FESR_OneSt"].pretrain_iterations == 0
    assert settings["FESR_JL"].pretrain_iterations == 2
    assert settings["FESR_JL-IL"].lambda6 == settings["FESR_Real"].lambda6 == 0
    assert {each.lambda2 for each in settings.values()} == {7.0}
    assert settings["FESR_OneSt"].lambda6 == settings["FESR_JL"].lambda6 == 0.5


def test_seed_0_lies_where_the_plain_command_puts_it_and_others_beside(plan):
    more = dataclasses.replace(plan, seeds=(0, 3), variants=("BASELINE",))
    home = plan.runs
    assert more.folder(Unit("BASELINE", 1, 0)) == home / "demo/BASELINE/fold-01"
    assert more.folder(Unit("BASELINE", 1, 3)) == home / "seed-3/demo/BASELINE/fold-01"
    train = jobs_of(more)[-1].commands[0].words
    assert train[-1] == "seed=3" and str(home / "seed-3") in train
    # What the command makes of it is that very folder, with that very seed.
    options = train_parser().parse_args(train[2:])
    folder = runs.run_folder(options.runs, options.db, options.variant, options.fold)
    assert folder == more.folder(Unit("BASELINE", 1, 3))
    assert config.resolve("demo", "BASELINE", options.overrides) == more.settings("BASELINE", 3)


# --- what is refused


@pytest.mark.parametrize(
    ("wrong", "values"),
    [
        (["--variants", "FESR"], ("'FESR'", "FESR_JL")),
        (["--variants", "FG"], ("FG",)),
        (["--variants", "BASELINE", "BASELINE"], ("--variants", "BASELINE")),
        (["--folds", "0,2"], (2, 0, 1)),
        (["--folds", "first"], ("--folds", "'first'")),
        (["--seeds", "0,0"], ("--seeds", "'0,0'")),
        (["--seeds", "-1"], ("--seeds", "'-1'")),
        (["--jobs", "0"], ("--jobs", 0)),
        (["seed=2"], ("seed", "--seeds")),
        (["widht=1"], ("'widht'", "'width'")),
        (["--db", "nothing"], ("'nothing'", "demo")),
        (["--data", "nowhere"], ("nowhere",)),
    ],
)
def test_bad_use_is_one_sentence_and_nothing_is_started(wrong, values, demo_data, tmp_path, capfd):
    assert crossval.main(words(demo_data, tmp_path / "runs", *wrong)) == 2
    assert re.search(naming(*values), capfd.readouterr().err.strip().splitlines()[-1])
    assert not (tmp_path / "runs").exists()


def test_one_person_cannot_be_cross_validated(plan):
    counts = plan.manifest.counts
    counts = counts | {"by_subject": {"anna": counts["aligned"]}}
    alone = dataclasses.replace(plan.manifest, counts=counts)
    with pytest.raises(BadUse, match=naming(plan.data, 1)):
        dataclasses.replace(plan, manifest=alone)


def test_runs_of_other_data_or_classes_are_not_compared_and_both_are_named(one_run):
    first = one_run / "demo/FESR_JL/fold-00"
    found = json.loads((first / "evaluation.json").read_text())
    for change in ({"data_digest": "e" * 64}, {"classes": ["sad", "glad"]}):
        with pytest.raises(BadUse, match=naming(first, "other")) as told:
            results.refuse_mixed({first: found, Path("other"): found | change})
        assert next(iter(change)) in str(told.value)
    results.refuse_mixed({first: found, Path("other"): found})


def test_a_run_with_other_settings_is_refused_by_train_whose_sentence_is_passed_on(
    one_run, demo_data, tiny_settings, capfd
):
    more = ["--variants", "FESR_JL", "--folds", "0", *tiny_settings, "lambda2=7"]
    assert crossval.main(words(demo_data, one_run, *more)) == 1
    error = capfd.readouterr().err
    assert re.search(naming("lambda2", 100.0, 7.0), error)
    assert re.search(naming(1, "FESR_JL fold 0"), error.splitlines()[-1])
    written = json.loads((one_run / "demo/crossval.json").read_text())
    assert [run["status"] for run in written["runs"]] == ["failed"]


# --- what is written


def test_finished_runs_are_kept_and_missing_ones_are_listed(
    one_run, demo_data, tiny_settings, monkeypatch, capfd
):
    monkeypatch.setattr(jobs, "run", lambda *_: pytest.fail("nothing is left to do"))
    more = ["--variants", "FESR_JL", "--folds", "0", *tiny_settings]
    assert crossval.main(words(demo_data, one_run, *more)) == 0
    out = capfd.readouterr().out
    (row,) = [line for line in out.splitlines() if line.split()[:1] == ["FESR_JL"]]
    assert re.findall(r"\d+", row)[-2:] == ["1", "2"]  # folds

    evaluation = json.loads((one_run / "demo/FESR_JL/fold-00/evaluation.json").read_text())
    written = json.loads((one_run / "demo/crossval.json").read_text())
    (run,) = written["runs"]
    assert (run["variant"], run["fold"], run["seed"], run["status"]) == ("FESR_JL", 0, 0, "done")
    assert (run["step"], run["checkpoint"]) == (4, "last")
    assert run["accuracy"] == evaluation["accuracy"]
    assert run["data_digest"] == manifests.load(demo_data).digest
    assert (one_run / "demo" / run["evaluation"]).is_file()
    (summary,) = written["summaries"]
    assert (summary["folds_run"], summary["folds"]) == (1, 2)
    assert summary["pooled"]["pictures"] == evaluation["total"]
    assert summary["confusion"] == evaluation["confusion"]
    recalls = {each["class"]: each["recall"] for each in evaluation["per_class"]}
    assert {name: each["accuracy"] for name, each in summary["per_class"].items()} == recalls
    with (one_run / "demo/crossval.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert line["variant"] == "FESR_JL" and int(line["correct"]) == evaluation["correct"]


def test_an_evaluation_of_another_checkpoint_or_without_poses_is_done_again(plan, one_run):
    here = dataclasses.replace(plan, runs=one_run, variants=("FESR_JL",), folds=(0,))
    assert jobs_of(here) == []
    path = one_run / "demo/FESR_JL/fold-00/evaluation.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"step": 2}))
    assert [job.name for job in jobs_of(here)] == ["FESR_JL fold 0"]
    for row in found["predictions"]:
        del row["yaw"]
    path.write_text(json.dumps(found))
    assert [job.name for job in jobs_of(here)] == ["FESR_JL fold 0"]


def test_the_best_by_validation_has_an_evaluation_of_its_own(plan, one_run):
    """Where there is a best checkpoint: of its step. Where there is none the last one's counts."""
    here = dataclasses.replace(plan, runs=one_run, variants=("FESR_JL",), folds=(0,))
    best, unit = dataclasses.replace(here, checkpoint="best"), Unit("FESR_JL", 0, 0)
    assert evaluation_of(best, unit)["checkpoint"] == "last"
    folder = best.folder(unit)
    shutil.copytree(folder / "checkpoints/step-000004", folder / "best/step-000003")
    assert evaluation_of(best, unit) is None  # not evaluated yet
    (job,) = jobs_of(best)
    assert job.commands[1].words[-2:] == ("--checkpoint", "best")
    found = evaluation_of(here, unit) | {"checkpoint": "best", "step": 3}
    (folder / "evaluation-best.json").write_text(json.dumps(found))
    assert evaluation_of(best, unit) == found
    assert evaluation_of(here, unit)["checkpoint"] == "last"


def test_the_line_shows_done_running_rate_and_time_left():
    todo = [jobs.Job("a", (), 0, 40), jobs.Job("b", (), 20, 40)]
    line = execution.status(todo, 3, jobs.State(1, ("b",), 50), 10.0)
    done, steps, rate, left, running = line.split(" | ")
    assert re.findall(r"\d+", done) == ["4", "5"] and re.findall(r"\d+", steps) == ["50", "60"]
    assert re.findall(r"[\d.]+", rate) == ["5"] and left.endswith(" 0:02")
    assert running.endswith(" b")


# --- several processes


def test_the_record_holds_all_runs_of_these_settings_whoever_asked_for_them(
    plan, one_run, evaluated_run
):
    """The call asks for BASELINE on fold 1; FESR_JL on fold 0 is there, another seed differs."""
    shutil.copytree(evaluated_run, runs.run_folder(one_run / "seed-3", "demo", "FESR_JL", 1))
    call = dataclasses.replace(plan, runs=one_run, variants=("BASELINE",), folds=(1,))
    record = Record(call)
    result = record.write()
    done = [(r["variant"], r["fold"]) for r in result["runs"] if r["status"] == "done"]
    assert done == [("FESR_JL", 0)] and len(result["runs"]) == 4
    assert result["variants"] == ["BASELINE", "FESR_JL"] and result["baseline"] == "BASELINE"
    assert result["asked"] == {"folds": [0, 1], "seeds": [0]}
    (why,) = record.left_out
    assert re.search(naming("seed-3", "seed"), why)


def test_merge_trains_nothing_and_takes_what_stands(
    one_run, demo_data, tiny_settings, monkeypatch, capfd
):
    monkeypatch.setattr(jobs, "run", lambda *_: pytest.fail("--merge runs no job"))
    assert crossval.main(words(demo_data, one_run, "--merge", *tiny_settings)) == 0
    (row,) = [row for row in map(str.split, capfd.readouterr().out.splitlines())
              if row[:1] == ["FESR_JL"]]  # fmt: skip
    assert row[-3:] == ["1", "of", "2"]
    written = json.loads((one_run / "demo/crossval.json").read_text())
    assert written["variants"] == ["FESR_JL"]
    # Other settings: nothing of them stands there, and the run that does is named.
    assert crossval.main(words(demo_data, one_run, "--merge", *tiny_settings, "lambda2=7")) == 2
    assert re.search(naming(one_run / "demo/FESR_JL/fold-00", "lambda2"), capfd.readouterr().err)


def test_seconds_are_those_of_all_attempts_with_the_run_s_settings(plan, one_run):
    """12 s until it was stopped, 30 s and 4 s of evaluation; 99 s before it was restarted."""
    here = dataclasses.replace(plan, runs=one_run, variants=("FESR_JL",), folds=(0,))
    folder = here.folder(Unit("FESR_JL", 0, 0))
    digest = config_digest(folder)
    for status, seconds, settings in (
        ("stopped", [99.0], "0" * 64), ("stopped", [12.0], digest), ("done", [30.0, 4.0], digest)
    ):  # fmt: skip
        locks.take(folder).release(status, seconds=seconds, config_digest=settings)
    (run,) = Record(here).write()["runs"]
    assert (run["train_seconds"], run["evaluate_seconds"]) == (42.0, 4.0)
    assert run["host"] == socket.gethostname()


def test_a_job_that_failed_elsewhere_is_tried_again_by_the_next_start_only(plan):
    (job, *_) = jobs_of(dataclasses.replace(plan, variants=("BASELINE",)))
    folder = plan.folder(Unit("BASELINE", 0, 0))
    locks.take(folder).release("failed")
    before = locks.newest(folder).stat().st_mtime
    os.utime(locks.newest(folder), times=(before - 1, before - 1))
    shared = execution.SharedJobs(plan, locks.DEAD_AFTER)
    assert shared.take(job) == jobs.RUNNING
    other = execution.SharedJobs(plan, locks.DEAD_AFTER)
    assert other.take(job) is None
    shared.release(job, jobs.Outcome(jobs.FAILED, [1.0]))
    assert other.take(job) == jobs.FAILED


def test_a_folder_that_another_process_trains_in_is_waited_for(plan):
    (job, *_) = jobs_of(dataclasses.replace(plan, variants=("BASELINE",)))
    shared = execution.SharedJobs(plan, locks.DEAD_AFTER)
    with runs.alone(plan.folder(Unit("BASELINE", 0, 0))):
        assert shared.take(job) is None
    assert shared.take(job) == jobs.RUNNING


@pytest.mark.slow
def test_three_processes_divide_the_jobs_and_those_of_a_killed_one(
    demo_data, tiny_settings, tmp_path
):
    """Every run is started once, the one of the killed process once more, by another one."""
    home = tmp_path / "runs"
    settings = [*tiny_settings, "pretrain_iterations=8", "max_iterations=12"]
    command = [sys.executable, "-m", "fesr_tf.crossval", *words(demo_data, home)]
    command += ["--variants", "BASELINE", "FESR_SL", "FESR_JL", *settings]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    killed = processes[0]
    run = None
    while run is None:  # until it trains
        time.sleep(0.1)
        assert killed.poll() is None, killed.communicate()[0]
        for path in home.glob("demo/*/fold-*/crossval-*.lock"):
            log = path.parent / "train.log"
            if locks.read(path).get("process") == killed.pid and "step " in log.read_text():
                run = path.parent
    killed.kill()
    killed.communicate()
    outputs = [process.communicate(timeout=900)[0] for process in processes[1:]]
    assert [process.returncode for process in processes[1:]] == [0, 0], outputs

    folders = sorted(path.parent for path in home.glob("demo/*/fold-*/run.json"))
    assert len(folders) == 2 * 4  # with stage 1, which two of them share
    attempts = {folder: [locks.read(path) for path in locks.series(folder)] for folder in folders}
    ran = {
        folder: [each["process"] for each in made if "seconds" in each or "status" not in each]
        for folder, made in attempts.items()
    }
    assert ran[run][0] == killed.pid and ran.pop(run)[1:] in (
        [processes[1].pid], [processes[2].pid])  # fmt: skip
    assert all(len(by) == 1 for by in ran.values())
    assert {by[0] for by in ran.values()} >= {process.pid for process in processes[1:]}
    for folder in folders:
        started = (folder / "train.log").read_text().count("$ python -m fesr_tf.train")
        assert started == (2 if folder == run else 1), folder

    written = json.loads((home / "demo/crossval.json").read_text())
    assert [run["status"] for run in written["runs"]] == ["done"] * 6
    assert all(run["train_seconds"] > 0 for run in written["runs"])
    assert outputs[0].splitlines()[-10:] == outputs[1].splitlines()[-10:]  # the table
    merged = subprocess.run([*command, "--merge"], capture_output=True, text=True, timeout=300)
    assert merged.returncode == 0, merged.stderr
    assert json.loads((home / "demo/crossval.json").read_text()) == written


# --- the whole way


@pytest.mark.slow
def test_a_stopped_cross_validation_resumes(demo_data, tiny_settings, tmp_path):
    home = tmp_path / "runs"
    settings = [*tiny_settings, "pretrain_iterations=200", "max_iterations=202"]
    variants = ["--variants", "BASELINE", "FESR_SL", "FESR_JL"]
    command = [sys.executable, "-m", "fesr_tf.crossval", *words(demo_data, home)]
    command += ["--jobs", "2", "--folds", "0", *variants, *settings]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    shared = runs.run_folder(home, "demo", "FG", 0)
    while not any(shared.glob("checkpoints/step-*")) and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 130, output
    saved = max(shared.glob("checkpoints/step-*")).name.removeprefix("step-").lstrip("0")
    assert re.search(naming(int(saved)), (shared / "train.log").read_text().splitlines()[-1])

    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    written = json.loads((home / "demo/crossval.json").read_text())
    assert [run["status"] for run in written["runs"]] == ["done"] * 3
    assert {run["variant"]: run["first_stage"] for run in written["runs"]} == {
        "BASELINE": None, "FESR_SL": "FG", "FESR_JL": "FG"}  # fmt: skip
    assert all(run["train_seconds"] > 0 for run in [*written["runs"], *written["first_stages"]])
    for name in ("FESR_SL", "FESR_JL"):
        log = (runs.run_folder(home, "demo", name, 0) / "train.log").read_text()
        assert re.search(naming(shared, 200), log)
    rows = [row for row in map(str.split, done.stdout.splitlines()) if row[:1] == ["FESR_JL"]]
    assert [row[-3:] for row in rows] == [["1", "of", "2"]] * 2  # its summary, its comparison
