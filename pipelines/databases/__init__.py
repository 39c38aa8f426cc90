"""The readers, by name: a folder as its owner holds it in, `Sample`s out."""

from __future__ import annotations

import importlib

from pipelines.common.errors import BadUse
from pipelines.common.files import Location, location
from pipelines.databases.base import Choices, Database, Sample, check
from pipelines.media.films import Film

__all__ = ["READERS", "Choices", "Database", "Film", "Sample", "open_database"]

# Name: module with `read(path: Path, choices: Choices) -> Database`. Modules load when they
# are asked for, so that a reader may need a library that the others do not.
READERS = {
    "ckplus": "pipelines.databases.ckplus",
    "demo": "pipelines.databases.demo",
    "images": "pipelines.databases.images",
    "mmi": "pipelines.databases.mmi",
    "multi_pie": "pipelines.databases.multi_pie",
    "oulu_casia": "pipelines.databases.oulu_casia",
    "tfd": "pipelines.databases.tfd",
}


def open_database(name: str, path: str | Location, choices: Choices | None = None) -> Database:
    """Reads the database `name` at `path`, checked and sorted by key.

    Raises `BadUse` with the expected layout if the path is not one, on duplicate keys, and
    on fewer than two classes. No picture is decoded.
    """
    if name not in READERS:
        raise BadUse(f"no database is called {name!r}; choose one of {', '.join(READERS)}")
    return check(importlib.import_module(READERS[name]).read(location(path), choices or Choices()))
