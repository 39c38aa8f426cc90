"""One page that opens anywhere, says what was measured, and 'not run' where nothing was."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from fesr_tf import config, synthesize, train
from fesr_tf.report import __main__ as report
from fesr_tf.report import document, material
from fesr_tf.report.sections.method import train_command
from fesr_tf.results import sources
from pipelines.common.errors import FailedWork
from tests.support.naming import naming
from tests.support.report_pages import Page


@pytest.fixture
def evaluated(evaluated_run, tmp_path) -> Path:
    """`evaluated_run`, to write into."""
    return Path(shutil.copytree(evaluated_run, tmp_path / "run"))


@pytest.fixture
def read(evaluated) -> sources.Sources:
    return sources.read([evaluated])


def words(*runs: Path, output: Path) -> list[str]:
    return [*map(str, runs), "--output", str(output)]


def test_the_page_tells_the_accuracy_and_needs_no_other_file(evaluated, tmp_path):
    assert synthesize.main([str(evaluated), "--people", "2"]) == 0
    assert report.main(words(evaluated, output=tmp_path / "page")) == 0
    page = Page((tmp_path / "page/index.html").read_text())
    found = json.loads((evaluated / "evaluation.json").read_text())
    assert f"{100 * found['accuracy']:.1f}" in page.text
    assert found["data_digest"] in page.text
    pictures = [each for each in page.references if not each.startswith("#")]
    assert len(pictures) == 4  # three sheets and the aligned faces
    assert all(each.startswith("data:image/webp;base64,") for each in pictures)


def test_every_anchor_of_the_contents_is_on_the_page(evaluated, tmp_path):
    assert report.main(words(evaluated, output=tmp_path / "page")) == 0
    page = Page((tmp_path / "page/index.html").read_text())
    asked = {each[1:] for each in page.references if each.startswith("#")}
    assert asked == set(page.ids) and len(page.ids) == len(asked) == 12


def test_what_was_not_done_is_called_not_run(tiny_run, tmp_path):
    assert report.main(words(tiny_run, output=tmp_path / "page")) == 0
    page = Page((tmp_path / "page/index.html").read_text())
    for said in ("fesr_tf.measure", "Fig. 4, Fig. 5, Fig. 6, Fig. 7, Fig. 9", "nearest"):
        assert said in page.text, said
    figures = json.loads((tmp_path / "page/figures.json").read_text())["figures"]
    (accuracy,) = (f for f in figures if f["item"] == "FESR_JL, fold 0, accuracy")
    assert accuracy["value"] is None
    (line,) = (
        row
        for row in csv.DictReader((tmp_path / "page/figures.csv").open())
        if row["item"] == accuracy["item"]
    )
    assert line["value"] == ""


def test_the_demo_database_is_said_to_say_nothing_about_ck(read, tmp_path):
    assert material.DEMO in list(material.warnings(read))
    assert "CK+" in material.DEMO
    other = dataclasses.replace(
        read.runs[0], info=dataclasses.replace(read.runs[0].info, database="images")
    )
    changed = dataclasses.replace(read, runs=(other,))
    assert material.DEMO not in list(material.warnings(changed))
    document.write(changed, {})


def test_a_fold_that_is_missing_among_single_runs_is_said(read):
    said = [each for each in material.warnings(read) if re.search(r"\bfolds?\b", each)]
    assert any(re.search(naming(2, 0, 1), each) for each in said)


def test_a_database_of_one_person_is_said_to_be_one(read):
    counts = read.manifest.counts | {"by_subject": {"p000": 32}}
    alone = dataclasses.replace(
        read, manifest=dataclasses.replace(read.manifest, counts=counts, subject_independent=False)
    )
    (said,) = set(material.warnings(alone)) - set(material.warnings(read))
    assert said in Page(document.write(alone, {}).files["index.html"]).text


def test_runs_of_other_settings_or_code_are_said_to_be(read):
    run = read.runs[0]
    starts = [start | {"commit": "a" * 40} for start in run.machine.at("starts")]
    machine = dataclasses.replace(run.machine, data={"starts": starts})
    fold = dataclasses.replace(run.info, fold=1)
    settings = run.config.model_copy(update={"lambda2": 7.0, "seed": 3})
    other = dataclasses.replace(
        run, folder=run.folder / "other", info=fold, config=settings, machine=machine
    )
    changed = dataclasses.replace(other, machine=dataclasses.replace(machine, data={"starts": [
        start | {"commit": "b" * 40} for start in starts
    ]}))  # fmt: skip
    one = dataclasses.replace(run, machine=machine)
    first = set(material.warnings(dataclasses.replace(read, runs=(one, other))))
    (settings,) = (each for each in first if "FESR_JL" in each and "lambda2" in each)
    assert "seed" not in settings
    second = set(material.warnings(dataclasses.replace(read, runs=(one, changed))))
    (commits,) = second - first
    assert re.search(naming(2), commits)


def test_data_that_are_gone_are_said_to_be(read, tmp_path):
    lost = dataclasses.replace(read, manifest=None, data=tmp_path / "gone")
    page = Page(document.write(lost, {}).files["index.html"])
    assert str(tmp_path / "gone") in page.text and "--data" in page.text


def test_the_command_on_the_page_is_the_one_that_trains_the_run(tiny_run):
    run = sources.read_run(tiny_run)
    given = shlex.split(train_command(run))
    assert given[:3] == ["python", "-m", "fesr_tf.train"]
    options = train.parser().parse_args(given[3:])
    again = config.resolve(options.db, options.variant, options.overrides)
    assert again == run.config
    assert (options.fold, options.data) == (run.info.fold, run.info.data)


def test_runs_of_other_data_or_classes_are_refused_by_name(run_copy, tiny_run, tmp_path, capfd):
    info = json.loads((run_copy / "run.json").read_text())
    for change in ({"data_digest": "0" * 64}, {"classes": ["a", "b"]}):
        (run_copy / "run.json").write_text(json.dumps(info | change))
        assert report.main(words(tiny_run, run_copy, output=tmp_path / "page")) == 2
        err = capfd.readouterr().err
        assert str(tiny_run) in err and str(run_copy) in err and err.count("\n") == 1
    assert not (tmp_path / "page").exists()


def test_a_damaged_or_foreign_evaluation_is_refused(evaluated, tmp_path, capfd):
    path = evaluated / "evaluation.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"data_digest": "0" * 64}))
    assert report.main(words(evaluated, output=tmp_path / "page")) == 1
    del found["interval"]
    path.write_text(json.dumps(found))
    assert report.main(words(evaluated, output=tmp_path / "page")) == 1
    path.write_text("{")
    assert report.main(words(evaluated, output=tmp_path / "page")) == 1
    assert capfd.readouterr().err.count(str(path)) == 3
    assert not (tmp_path / "page").exists()


def test_what_is_neither_a_run_nor_a_cross_validation_is_refused(tmp_path, capfd):
    assert report.main(words(tmp_path, output=tmp_path / "page")) == 2
    assert re.search(naming(tmp_path, "run.json"), capfd.readouterr().err)


def test_data_given_that_are_others_are_refused(evaluated, tmp_path, capfd):
    given = [*words(evaluated, output=tmp_path / "page"), "--data", str(tmp_path)]
    assert report.main(given) == 2
    assert re.search(naming(tmp_path, "manifest.json"), capfd.readouterr().err)


def test_a_folder_of_somebody_elses_is_not_replaced(tiny_run, tmp_path, capfd):
    (tmp_path / "page").mkdir()
    (tmp_path / "page/thesis.txt").write_text("years of work")
    assert report.main(words(tiny_run, output=tmp_path / "page")) == 2
    assert str(tmp_path / "page") in capfd.readouterr().err
    assert (tmp_path / "page/thesis.txt").read_text() == "years of work"


def test_an_earlier_report_is_replaced_whole(tiny_run, tmp_path):
    for _ in range(2):
        assert report.main(words(tiny_run, output=tmp_path / "page")) == 0
    names = sorted(path.name for path in (tmp_path / "page").iterdir())
    assert names == ["figures.csv", "figures.json", "index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_names_are_escaped(read):
    run = read.runs[0]
    found = json.loads(json.dumps(run.evaluation.data))
    odd = ("<b>", "c&d", *found["classes"][2:])
    found["classes"] = list(odd)
    for row, name in zip(found["per_class"], odd, strict=True):
        row["class"] = name
    run = dataclasses.replace(
        run,
        info=dataclasses.replace(run.info, classes=odd),
        evaluation=dataclasses.replace(run.evaluation, data=found),
    )
    text = document.write(dataclasses.replace(read, runs=(run,)), {}).files["index.html"]
    assert "&lt;b&gt;" in text and "c&amp;d" in text
    assert "<b>" not in text and "c&d" not in text


def test_the_papers_figures_are_shown_where_somebody_drew_them(evaluated, tmp_path):
    place = evaluated / "figures"
    place.mkdir()
    shutil.copy(evaluated / "pictures/confusion.png", place / "fig-4.png")
    entry = {"file": "fig-4.png", "title": "Variants", "caption": "All.", "command": "draw <it>"}
    (place / "figures.json").write_text(json.dumps([entry | {"figure": "4"}]))
    page = document.write(sources.read([evaluated]), {}).files["index.html"]
    text = Page(page).text
    assert re.search(r"Fig\. 4: Variants *All\.", text) and "draw &lt;it&gt;" in page
    assert "Fig. 5, Fig. 6, Fig. 7, Fig. 9" in text  # those that are not there


@pytest.mark.parametrize("file", ["../secret.png", "/etc/passwd", "absent.png"])
def test_figures_outside_their_folder_or_absent_are_refused(evaluated, file):
    (evaluated / "figures").mkdir()
    entry = {"file": file, "title": "Fig. 4"}
    (evaluated / "figures/figures.json").write_text(json.dumps([entry]))
    (evaluated / "secret.png").write_bytes(b"")
    with pytest.raises(FailedWork, match=r"figures\.json"):
        document.write(sources.read([evaluated]), {})
