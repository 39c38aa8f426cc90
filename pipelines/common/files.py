"""Atomic outputs, written under a temporary name and then renamed, and locations of files.

A location is a path on this machine or, with a scheme (`gs://bucket/x`), one in a store that
universal_pathlib reaches; both have pathlib's methods.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias
from urllib.parse import unquote

import fsspec
from upath import UPath

from pipelines.common.errors import BadUse

Location: TypeAlias = Path | UPath

# The file that marks a finished data folder; it is written last.
MANIFEST_NAME = "manifest.json"
# In a data folder: what training decodes once, no part of the data.
ARRAYS_NAME = "arrays"

_LOCK = ".lock"
# The extra of this package that reaches a store, by its scheme.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


def location(text: str | os.PathLike | Location) -> Location:
    """`text` as a location: a `Path` unless it starts with a scheme. Locations stay as they are.

    Raises `BadUse` for a scheme that is unknown or whose library is not installed.
    """
    if isinstance(text, Location):
        return text
    name = os.fspath(text)
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
    return UPath(name)


@contextlib.contextmanager
def writing(path: str | os.PathLike | Location) -> Iterator[BinaryIO]:
    """Yields a binary file that takes the name `path` when the block ends without error.

    A reader sees the old file or the new one. Stores such as gs:// guarantee that themselves.
    """
    path = location(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(path, Path):
        with path.open("wb") as file:
            yield file
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
def folder_whole(path: str | os.PathLike | Location) -> Iterator[Location]:
    """Yields a temporary folder beside `path`; on success it replaces `path`.

    On any exception the temporary folder is removed and `path` is unchanged. Folders left by
    killed processes are removed first. A store cannot rename a folder: there `path` itself is
    emptied and yielded, and the caller has to write the file that marks it complete last.
    """
    path = location(path)
    if not isinstance(path, Path):
        with _emptied(path):
            yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent) as alone:
        _sweep(path, alone)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        lock = _lock(temporary)
    try:
        with lock:
            os.chmod(temporary, 0o755)
            yield temporary
            with _alone(path.parent):
                _exchange(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


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
def _emptied(path: UPath) -> Iterator[None]:
    if path.exists():
        path.rmdir(recursive=True)
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        path.rmdir(recursive=True)
        raise


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


def _sweep(path: Path, alone: bool) -> None:
    """Removes temporary folders of `path` whose process is gone, and restores the old folder
    where a process was killed between moving it away and renaming the new one.

    alone: no other process begins or ends meanwhile, so a folder without a lock has no owner.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
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
            shutil.rmtree(left, ignore_errors=True)
