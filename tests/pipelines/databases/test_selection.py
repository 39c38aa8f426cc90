"""Classes that are left out, and images listed to validate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.common.errors import BadUse
from pipelines.common.records import Reject
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.databases.base import Database, Sample
from pipelines.databases.selection import read_keys, validating, without
from tests.support.naming import naming


def database() -> Database:
    """Three classes, two folds: a trains in both, b in one, c in none."""
    rows = [
        ("a", 0, (TRAIN, TRAIN), (7, 2, 1)),
        ("b", 2, (TEST, TRAIN), (0, 4, 6)),
        ("c", 1, (UNUSED, TEST), (1, 8, 1)),
    ]
    samples = [Sample(key, label, "", official=roles, votes=v) for key, label, roles, v in rows]
    return Database("faces", ("anger", "contempt", "fear"), samples, 1, Path("/faces"))


def test_a_class_that_is_left_out_takes_its_images_its_number_and_its_votes():
    found = without(database(), ["contempt"])
    assert found.classes == ("anger", "fear")
    assert [(s.key, s.label, s.votes) for s in found.samples] == [
        ("a", 0, (7, 1)),
        ("b", 1, (0, 6)),
    ]
    reason = "its class contempt is left out (--leave-out)"
    assert found.rejects == [Reject("c", "c", "contempt", "", reason)]


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["Contempt"], ("Contempt", "anger, contempt, fear")),
        (["anger", "fear"], ("anger,fear", "contempt")),
    ],
)
def test_unknown_classes_and_too_few_left_are_bad_use(names, values):
    with pytest.raises(BadUse, match=naming("--leave-out", *values)):
        without(database(), names)


def test_listed_images_validate_where_they_trained():
    found = validating(database(), ["b", "a", "zoe", "c"])
    assert [s.official for s in found.samples] == [(VALID, VALID), (TEST, VALID), (UNUSED, TEST)]
    moved, rest = found.notes
    assert re.search(naming(2), moved) and re.search(naming(2, "c, zoe"), rest)


def test_a_list_that_fits_nothing_is_bad_use():
    with pytest.raises(BadUse, match=naming("--valid-list", 2, "c, x")):
        validating(database(), ["x", "c"])


def test_databases_without_official_parts_take_no_list():
    samples = [Sample("a", 0, "p"), Sample("b", 1, "q")]
    with pytest.raises(BadUse, match=naming("--valid-list", "/faces")):
        validating(Database("faces", ("x", "y"), samples, 1, Path("/faces")), ["a"])


def test_keys_are_read_line_by_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufefffer0000001\r\n\r\n fear/anna 1 \n".encode())
    assert read_keys(path) == ["fer0000001", "fear/anna 1"]
    with pytest.raises(BadUse, match=naming(tmp_path / "none.txt")):
        read_keys(tmp_path / "none.txt")
