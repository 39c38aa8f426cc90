"""The table of FESGAN's settings, from an archive whose values are worked out by hand."""

from __future__ import annotations

import json

import pytest

from benchmarks.training import generator_options as study
from fesr_tf.config import differences, resolve
from pipelines.common.errors import FailedWork


def archive(folder, row: str, *sets: dict[str, float] | None) -> None:
    """The values of a row by set; None: this set has none yet."""
    for number, values in enumerate(sets):
        place = folder / f"set-{number:02d}" / f"{row.replace(' ', '+')}.json"
        place.parent.mkdir(exist_ok=True)
        if values is not None:
            place.write_text(json.dumps({"set": number, "row": row, "values": values}))


def lines(text: str, row: str) -> list[list[str]]:
    """The cells of a row in each of the two tables, without its name."""
    found = [line.strip() for line in text.splitlines() if line.strip().startswith(f"{row}  ")]
    return [line.removeprefix(row).split() for line in found]


@pytest.fixture
def folder(tmp_path):
    archive(tmp_path, "BASELINE", {"R, %": 60.0}, {"R, %": 64.0})
    archive(
        tmp_path, "FESR_JL", {"R, %": 70.0, "PSNR rec.": 22.0}, {"R, %": 71.0, "PSNR rec.": 24.0}
    )
    archive(tmp_path, "FESR_JL own_intensity=data", None, {"R, %": 73.0, "PSNR rec.": 23.5})
    archive(tmp_path, "FESR_JL a=1 b=2", {"R, %": 72.0, "PSNR rec.": 23.0},
            {"R, %": 75.0, "PSNR rec.": 25.0})  # fmt: skip
    return tmp_path


def test_values_are_means_and_deviations_over_sets(folder):
    # 60 and 64 deviate by sqrt(8) = 2.8, 70 and 71 by sqrt(1/2) = 0.7, 22 and 24 by sqrt(2) = 1.41.
    text = study.tables(folder)
    assert lines(text, "BASELINE")[0] == ["2", "62.0", "±", "2.8", "-"]
    assert lines(text, "FESR_JL") == [["2", "70.5", "±", "0.7", "23.00", "±", "1.41"]]


def test_differences_are_those_of_the_same_sets(folder):
    text = study.tables(folder)
    # The one set that it has: 73 less 71, 23.5 less 24. Both sets: 2 and 4 points, 1 and 1 dB.
    assert lines(text, "FESR_JL own_intensity=data")[1] == ["1", "+2.0", "-0.50"]
    assert lines(text, "FESR_JL a=1 b=2")[1] == ["2", "+3.0", "±", "1.4", "+1.00", "±", "0.00"]
    assert lines(text, "BASELINE")[1] == ["2", "-8.5", "±", "2.1", "-"]


def test_planned_rows_stand_before_others(folder):
    assert list(study.archived(folder)) == [
        "BASELINE", "FESR_JL", "FESR_JL own_intensity=data", "FESR_JL a=1 b=2"
    ]  # fmt: skip


def test_an_empty_archive_is_refused(tmp_path):
    with pytest.raises(FailedWork):
        study.tables(tmp_path)


@pytest.mark.parametrize("option", study.OPTIONS)
def test_each_option_is_a_setting_that_the_paper_does_not_have(option):
    plain = resolve("demo", "FESR_JL", study.BASE)
    changed = resolve("demo", "FESR_JL", [*study.BASE, option])
    assert list(differences(plain, changed)) == [option.partition("=")[0]]
