"""Atomic outputs, written under a temporary name and then renamed, and locations of files.

A location is a path on this machine or, with a scheme (`gs://bucket/x`), one in a store that
universal_pathlib reaches; both have pathlib's methods.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias
from urllib.parse import unquote

import fsspec
from upath import UPath

from pipelines.common.errors import BadUse, CutShort, FesrError

Location: TypeAlias = Path | UPath

# The file that marks a finished data folder; it is written last.
MANIFEST_NAME = "manifest.json"
# In a store the files of a data folder lie in one of these, and a rerun writes the other one.
VERSIONS = ("version-a", "version-b")
# In a data folder: what training decodes once, no part of the data.
ARRAYS_NAME = "arrays"

_LOCK = ".lock"
# The extra of this package that reaches a store, by its scheme.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


def location(text: str | os.PathLike | Location) -> Location:
    """`text` as a location: a `Path` unless it starts with a scheme. Locations stay as they are.

    Raises `BadUse` for an empty text, which a `Path` would take for the working folder, and for a
    scheme that is unknown or whose library is not installed.
    """
    if isinstance(text, Location):
        return text
    name = os.fspath(text)
    if not name:
        raise BadUse("the name of a file or folder is empty; give one, or . for the working folder")
    if name.startswith("file://"):
        return Path(unquote(name.removeprefix("file://")))
    scheme, mark, _ = name.partition("://")
    if not mark:
        return Path(name)
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        remedy = f"`pip install 'fesr-tf[{extra}]'` has what it needs" if extra else str(error)
        raise BadUse(f"{name}: the library that reaches {scheme}:// is missing; {remedy}") from None
    except ValueError:
        raise BadUse(f"{name}: no store is called {scheme}://; gs:// and s3:// are known") from None
    # A cached listing is searched from end to end for every file, and does not show what others
    # have written since.
    return UPath(name, use_listings_cache=False)


def make_folder(path: Location) -> None:
    """Makes a folder and those above it; a bucket has none."""
    if isinstance(path, Path) or path.protocol not in _EXTRAS:
        path.mkdir(parents=True, exist_ok=True)


def remove_folder(path: Location) -> None:
    """Removes a folder with everything in it, if there is one."""
    if isinstance(path, Path):
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(FileNotFoundError):
        path.fs.rm(path.path, recursive=True)


def home(folder: Location) -> tuple[Location, str]:
    """Where the manifest of a folder of `folder_whole` belongs, and what its paths begin with."""
    if isinstance(folder, Path) or folder.name not in VERSIONS:
        return folder, ""
    return folder.parent, f"{folder.name}/"


def unversioned(path: str) -> str:
    """A path in a manifest without its version, as the same file is called on a disk."""
    first, _, rest = path.partition("/")
    return rest if first in VERSIONS else path


@contextlib.contextmanager
def writing(path: str | os.PathLike | Location) -> Iterator[BinaryIO]:
    """Yields a binary file that takes the name `path` when the block ends without error.

    A reader sees the old file or the new one. What goes to a store is collected in a temporary file
    of this machine and sent once it is whole.
    """
    path = location(path)
    make_folder(path.parent)
    if not isinstance(path, Path):
        with tempfile.NamedTemporaryFile() as copy:
            yield copy
            copy.flush()
            path.fs.put_file(copy.name, path.path)
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        # A full disk's error has no name of its own.
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise


def write_whole(path: str | os.PathLike | Location, content: bytes | str) -> None:
    """Writes `content` to `path`; see `writing`."""
    with writing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def folder_whole(
    path: str | os.PathLike | Location, kept: Sequence[str] = ()
) -> Iterator[Location]:
    """Yields a temporary folder beside `path`; on success it replaces `path`.

    On any exception the temporary folder is removed and `path` is unchanged. Folders left by
    killed processes are removed first. kept: names that are taken over from the newest of these;
    with them, Ctrl-C, a `CutShort` and what is no `FesrError` leave the folder as a kill does.

    A store cannot rename a folder: there the yielded folder is the one of `VERSIONS` in `path` that
    its manifest does not name, and the caller has to write a manifest that names it, last (`home`).
    That one write replaces the earlier result, whose files are removed afterwards.
    """
    path = location(path)
    if not isinstance(path, Path):
        with _other_version(path, kept) as folder:
            yield folder
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent) as alone:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        lock = _lock(temporary)
        _sweep(path, alone, temporary, kept)
    try:
        with lock:
            os.chmod(temporary, 0o755)
            yield temporary
            with _alone(path.parent):
                _exchange(temporary, path)
    except BaseException as error:
        if not (kept and _resumable(error)):
            shutil.rmtree(temporary, ignore_errors=True)
        raise


def _resumable(error: BaseException) -> bool:
    return isinstance(error, CutShort) or not isinstance(error, FesrError)


@contextlib.contextmanager
def local_copy(path: Location) -> Iterator[Path]:
    """Yields a file of this machine: `path` itself, or a temporary copy of a file in a store."""
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        with path.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy


def sha256_of(path: str | os.PathLike | Location) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    path = location(path)
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


@contextlib.contextmanager
def _other_version(path: UPath, kept: Sequence[str]) -> Iterator[UPath]:
    standing = _standing(path)
    folder = path / next(name for name in VERSIONS if name != standing)
    files = f"{folder.path}/"
    left = path.fs.find(folder.path)
    if old := [p for p in left if p.removeprefix(files).partition("/")[0] not in kept]:
        path.fs.rm(old)
    try:
        yield folder
    except BaseException as error:
        if _standing(path) == standing and not (kept and _resumable(error)):
            remove_folder(folder)
        raise
    manifest = (path / MANIFEST_NAME).path
    old = [p for p in path.fs.find(path.path) if p != manifest and not p.startswith(files)]
    if _standing(path) == folder.name and old:
        path.fs.rm(old)


def _standing(path: UPath) -> str | None:
    """The version that the manifest names; empty for one without versions, None without one."""
    try:
        data = json.loads((path / MANIFEST_NAME).read_bytes())
        first = str(data["shards"][0]["path"]).partition("/")[0]
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError):
        return ""
    return first if first in VERSIONS else ""


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Waits until no other process begins, ends or sweeps a job in `folder`. Yields False, without
    waiting, where the file system cannot lock a folder (NFS)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _lock(folder: Path) -> TextIO:
    """A file in `folder`, locked until it is closed or this process ends, however it ends."""
    unnamed = folder / f"{_LOCK}.new"
    file = unnamed.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    # Locked before it has its name, so that it is never seen free while its owner lives.
    os.replace(unnamed, folder / _LOCK)
    return file


def _exchange(temporary: Path, path: Path) -> None:
    (temporary / _LOCK).unlink()
    old = None
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
        os.replace(path, old / path.name)
    os.replace(temporary, path)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _sweep(path: Path, alone: bool, new: Path, kept: Sequence[str]) -> None:
    """Removes temporary folders of `path` whose process is gone, and restores the old folder
    where a process was killed between moving it away and renaming the new one.

    alone: no other process begins or ends meanwhile, so a folder without a lock has no owner. What
    `kept` names moves from the newest such folder to the folder `new`, so that workers that outlive
    their launcher do not write there.
    """
    others = [left for left in path.parent.glob(f".{glob.escape(path.name)}.*") if left != new]
    for left in sorted(others, key=_changed, reverse=True):
        if left.name.startswith(f".{path.name}.old."):
            old = left / path.name
            if old.exists() and not path.exists():
                os.replace(old, path)
            shutil.rmtree(left, ignore_errors=True)
            continue
        if not (left / _LOCK).exists():
            if alone:
                shutil.rmtree(left, ignore_errors=True)
            continue
        with contextlib.suppress(OSError), (left / _LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in kept:
                if (left / name).exists() and not (new / name).exists():
                    os.replace(left / name, new / name)
            shutil.rmtree(left, ignore_errors=True)


def _changed(path: Path) -> float:
    """The time of a change; 0 where another process has removed the folder meanwhile."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
