"""`docs/method/equations.md` names every equation once, with a function and a test that exist."""

from __future__ import annotations

import ast
import re
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).resolve().parents[1]
PAGE = HERE.parents[1] / "docs/method/equations.md"


class Row(NamedTuple):
    number: int
    starred: bool
    function: str
    file: str
    test: str


def rows() -> list[Row]:
    pattern = r"^\| (\d+)(\*?) \| .+ \| `([\w.]+)` \| `(\w+\.py)::(\w+)` \|$"
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found = [re.match(pattern, line) for line in lines if re.match(r"\| \d", line)]
    assert all(found), "a row of the table is not `| number | says | function | test |`"
    return [Row(int(m[1]), bool(m[2]), m[3], m[4], m[5]) for m in found]


def numbers_in(test: str) -> set[int]:
    """The equations that a test's name claims: test_eq_04_eq_05_... claims 4 and 5."""
    return {int(each) for each in re.findall(r"_eq_(\d\d)(?=_)", test)}


def names_in(file: str) -> set[str]:
    tree = ast.parse(next(HERE.rglob(file)).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_equation_stands_there_once_in_order():
    assert [row.number for row in rows()] == list(range(1, 27))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"eq_{row.number:02}")
def test_the_function_and_the_test_of_an_equation_exist(row):
    module, *names = re.match(r"(fesr_tf\.\w+)\.(.+)", row.function).groups()
    function = reduce(getattr, ".".join(names).split("."), import_module(module))
    assert callable(function)
    assert row.test in names_in(row.file)
    assert row.number in numbers_in(row.test)


def test_a_starred_equation_is_explained_and_no_other():
    explained = re.findall(r"^- \*\*([\d, ]+)\*\*:", PAGE.read_text(encoding="utf-8"), re.M)
    numbers = sorted(int(each) for group in explained for each in group.split(","))
    assert numbers == [row.number for row in rows() if row.starred]


def test_no_golden_claims_an_equation_that_the_paper_lacks():
    tests = {name for path in HERE.rglob("test_goldens*.py") for name in names_in(path.name)}
    claimed = set().union(*map(numbers_in, tests))
    assert claimed == set(range(1, 27))
