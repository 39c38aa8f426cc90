"""JSON files of finished runs, addressed by JSON pointers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Document:
    """A JSON file that was read: what it is called on the page, and what it holds."""

    name: str
    data: Any

    def at(self, *path: str | int) -> Any:
        """The value under `path`; KeyError, IndexError or TypeError where there is none."""
        found = self.data
        for key in path:
            found = found[key]
        return found

    def has(self, *path: str | int) -> bool:
        """True where there is something under `path`, be it None."""
        try:
            self.at(*path)
        except (KeyError, IndexError, TypeError):
            return False
        return True

    def pointer(self, *path: str | int) -> str:
        """`NAME#/a/0/b`."""
        keys = (str(key).replace("~", "~0").replace("/", "~1") for key in path)
        return f"{self.name}#" + "".join(f"/{key}" for key in keys)
