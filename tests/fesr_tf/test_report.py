"""One page that opens anywhere, says what was measured, and 'not run' where nothing was."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fesr_tf import config, evaluate, report, synthesize, train


class Page(HTMLParser):
    """Collects text and references; fails on tags that do not match."""

    EMPTY = frozenset({"meta", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.references, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def evaluated(run_copy):
    assert evaluate.main([str(run_copy)]) == 0
    return run_copy


def test_the_page_tells_the_accuracy_and_needs_no_other_file(evaluated, tmp_path):
    assert synthesize.main([str(evaluated), "--people", "2"]) == 0
    assert report.main([str(evaluated), "--output", str(tmp_path / "page")]) == 0
    page = Page((tmp_path / "page/index.html").read_text())
    found = json.loads((evaluated / "evaluation.json").read_text())
    text = " ".join(page.words)
    assert f"{found['accuracy']:.1%}" in text
    assert f"{found['correct']} of {found['total']}" in text
    assert found["data_digest"] in text and "not run" not in text.lower()
    assert len(page.references) == 3
    assert all(ref.startswith("data:image/png;base64,") for ref in page.references)


def test_what_was_not_done_is_called_not_run(tiny_run, tmp_path):
    assert report.main([str(tiny_run), "--output", str(tmp_path)]) == 0
    text = (tmp_path / "index.html").read_text()
    assert "Evaluation: not run" in text and text.count("Not run.") == 3


def test_the_command_on_the_page_is_the_one_that_trains_the_run(tiny_run):
    result = report.read_result(tiny_run)
    words = shlex.split(report.train_command(result))
    assert words[:3] == ["python", "-m", "fesr_tf.train"]
    options = train.parser().parse_args(words[3:])
    again = config.resolve(options.db, options.variant, options.overrides)
    assert again == result.config
    assert (options.fold, options.data) == (result.info.fold, result.info.data)


def test_runs_of_other_data_or_classes_are_refused_by_name(run_copy, tiny_run, tmp_path, capfd):
    info = json.loads((run_copy / "run.json").read_text())
    for change in ({"data_digest": "0" * 64}, {"classes": ["a", "b"]}):
        (run_copy / "run.json").write_text(json.dumps(info | change))
        assert report.main([str(tiny_run), str(run_copy), "--output", str(tmp_path)]) == 2
        err = capfd.readouterr().err
        assert str(tiny_run) in err and str(run_copy) in err
    assert not (tmp_path / "index.html").exists()


def test_a_damaged_or_foreign_evaluation_is_refused(evaluated, tmp_path, capfd):
    path = evaluated / "evaluation.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"data_digest": "0" * 64}))
    assert report.main([str(evaluated), "--output", str(tmp_path)]) == 1
    del found["interval"]
    path.write_text(json.dumps(found))
    assert report.main([str(evaluated), "--output", str(tmp_path)]) == 1
    path.write_text("{")
    assert report.main([str(evaluated), "--output", str(tmp_path)]) == 1
    assert "evaluate the run again" in capfd.readouterr().err


def test_names_are_escaped(tiny_run):
    result = report.read_result(tiny_run)
    odd = replace(result, info=replace(result.info, classes=("<b>", "c&d")))
    text = report.page([odd])
    assert "&lt;b&gt;" in text and "<b>" not in text
