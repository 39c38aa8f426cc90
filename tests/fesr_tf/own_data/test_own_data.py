"""`fesr_tf.own_data`: early errors, the planned commands, the final output; one complete run."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fesr_tf import config, train
from fesr_tf.crossval import parser as crossval_parser
from fesr_tf.crossvalidation.plan import split_overrides
from fesr_tf.own_data import __main__ as own_data
from fesr_tf.own_data import plan as plans
from fesr_tf.own_data import power, step_time
from fesr_tf.own_data import summary as own_data_summary
from pipelines.common.errors import BadUse
from pipelines.common.files import location
from pipelines.databases import Database, Sample, open_database
from pipelines.dataset import manifest as manifests
from pipelines.preprocess import main as preprocess
from tests.support.found_people import known, summary
from tests.support.naming import naming


def faces(folder: Path, names: dict[str, list[str]]) -> Path:
    """`<class>/<name>.png`: noise of 140 × 140 pixels, without a face."""
    random = np.random.default_rng(0)
    for label, stems in names.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for stem in stems:
            noise = random.integers(0, 255, (140, 140), np.uint8)
            Image.fromarray(noise).save(folder / label / f"{stem}.png")
    return folder


@pytest.fixture
def mine(tmp_path) -> Path:
    people = [f"p{index}_1" for index in range(3)]
    return faces(tmp_path / "faces", {"a": people, "b": people})


def planned(*words: str | Path):
    options = own_data.parser().parse_intermixed_args([str(word) for word in words])
    return own_data.planned(options)


# --- errors in one sentence, before there is an output


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ({}, ()),
        ({"a": []}, ()),
        ({"a": ["p_1", "q_1"]}, ("'a'",)),
        ({"a": ["IMG_1"], "b": ["IMG_2"]}, ("IMG",)),
    ],
)
def test_an_unusable_folder_is_refused(names, values, tmp_path, capfd):
    (tmp_path / "faces").mkdir()
    source = faces(tmp_path / "faces", names)
    assert own_data.main([str(source), "--output", str(tmp_path / "mine")]) == 2
    error = capfd.readouterr().err
    assert re.search(naming(source, *values), error) and error.count("\n") == 1
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--folds", "1"], ("--folds", 1)),
        (["--folds", "0"], ("--folds", 0)),
        (["--jobs", "0"], ("--jobs", 0)),
        (["--name", "my faces"], ("'my faces'",)),
        (["--variants", "FG"], ("FG",)),
        (["--variants", "FESR"], ("'FESR'", "FESR_JL")),
        (["seed=3"], ("seed", "--seeds")),
        (["widht=1"], ("'widht'", "'width'")),
        (["--output", "faces"], ("--output", "faces")),
    ],
)
def test_an_invalid_request_is_refused(words, values, mine, monkeypatch, capfd):
    monkeypatch.chdir(mine.parent)
    assert own_data.main(["faces", *words]) == 2
    error = capfd.readouterr().err
    assert re.search(naming(*values), error) and error.count("\n") == 1
    assert [path.name for path in mine.parent.iterdir()] == ["faces"]


def test_an_address_is_refused_with_its_path(tmp_path, capfd):
    assert own_data.main(["file:///no/my%20faces", "--output", str(tmp_path / "mine")]) == 2
    assert re.search(naming("give", "/no/my faces"), capfd.readouterr().err)


def test_an_empty_source_is_not_the_working_folder(mine, monkeypatch, capfd):
    monkeypatch.chdir(mine)
    with pytest.raises(SystemExit, match="2"):
        own_data.main([""])
    assert "DIR|FILE" in capfd.readouterr().err and not (mine / "mine").exists()


def test_a_missing_source_is_refused(tmp_path, capfd):
    assert own_data.main([str(tmp_path / "none"), "--output", str(tmp_path / "mine")]) == 2
    assert str(tmp_path / "none") in capfd.readouterr().err


def test_images_without_a_face(mine, tmp_path, capfd):
    assert own_data.main([str(mine), "--output", str(tmp_path / "mine")]) == 1
    error = capfd.readouterr().err
    assert re.search(naming(6), error)
    assert not (tmp_path / "mine/data").exists()


def test_people_are_counted_again_after_rejects(tmp_path, capfd):
    source = faces(tmp_path / "faces", {"a": ["p_1", "q_1"], "b": ["p_2", "q_2"]})
    for path in source.glob("*/q_*"):
        path.write_bytes(b"no picture")
    words = [str(source), "--output", str(tmp_path / "mine"), "--prealigned"]
    assert own_data.main(words) == 1
    # One person is left: fold 0 tests two images and trains on none, and two were rejected.
    lines = capfd.readouterr().err.splitlines()
    assert any(re.search(naming(source, 0, 2, "2 images"), line) for line in lines)


# --- folds, settings, batches


def test_folds_are_lowered_to_the_people_with_a_note(mine):
    plan, _, notes = planned(mine)
    assert plan.folds == 3
    (note,) = notes
    assert re.search(naming(5, 3), note)
    plan, _, notes = planned(mine, "--folds", "2")
    assert plan.folds == 2 and notes == []


def table(mine: Path, *folds: int) -> Path:
    path = mine.parent / "list.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "subject", "fold"])
        for label in ("a", "b"):
            for index, fold in enumerate(folds):
                writer.writerow([f"faces/{label}/p{index}_1.png", label, f"p{index}", fold])
    return path


def test_folds_of_a_csv_are_kept(mine):
    path = table(mine, 0, 1, 1)
    plan, database, _ = planned(path, "--output", mine.parent / "mine")
    assert plan.folds is None and len(database.samples) == 6
    assert "--folds" not in plans.preprocessing(plan).commands[0]
    with pytest.raises(BadUse, match=naming("fold", 2)):
        planned(path, "--output", mine.parent / "mine", "--folds", "3")


def test_a_setting_of_ones_own_beats_the_sizes(mine):
    plan, _, _ = planned(mine, "--output", "x", "width=0.5", "--jobs", "2")
    settings = plan.settings("FESR_JL")
    assert (settings.width, settings.image_size) == (0.5, 64)
    assert len({text.partition("=")[0] for text in plan.overrides}) == len(plan.overrides)
    paper, _, _ = planned(mine, "--size", "paper")
    settings = paper.settings("FESR_JL")
    assert set(config.differences(settings, config.resolve("images"))) == {"identity", "trunk"}
    assert settings.face_networks == ["light_cnn_29"]


def test_the_small_size_is_the_demos_in_colour():
    small, demo = config.resolve("images", overrides=config.size("small")), config.resolve("demo")
    assert set(config.differences(small, demo)) == {"channels", "trunk"}


def test_a_batch_fits_the_smallest_training_part(mine):
    plan, _, _ = planned(mine)
    settings, notes = own_data.fit_batch_size(plan, known(0, 1, 1))
    assert settings[-1] == "batch_size=2"
    (note,) = notes
    assert re.search(naming(2, "batch_size=2", 16), note)
    plan, _, _ = planned(mine, "batch_size=8")
    assert own_data.fit_batch_size(plan, known(0, 1, 1)) == (list(plan.overrides), [])
    plan, _, _ = planned(mine, "batch_size=2")
    assert own_data.fit_batch_size(plan, known(0, 1, 1))[1] == []


# --- an output belongs to one set of images


def test_an_output_of_other_images_or_settings_is_refused(mine, tmp_path):
    words = (mine, "--output", tmp_path / "mine")
    plan, database, _ = planned(*words)
    plan.claim(database)
    plan.claim(planned(*words)[1])
    before = (tmp_path / "mine/own_data.json").read_bytes()
    other, _, _ = planned(*words, "width=0.5", "--folds", "2")
    with pytest.raises(BadUse, match=naming(tmp_path / "mine")):
        other.claim(database)
    faces(mine, {"a": ["p9_1"]})
    with pytest.raises(BadUse, match=naming(tmp_path / "mine")):
        plan.claim(planned(*words)[1])
    assert (tmp_path / "mine/own_data.json").read_bytes() == before


def test_a_damaged_claim_is_one_sentence(mine, tmp_path, capfd):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/own_data.json").write_text("{")
    assert own_data.main([str(mine), "--output", str(tmp_path / "mine")]) == 1
    assert "own_data.json" in capfd.readouterr().err


# --- the plan


@pytest.fixture
def prepared(mine, tmp_path):
    """A plan whose data are there."""
    plan, database, _ = planned(mine, "--output", tmp_path / "mine", "--prealigned", "--folds", "3")
    words = ["--db", "images", "--input", mine, "--output", plan.data, "--prealigned"]
    assert preprocess([str(word) for word in (*words, "--folds", 3)]) == 0
    return plan, database


def test_options_of_the_preprocessing_are_passed_on(mine):
    plan, _, _ = planned(mine, "--prealigned", "--valid-share", "0.2")
    (words,) = plans.preprocessing(plan).commands
    assert {"--prealigned", "--valid-share=0.2", "--db", "images"} <= set(words)


def test_a_database_is_read_by_its_name(tmp_path):
    rows = [(k, usage) for usage in ("Training", "PrivateTest") for k in (0, 3, 3)]
    lines = [f"{label},{' '.join(['7'] * 48 * 48)},{usage}" for label, usage in rows]
    table = tmp_path / "fer2013.csv"
    table.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    plan, database, notes = planned(table, "--db", "fer2013", "--output", tmp_path / "mine")
    # The official parts are one fold, and no fold is invented.
    assert plan.folds is None and not notes
    (words,) = plans.preprocessing(plan).commands
    assert words[words.index("--db") + 1] == "fer2013" and "--folds" not in words
    assert plan.crossval == tmp_path / "mine/runs/fer2013/crossval.json"
    assert plans.digest(database) != plans.digest(
        open_database("images", faces(tmp_path / "f", {"a": ["p_1"], "b": ["p_2"]}))
    )


def test_a_claim_of_an_earlier_version_is_continued(mine, tmp_path):
    plan, database, _ = planned(mine, "--output", tmp_path / "mine", "--prealigned")
    plan.claim(database)
    path = tmp_path / "mine/own_data.json"
    stored = json.loads(path.read_text())
    assert stored.pop("database") == "images" and stored.pop("options") == ["--prealigned"]
    path.write_text(json.dumps(stored | {"prealigned": True}))
    plan.claim(database)
    path.write_text(json.dumps(stored | {"prealigned": False}))
    with pytest.raises(BadUse):
        plan.claim(database)


TIMES = {"crossval": 1.0, "everybody": 1.0}


def commands(plan, census, settings=(), photo="p.jpg") -> list[list[str]]:
    stages = plans.last_stages(plan, census, list(settings or plan.overrides), TIMES, photo)
    return [words for stage in stages for words in stage.commands]


def test_the_stages_go_from_folds_to_a_model(mine):
    plan, _, _ = planned(mine)
    assert [words[1].split(".")[1] for words in commands(plan, known(0, 0, 1, 1))] == [
        *("crossval", "train", "synthesize", "synthesize", "measure", "export", "report", "client"),
    ]
    # Verification between people needs two.
    modules = [words[1] for words in commands(plan, known(0, 1, 1), photo=None)]
    assert "fesr_tf.measure" not in modules and "fesr_tf.client" not in modules
    plan, _, _ = planned(mine, "--variants", "FESR_JL", "BASELINE")
    assert "fesr_tf.synthesize" not in [words[1] for words in commands(plan, known(0, 0, 1, 1))]


@pytest.mark.parametrize("variant", ["FESR_JL", "FESR_OneSt"])
def test_everybody_trains_with_the_settings_of_the_cross_validation(prepared, variant):
    plan, _ = prepared
    plan, _, _ = planned(plan.source, "--output", plan.output, "--variants", "BASELINE", variant)
    census = known(0, 1, 2, folds=3)
    settings, _ = own_data.fit_batch_size(plan, census)
    crossval, everybody, *_ = commands(plan, census, settings)
    options = train.parser().parse_args(everybody[2:])
    assert (options.fold, options.variant) == ("all", variant)
    cross = plans.cross_validation(plan, census, settings)
    trained = config.resolve(options.db, options.variant, options.overrides)
    assert trained == cross.settings(variant, 0) and trained.batch_size == 4
    options = crossval_parser().parse_args(crossval[2:])
    variants, overrides = split_overrides(options)
    assert (variants, list(overrides)) == (cross.variants, settings)
    assert options.folds == "0,1,2"


def test_the_classified_image_was_not_rejected(prepared):
    plan, cropped = prepared
    assert plan.photo(cropped) is None
    _, database, _ = planned(plan.source, "--output", plan.output)
    assert plan.photo(database) == str(plan.source / "a" / "p0_1.png")
    path = plan.data / "manifest.json"
    lost = {"key": "a/p0_1", "source": "a/p0_1.png", "class": "a", "subject": "p0", "reason": "x",
            "picture": "", "splits": [3, 1, 1]}  # fmt: skip
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rejects": [lost]}))
    assert plan.photo(database) == str(plan.source / "a" / "p1_1.png")


def test_outputs_older_than_the_last_checkpoint_are_outdated(tmp_path):
    path = tmp_path / "synthesis.json"
    assert not plans.after_training(path, tmp_path)
    path.write_text("")
    assert not plans.after_training(path, tmp_path)
    for step, moment in (("step-000002", 10), ("step-000004", 20)):
        (tmp_path / "checkpoints" / step).mkdir(parents=True)
        os.utime(tmp_path / "checkpoints" / step, (moment, moment))
    assert plans.after_training(path, tmp_path)
    os.utime(path, (15, 15))
    assert not plans.after_training(path, tmp_path)


def test_a_model_is_exported_again_only_if_the_run_went_on(run_copy, exported_model):
    for checkpoint in (run_copy / "checkpoints").iterdir():
        os.utime(checkpoint, (0, 0))
    assert plans.exported(exported_model.parent, run_copy)
    os.utime(run_copy / "checkpoints/step-000004")
    assert not plans.exported(exported_model.parent, run_copy)
    os.utime(run_copy / "checkpoints/step-000004", (0, 0))
    info = json.loads((run_copy / "run.json").read_text())
    (run_copy / "run.json").write_text(json.dumps(info | {"data_digest": "other"}))
    assert not plans.exported(exported_model.parent, run_copy)


def test_the_digest_of_the_images_is_that_of_earlier_versions(tmp_path):
    """An output folder keeps it, so that a change would refuse to resume."""
    samples = [
        Sample("a/p_1", 0, "p", str(tmp_path / "a/p_1.png")),
        Sample("b/q_1", 1, "q", str(tmp_path / "b/q_1.png"), fold=1, box=(1, 2, 3, 4)),
    ]
    database = Database("images", ("a", "b"), samples, 3, location(tmp_path))
    assert (
        plans.digest(database) == "a0db072342799b80b65cf2cc833fa12a172be9ac74b76b4bb4b450d79d731a0f"
    )


def test_time_is_steps_times_what_a_step_takes():
    settings = config.resolve("images", overrides=["pretrain_iterations=10", "max_iterations=30"])
    paces = {"FESR_JL": {"FESGAN": 2.0, "FESR": 3.0}}
    assert step_time.seconds(paces, "FESR_JL", settings, 0, 30) == 10 * 2 + 20 * 3
    assert step_time.seconds(paces, "FESR_JL", settings, 4, 10) == 6 * 2
    assert step_time.seconds(paces, "FESR_JL", settings, 15, 30) == 15 * 3
    assert step_time.seconds(paces, "FG", settings, 0, 10) == 10 * 2


# --- the final output


def test_the_results_name_used_images_and_the_exported_model(prepared):
    plan, _ = prepared
    found = {"variant": "FESR_JL", "baseline": "BASELINE", "difference": None, "interval": None}
    sums = [summary(name, 6, (0.4, 0.9)) for name in plan.variants]
    result = {"summaries": sums, "comparisons": [found]}
    manifest = manifests.load(plan.data)
    lines = own_data_summary.sentences(result, manifest, known(0, 1, folds=2), "FESR_JL")
    assert re.findall(r"\d+", lines[0]) == ["6", "6", "3"]  # pictures used of pictures, people
    assert any(re.findall(r"\d+", line) == ["1", "3"] for line in lines)  # folds without people
    assert "FESR_JL" in lines[-1] and not re.search(r"\d", lines[-1])
    copies = dataclasses.replace(manifest, dropped=(manifests.Dropped("a", "b", (0,)),))
    assert re.findall(r"\d+", power.used_images(copies)) == ["6", "6", "3", "1"]


# --- a complete run


@pytest.mark.slow
def test_a_complete_run_and_a_second_start(demo_images, tmp_path, tiny_settings):
    source = tmp_path / "faces"
    for name in ("anger", "happiness", "neutral"):
        shutil.copytree(demo_images / name, source / name)
    (source / "anger" / "p999_1.png").write_bytes(b"no picture")
    root = Path(own_data.__file__).parents[2]
    words = [sys.executable, "-m", "fesr_tf.own_data", str(source), "--output",
             str(tmp_path / "mine"), "--models", str(tmp_path / "models"), "--folds", "2",
             "--jobs", "2", *tiny_settings]  # fmt: skip
    first = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-3000:]
    mine = tmp_path / "mine"
    result = json.loads((mine / "runs/images/crossval.json").read_text())
    for each in result["summaries"]:
        pooled = each["pooled"]
        assert each["folds_run"] == 2
        values = naming(each["variant"], f"{pooled['accuracy']:.1%}", f"{pooled['right']:g} of")
        assert any(re.search(values, line) for line in first.stdout.splitlines())
    assert re.search(r"\b1 rejected\b", first.stdout)
    about = json.loads((tmp_path / "models/mine/1/assets.extra/model.json").read_text())
    assert about["fold"] == "all"
    of_model = next(each for each in result["summaries"] if each["variant"] == "FESR_JL")
    assert about["cross_validation"]["accuracy"] == of_model["pooled"]["accuracy"]
    assert (mine / "report/index.html").is_file()
    assert list((mine / "photograph").glob("*.annotated.png"))
    assert (mine / "runs/images/FESR_JL/fold-00/synthesis.json").is_file()
    again = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert again.returncode == 0 and len(again.stdout) < len(first.stdout)
    assert [path.name for path in (tmp_path / "models/mine").iterdir()] == ["1"]


@pytest.mark.parametrize(
    "given",
    [["--drop-copies"], ["--allow-copies"], ["--prealigned", "--allow=a", "--allow=b"], []],
    ids=lambda words: " ".join(words) or "none",
)
def test_options_of_preprocess_are_passed_on_as_given(given):
    options = own_data.parser().parse_args(["faces", *given])
    assert sorted(own_data.preprocess_words(options)) == sorted(given)
