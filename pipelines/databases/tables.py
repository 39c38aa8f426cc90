"""CSV files with named columns, read with sentences for what is wrong in them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from pipelines.common.errors import BadUse


@dataclass(frozen=True)
class Row:
    """One line of a table; values are stripped text, missing ones empty."""

    values: dict[str, str]
    line: int
    table: Path

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")

    def integer(self, column: str) -> int:
        """The value as an int; `BadUse` naming file, line and column if it is none."""
        return int(self._parsed(column, int, "a whole number"))

    def number(self, column: str) -> float:
        """The value as a float; `BadUse` naming file, line and column if it is none."""
        return float(self._parsed(column, float, "a number"))

    def _parsed(self, column: str, kind: type, meaning: str) -> float:
        try:
            return kind(self[column])
        except ValueError:
            raise BadUse(
                f"{self.table}, line {self.line}: {column} is {self[column]!r}, not {meaning}"
            ) from None


def read_table(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """The rows of a CSV file that must have `columns`; others are kept beside them.

    UTF-8 with or without a byte-order mark. Raises `BadUse` for a missing column, one
    that is there twice, another encoding, or a file without rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [(name or "").strip() for name in reader.fieldnames or []]
            missing = [column for column in columns if column not in names]
            if missing:
                raise BadUse(
                    f"{path} has no column {missing[0]!r} (it has: {', '.join(names) or 'none'}); "
                    f"it needs {', '.join(columns)}"
                )
            twice = [name for name in names if name and names.count(name) > 1]
            if twice:
                raise BadUse(f"{path} has two columns {twice[0]!r}; remove one")
            reader.fieldnames = names
            rows = [
                Row({k: (v or "").strip() for k, v in entry.items() if k}, reader.line_num, path)
                for entry in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadUse(f"{path} is not a CSV file in UTF-8: {error}") from error
    if not rows:
        raise BadUse(f"{path} has no rows")
    return rows
