"""The preprocessing job asked for the impossible, or given what nobody can use."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from pipelines.dataset import manifest, rejects
from pipelines.media import images
from tests.support.inspection import contents, mentions, run


def test_troubles_are_rejected_by_name_and_the_job_goes_on(mixed, tmp_path, capsys):
    output = tmp_path / "out"
    assert run("--db", "images", "--input", mixed, "--output", output, "--folds", 2) == 0
    found = manifest.load(output)
    assert (found.counts["read"], found.counts["aligned"], found.counts["rejected"]) == (9, 4, 5)
    reasons = {reject.source: reject.reason for reject in rejects.read(output, found)}
    assert "damaged" in reasons["fear/p002_short.png"]
    assert "format" in reasons["fear/p002_text.jpg"]
    assert "empty" in reasons["fear/p002_empty.jpg"]
    assert mentions(reasons["neutral/p002_bomb.png"], f"{images.MAX_PIXELS:,}")
    assert "face" in reasons["neutral/p002_wall.png"]
    printed = capsys.readouterr().out
    assert all(source in printed for source in reasons)
    assert mentions(printed, 9, 4, 5)


def test_nothing_usable_is_a_failure_and_leaves_nothing(tmp_path, capsys):
    for name in ("a/p1.png", "b/p2.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (90, 90)).save(tmp_path / "in" / name)
    assert run("--db", "images", "--input", tmp_path / "in", "--output", tmp_path / "out") == 1
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert mentions(error.replace(str(tmp_path), ""), 2, "/in")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["--db", "images"], ["images", "--input"]),
        (["--db", "images", "--input", "{here}/nowhere"], ["{here}/nowhere", "exist"]),
        (["--input", "{people}", "--folds", "4"], ["--folds", 3]),
        (["--input", "{people}", "--fold", "2"], ["--fold", "--folds"]),
        (["--input", "{people}", "--direct_num_worker", "2"], ["--direct_num_workers"]),
        (["--input", "{people}", "--direct_num_workers", "two"], ["--direct_num_workers", "'two'"]),
        (["--input", "{people}", "--shards", "0"], ["--shards 0"]),
        (["--input", "{people}", "--output", "{here}/other"], ["{here}/other", "--output"]),
        (["--output", "{here}/other", "--overwrite"], ["{here}/other", "--output"]),
        (["--input", "{people}", "--output", "{people}/.."], ["--output", "--input"]),
        (["--demo-subjects", "1"], ["--demo-subjects 1", 2]),
        (["--input", "{people}", "--prealigned"], ["--prealigned", "images"]),
        (["--input", "{people}", "--max-rejects", "5"], ["--max-rejects 5"]),
    ],
)
def test_bad_use_is_one_line(demo_people, tmp_path, capsys, arguments, values):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("precious")
    places = {"here": tmp_path, "people": demo_people}
    given = [argument.format(**places) for argument in arguments]
    if "--output" not in given:
        given += ["--output", str(tmp_path / "out")]
    assert run(*given) == 2
    error = capsys.readouterr().err
    assert mentions(error, *(str(value).format(**places) for value in values))
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert contents(tmp_path) == {"other/thesis.txt": b"precious"}


def test_a_name_that_is_not_utf8_is_rejected(mixed, tmp_path):
    picture = mixed / "fear" / "p000_00.png"
    picture.rename(os.fsdecode(bytes(mixed / "fear") + b"/p\xe9_00.png"))
    output = tmp_path / "out"
    assert run("--db", "images", "--input", mixed, "--output", output, "--folds", 2) == 0
    found = rejects.read(output, manifest.load(output))
    reasons = {reject.source: reject.reason for reject in found}
    assert "UTF-8" in reasons["fear/p?_00.png"]


def test_an_output_among_the_classes_is_no_class_the_next_time(mixed, capsys):
    arguments = ("--db", "images", "--input", mixed, "--output", mixed / "out", "--folds", 2)
    assert run(*arguments) == 0
    assert run(*arguments) == 0
    assert manifest.load(mixed / "out").classes == ("fear", "neutral")


def test_a_class_that_was_lost_is_noted(mixed, tmp_path):
    (mixed / "wall").mkdir()
    (mixed / "neutral" / "p002_wall.png").rename(mixed / "wall" / "p002_wall.png")
    output = tmp_path / "out"
    assert run("--db", "images", "--input", mixed, "--output", output, "--folds", 2) == 0
    assert mentions(manifest.load(output).notes, "'wall'")


def test_an_output_that_cannot_be_made_is_one_line(mixed, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "out"
    assert run("--db", "images", "--input", mixed, "--output", output) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert str(tmp_path / "file") in error


def test_another_databases_data_is_not_replaced_unasked(mixed, tmp_path, capsys):
    output = tmp_path / "data"
    arguments = ("--db", "images", "--input", mixed, "--output", output)
    assert run(*arguments) == 0
    text = (output / manifest.NAME).read_text().replace('"images"', '"ckplus"')
    (output / manifest.NAME).write_text(text)
    before = contents(output)
    assert run(*arguments) == 2
    assert mentions(capsys.readouterr().err, output, "'ckplus'", "--overwrite")
    assert contents(output) == before
    assert run(*arguments, "--overwrite") == 0
    assert manifest.load(output).database == "images"


def test_more_rejects_than_allowed_fail_and_leave_nothing(mixed, tmp_path, capsys):
    output = tmp_path / "out"
    given = ["--db", "images", "--input", mixed, "--output", output, "--folds", 2]
    assert run(*given, "--max-rejects", 0.5) == 1
    error = capsys.readouterr().err
    assert mentions(error, 5, 9, "--max-rejects 0.5")
    assert "fear/p002_empty.jpg" in error
    assert [path.name for path in tmp_path.iterdir()] == ["mixed"]
    assert run(*given, "--max-rejects", 0.6) == 0
