"""The readers of databases, by name: each turns a folder as its owner holds it into samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from pipelines.common.errors import BadUse
from pipelines.common.files import Location, location
from pipelines.databases import (
    affectnet,
    ckplus,
    ckplus48,
    demo,
    fer2013,
    ferplus,
    images,
    jaffe,
    kdef,
    mmi,
    multi_pie,
    oulu_casia,
    rafd,
    rafdb,
    tfd,
)
from pipelines.databases.base import Database, Option, Sample, check
from pipelines.databases.selection import read_keys, validating, without
from pipelines.media.films import Film

__all__ = ["READERS", "Database", "Film", "Option", "Sample", "open_database", "reader_options"]

READERS = {
    "affectnet": affectnet,
    "ckplus": ckplus,
    "ckplus48": ckplus48,
    "demo": demo,
    "fer2013": fer2013,
    "ferplus": ferplus,
    "images": images,
    "jaffe": jaffe,
    "kdef": kdef,
    "mmi": mmi,
    "multi_pie": multi_pie,
    "oulu_casia": oulu_casia,
    "rafd": rafd,
    "rafdb": rafdb,
    "tfd": tfd,
}
"""Name: module with `OPTIONS` and `read(path, **options) -> Database`."""


def reader_options() -> dict[Option, list[str]]:
    """The options of all readers, and the names of the databases that have each."""
    options: dict[Option, list[str]] = {}
    for name, reader in READERS.items():
        for option in reader.OPTIONS:
            options.setdefault(option, []).append(name)
    return options


def open_database(
    name: str,
    path: str | Location,
    leave_out: Sequence[str] = (),
    valid_list: Location | None = None,
    **options: Any,
) -> Database:
    """Reads the database `name` at `path`, checked and sorted by key. No image is decoded.

    leave_out: classes whose samples are rejected; valid_list: a file with the keys, one a line, of
    training images that validate instead; options: of the reader's `OPTIONS`, by name. Raises
    `BadUse` with the expected layout if the path does not have it, for an option of another
    database, for duplicate keys, for fewer than two classes, and for what
    `pipelines.databases.selection` refuses.
    """
    if name not in READERS:
        raise BadUse(f"no database is called {name!r}; choose one of {', '.join(READERS)}")
    for option, databases in reader_options().items():
        if option.name in options and name not in databases:
            raise BadUse(f"{option.flag} is for {' and '.join(databases)}, not for --db {name}")
    given = _place(path)
    keys = None if valid_list is None else read_keys(valid_list)
    database = check(without(READERS[name].read(given, **options), leave_out), given)
    return database if keys is None else validating(database, keys)


def _place(path: str | Location) -> Location:
    """`path` as a location. Raises `BadUse` for an address that was taken as a path."""
    text = str(path)
    if not isinstance(path, str) and text.startswith("file:/") and not path.exists():
        # As a Path, file:///x is file:/x.
        raise BadUse(f"{text} is an address; give the path /{unquote(text[5:]).lstrip('/')}")
    return location(path)
