"""Helpers that run the command and inspect a folder, a reader's result and printed text."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipelines.databases import Database
from pipelines.preprocess import main


def run(*arguments: object) -> int:
    """The preprocessing command's exit code."""
    return main([str(argument) for argument in arguments])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def linked_copy(folder: Path, target: Path) -> Path:
    """The folder once more, its files hard links: names may be changed, contents may not."""
    return Path(shutil.copytree(folder, target, copy_function=os.link))


def found_in(database: Database) -> dict[str, int]:
    """What the reader counted."""
    return {finding.name: finding.found for finding in database.findings}


def mentions(texts: str | Iterable[str], *values: object) -> bool:
    """Whether one text (one line, if `texts` is a string) contains all the values.

    A value matches only as a whole word or number. Tests check values this way, so that the
    wording around them is free to change.
    """
    lines = texts.splitlines() if isinstance(texts, str) else texts
    patterns = [rf"(?<!\w)(?<!\d[.,]){re.escape(str(value))}(?!\w|[.,]\d)" for value in values]
    return any(all(re.search(pattern, line) for pattern in patterns) for line in lines)
