"""The tables of the block study, from an archive whose values are worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.training import blocks, studies
from pipelines.common.errors import FailedWork


def archive(folder, right: dict[str, list[int]]) -> None:
    """Four images of class 0; in block b a row classifies `right[row][b]` of them correctly, and
    rows that are not named none."""
    images = [[f"k{i}", f"p{i}", 0] for i in range(4)]
    studies.save(folder / blocks.POPULATION, {"images": images, "classes": ["a", "b"]})
    for number in range(len(next(iter(right.values())))):
        rows = {}
        for name in blocks.ROWS:
            count = right.get(name, [0] * 99)[number]
            digits = "0" * count + "1" * (4 - count)
            rows[name] = {"predictions": digits, "brier": 0.5, "log_loss": 1.0}
        content = {"block": number, "rows": rows}
        studies.save(folder / f"block-{number:02d}.json.gz", content)


def test_accuracies_are_those_of_each_block(tmp_path):
    archive(tmp_path, {"FESR_JL": [4, 3], "BASELINE": [2, 1]})
    found = blocks.accuracies(tmp_path)
    assert found["FESR_JL"] == pytest.approx([1.0, 0.75])
    assert found["BASELINE"] == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize(
    ("interval", "word"),
    [((0.1, 0.3), "holds"), ((-0.3, -0.1), "does not"), ((-0.1, 0.2), "undecided"),
     (None, "undecided")],
)  # fmt: skip
def test_a_verdict_is_the_side_of_zero_on_which_the_interval_lies(interval, word):
    assert studies.verdict(interval) == word


def test_before_the_first_look_nothing_is_decided_and_equal_blocks_have_no_spread(tmp_path):
    archive(tmp_path, {"FESR_JL": [4, 3], "BASELINE": [2, 1]})
    lines = blocks.tables(tmp_path).splitlines()
    (line,) = (line for line in lines if "FESR_JL > BASELINE " in line)
    assert "+50.0" in line and "no spread" in line
    assert not any(line.endswith(("holds", "does not", "undecided")) for line in lines)


def test_eight_blocks_are_judged_at_the_level_of_the_first_look(tmp_path):
    # Differences of 25 or 50 points: mean 37.5, standard error 13.363 / sqrt(8) = 4.7246; the level
    # 0.000788 of the first of the looks at 8, 12, 16, 20 has t = 5.633 at 7 degrees of freedom.
    archive(tmp_path, {"FESR_JL": [1, 2] * 4})
    (line,) = (e for e in blocks.tables(tmp_path).splitlines() if "FESR_JL > BASELINE " in e)
    assert "+10.9 to +64.1" in line and line.endswith("holds")


def test_an_empty_archive_is_refused(tmp_path):
    with pytest.raises(FailedWork, match=str(tmp_path)):
        blocks.tables(tmp_path)


def test_the_page_has_the_tables_of_the_archive():
    page = (blocks.ARCHIVE / "README.md").read_text(encoding="utf-8")
    assert blocks.tables() in page


def test_an_archived_accuracy_is_the_share_of_correct_answers():
    """The first block by hand: correct answers of FESR_JL, counted without the module."""
    truth = studies.load(blocks.ARCHIVE / blocks.POPULATION)["images"]
    given = studies.load(blocks.ARCHIVE / "block-00.json.gz")["rows"]["FESR_JL"]["predictions"]
    correct = sum(int(digit) == label for digit, (_, _, label) in zip(given, truth, strict=True))
    assert len(truth) == 8000 and blocks.accuracies()["FESR_JL"][0] == correct / 8000
