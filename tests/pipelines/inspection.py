"""What the tests run and look at: the command, a folder's contents, what a reader found."""

from __future__ import annotations

import os
import shutil
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


def said(database: Database) -> str:
    """The reader's notes in one line."""
    return " | ".join(database.notes)
