"""The study on photographs: its training sets, and its tables of an archive made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.training import real_faces, studies
from pipelines.common.errors import BadUse, FailedWork
from pipelines.databases.fer2013 import Table, read_table


def faces(per_class: int = 3) -> Table:
    """`per_class` images of each class in Training, the first one of each also in PublicTest, and
    the second one twice."""
    rng = np.random.default_rng(0)
    own = rng.integers(0, 256, (7, per_class, 48, 48), np.uint8)
    images = np.concatenate([own.reshape(-1, 48, 48), own[:, 1], own[:, 0]])
    emotions = np.concatenate([np.arange(7).repeat(per_class), np.arange(7), np.arange(7)])
    usages = np.array(["Training"] * 7 * (per_class + 1) + ["PublicTest"] * 7)
    return Table(images, emotions, usages, np.arange(len(images)), len(images), [])


def test_a_set_has_equally_many_images_a_class_and_none_twice_or_tested():
    table = faces()
    rows = real_faces.drawn(table, 14, seed=1)
    assert np.bincount(table.emotions[rows]).tolist() == [2] * 7
    assert set(table.usages[rows]) == {"Training"}
    pixels = [table.images[row].tobytes() for row in rows]
    tested = {image.tobytes() for image in table.images[-7:]}
    assert len(set(pixels)) == 14 and not tested & set(pixels)
    with pytest.raises(BadUse):
        real_faces.drawn(table, 21, seed=1)


def test_a_class_with_too_few_gives_all_and_the_others_the_rest_alike():
    table = faces(per_class=5)
    disgust = np.flatnonzero((table.emotions == 1) & (table.usages == "Training"))
    table.usages[disgust[2:]] = "PrivateTest"  # leaves one that is not in PublicTest
    rows = real_faces.drawn(table, 19, seed=1)
    assert np.bincount(table.emotions[rows]).tolist() == [3, 1, 3, 3, 3, 3, 3]


def test_a_subset_is_a_table_that_the_reader_takes(tmp_path):
    table, path = faces(), tmp_path / "fer2013.csv"
    path.write_text(real_faces.subset(table, 7, seed=2))
    read = read_table(path)
    assert read.usages.tolist() == ["Training"] * 7 + ["PrivateTest"] * 7
    chosen = real_faces.drawn(table, 7, seed=2)
    np.testing.assert_array_equal(read.images[:7], table.images[chosen])
    np.testing.assert_array_equal(read.emotions[7:], np.arange(7))


def test_the_tables_compare_the_sets_of_a_size(tmp_path):
    def one(number: int, right: dict[str, str]) -> None:
        rows = {
            name: {"correct": right.get(name, "0000"), "brier": 0.5, "log_loss": 1.0}
            for name in real_faces.ROWS
        }
        studies.save(tmp_path / f"700-{number:02d}.json.gz", {"rows": rows})

    one(0, {"FESR_JL": "1100", "BASELINE": "1000"})
    one(1, {"FESR_JL": "1110", "BASELINE": "0001"})
    lines = real_faces.tables(tmp_path).splitlines()
    (row,) = (line for line in lines if line.split()[:2] == ["700", "FESR_JL"] and ">" not in line)
    assert "50.0 75.0" in row and "62.5" in row
    # Differences of 25 and 50 points: mean 37.5, standard error 12.5, t = 12.706 at one degree.
    (row,) = (line for line in lines if "FESR_JL > BASELINE " in line)
    assert "+37.5" in row and "-121.3 to +196.3" in row and row.endswith("undecided")
    with pytest.raises(FailedWork):
        real_faces.tables(tmp_path / "none")
