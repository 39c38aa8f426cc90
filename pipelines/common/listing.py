"""The entries of a folder and those below, on this machine or in a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from upath import UPath

from pipelines.common.files import Location


class Listing:
    """The entries below `root`. A store is listed once, by a request for every thousand files, and
    no file of it is asked for again; a folder on this machine is read when it is asked for."""

    def __init__(self, root: Location) -> None:
        self.root = root
        self._folders: dict[str, dict[str, bool]] | None = None

    def entries(self, folder: Location) -> list[Location]:
        """The entries of `root` or of a folder below it, sorted by name; `FileNotFoundError` where
        there is none."""
        if isinstance(folder, Path):
            return sorted(folder.iterdir(), key=lambda entry: entry.name)
        names = self._listed().get(folder.path.rstrip("/"))
        if names is None:
            raise FileNotFoundError(f"there is no folder {folder}")
        return [folder / name for name in sorted(names)]

    def is_file(self, path: Location) -> bool:
        """Whether `path` is a file; below `root` without a request."""
        return self._kind(path) is True if self._knows(path) else path.is_file()

    def is_folder(self, path: Location) -> bool:
        """Whether `path` is a folder; below `root` without a request."""
        return self._kind(path) is False if self._knows(path) else path.is_dir()

    def files(self, folder: Location) -> Iterator[Location]:
        """The files in a folder and below, sorted by name; links to folders are not followed."""
        for entry in self.entries(folder):
            link = isinstance(entry, Path) and entry.is_symlink()
            if self.is_folder(entry) and not link:
                yield from self.files(entry)
            else:
                yield entry

    def _knows(self, path: Location) -> bool:
        inside = isinstance(self.root, UPath) and isinstance(path, UPath)
        return inside and path.path.startswith(self.root.path.rstrip("/") + "/")

    def _kind(self, path: UPath) -> bool | None:
        above, _, name = path.path.rstrip("/").rpartition("/")
        return self._listed().get(above, {}).get(name)

    def _listed(self) -> dict[str, dict[str, bool]]:
        """{folder: {name: whether it is a file}}"""
        if self._folders is None:
            top = self.root.path.rstrip("/")
            self._folders = {top: {}}
            for path in self.root.fs.find(top):
                above, _, name = path.rpartition("/")
                file = True
                while name and self._folders.setdefault(above, {}).setdefault(name, file) is file:
                    if above == top:
                        break
                    (above, _, name), file = above.rpartition("/"), False
        return self._folders
