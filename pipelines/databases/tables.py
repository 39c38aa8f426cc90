"""CSV files with named columns, read with sentences for what is wrong in them.

Read as spreadsheets write them: separated by commas, semicolons or tabs, in UTF-8, UTF-16 or
Windows-1252, the names of the columns in any case.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.text import listed

# Columns of lists that have a reader of their own, in small letters.
_HINTS = {
    "pixels": "--db fer2013 reads FER2013's table",
    "subdirectory_filepath": "--db affectnet reads AffectNet's lists",
}
_DELIMITERS = ",;\t|"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Row:
    """One line of a table; values are stripped text, missing ones empty.

    names: the columns as they are written, by their names in lower case.
    """

    values: dict[str, str]
    line: int
    table: Path
    names: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values.get(self.names.get(column, ""), "")

    def integer(self, column: str) -> int:
        """The value as an int, also of 3.0; `BadUse` naming file, line and column if it is none."""
        return int(self._parsed(column, _whole, "a whole number"))

    def number(self, column: str) -> float:
        """The value as a float; `BadUse` naming file, line and column if it is none."""
        return float(self._parsed(column, float, "a number"))

    def _parsed(self, column: str, kind: Callable[[str], float], meaning: str) -> float:
        try:
            return kind(self[column])
        except ValueError:
            raise BadUse(
                f"{self.table}, line {self.line}: {column} is {self[column]!r}, not {meaning}"
            ) from None


def read_table(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """The rows of a CSV file that must have `columns`; others are kept beside them.

    Raises `BadUse` for a missing column, one that is there twice, another encoding, or a file
    without rows.
    """
    with _opened(path, columns) as (names, lines):
        known = {name.lower(): name for name in names}
        rows = [
            Row(
                {k: v.strip() for k, v in itertools.zip_longest(names, values, fillvalue="") if k},
                line,
                path,
                known,
            )
            for line, values in lines
        ]
    if not rows:
        raise BadUse(f"{path} has no rows")
    return rows


def read_columns(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """The line and the stripped values of `columns`, row by row: for tables beyond memory.

    Raises `BadUse` for a missing column, one that is there twice, or another encoding.
    """
    with _opened(path, columns) as (names, lines):
        lower = [name.lower() for name in names]
        places = [lower.index(column.lower()) for column in columns]
        for line, values in lines:
            yield line, [values[k].strip() if k < len(values) else "" for k in places]


@contextlib.contextmanager
def _opened(
    path: Path, columns: tuple[str, ...]
) -> Iterator[tuple[list[str], Iterator[tuple[int, list[str]]]]]:
    """The names of the columns, and the line and values of every row that is not blank."""
    try:
        with path.open(newline="", encoding=_encoding(path)) as file:
            head = file.readline()
            skipped = 0
            # Excel's own line, which names the delimiter.
            if head.lower().startswith("sep="):
                head, skipped = file.readline(), 1
            delimiter = _delimiter(head, columns)
            reader = csv.reader(itertools.chain([head], file), delimiter=delimiter)
            names = [name.strip() for name in next(reader, [])]
            _check(path, names, columns)
            yield names, ((reader.line_num + skipped, row) for row in reader if row)
    except (UnicodeError, csv.Error) as error:
        raise BadUse(
            f"{path} is not a CSV file in UTF-8, UTF-16 or Windows-1252: {error}"
        ) from error


def _whole(text: str) -> int:
    # pandas writes 3.0 where a column has an empty cell.
    return int(re.sub(r"(?<=[0-9])[.,]0*$", "", text))


def _check(path: Path, names: list[str], columns: tuple[str, ...]) -> None:
    lower = Counter(name.lower() for name in names)
    missing = [column for column in columns if column.lower() not in lower]
    if missing:
        hints = [hint for name, hint in _HINTS.items() if name in lower and name not in columns]
        if "subject" in missing:
            hints.append("--subjects unknown, where nobody knows who is shown")
        raise BadUse(
            f"{path} has no column {missing[0]!r} (it has: {listed(names, 12) or 'none'}); it "
            f"needs {', '.join(columns)}, separated by commas, semicolons or tabs"
            + "".join(f"; {hint}" for hint in hints[:1])
        )
    twice = [name for name in names if name and lower[name.lower()] > 1]
    if twice:
        raise BadUse(f"{path} has two columns {twice[0]!r}; remove one")


def _encoding(path: Path) -> str:
    """UTF-16 by its mark or its zero bytes, UTF-8 where the whole file is, else Windows-1252."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        block = file.read(_BLOCK)
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if block[1:8:2] == bytes(4) and any(block[0:8:2]):
            return "utf-16-le"
        if block[0:8:2] == bytes(4) and any(block[1:8:2]):
            return "utf-16-be"
        try:
            while block:
                decoder.decode(block)
                block = file.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _delimiter(head: str, columns: tuple[str, ...]) -> str:
    """The delimiter that finds most of the columns in the header."""
    wanted = {column.lower() for column in columns}

    def found(delimiter: str) -> int:
        names = next(csv.reader([head], delimiter=delimiter), [])
        return len(wanted & {name.strip().lower() for name in names})

    return max(_DELIMITERS, key=found)
