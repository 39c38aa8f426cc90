"""The files of a job: images and films to classify, and those left out of folders, with reasons."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipelines.common.errors import BadUse
from pipelines.common.text import listed
from pipelines.media.annotated import is_annotated
from pipelines.media.films import looks_like_film
from pipelines.media.images import looks_like_image

HIDDEN = "hidden"
OWN_COPY = "an annotated copy of an earlier run"
OTHER = "neither an image nor a film by its name"
FOLDER_LINK = "a link to a folder, which is not followed"
DEAD_LINK = "a link to a file that does not exist"
NO_FILE = "not a regular file"
_DEVICE = re.compile(r"/dev/video\d+")


class Item(NamedTuple):
    """A file, or a camera's device, and the folder of its annotated copy."""

    path: Path
    folder: Path


class LeftOut(NamedTuple):
    """A file of a searched folder that is not classified, or a folder that cannot be searched."""

    path: Path
    reason: str


@dataclass
class Job:
    """The work to do. left_out: everything else in the folders. results: the folder of `faces.csv`
    and `faces.json`, None for neither."""

    images: list[Item] = field(default_factory=list)
    films: list[Item] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    results: Path | None = None

    @property
    def count(self) -> int:
        """The number of images and films."""
        return len(self.images) + len(self.films)


def device(text: str) -> str | None:
    """The camera's device for an argument, None if it is not a camera."""
    if _DEVICE.fullmatch(text):
        return text
    return f"/dev/video{text}" if text.isdecimal() and not Path(text).exists() else None


def plan(sources: Sequence[str], output: Path | None) -> Job:
    """Lists the images and films of files, folders and cameras, and the places of their results.

    A folder is searched with its subfolders for names with the suffix of an image or a film; the
    copies go to `output`, or `<folder>.faces` beside it, in the same subfolders. Every other file
    in it is listed as left out. Raises `BadUse` for an empty name, a folder without
    images and films, a film that does not exist and a camera that is not there.
    """
    job = Job(results=output)
    for text in sources:
        # As a Path it would be the working folder.
        if not text:
            raise BadUse("an empty name was given; give a photograph, a folder, a film or a camera")
        path = Path(text)
        if camera := device(text):
            _require_camera(text, Path(camera))
            job.films.append(Item(Path(camera), output or Path.cwd()))
        elif path.is_dir():
            _add_folder(job, path, output)
        elif looks_like_film(path):
            if not path.is_file():
                raise BadUse(f"no film at {path}")
            job.films.append(Item(path, output or path.parent))
        else:
            job.images.append(Item(path, output or path.parent))
    return job


def counts_by_reason(left_out: Sequence[LeftOut]) -> list[tuple[int, str, str]]:
    """The number, reason and first names of what was left out, the most frequent reason first."""
    groups: dict[str, list[str]] = {}
    for path, reason in left_out:
        groups.setdefault(reason, []).append(path.name)
    rows = [(len(names), reason, listed(names, 3)) for reason, names in groups.items()]
    return sorted(rows, key=lambda row: (-row[0], row[1]))


def _require_camera(text: str, path: Path) -> None:
    if path.exists():
        return
    others = sorted(map(str, path.parent.glob("video[0-9]*")))
    there = f"there is {listed(others)}" if others else "this machine has none"
    number = "" if text == str(path) else "; a number is a camera unless a file has that name"
    raise BadUse(f"no camera at {path} ({there}): give another number or device{number}")


def _add_folder(job: Job, source: Path, output: Path | None) -> None:
    place = output or source.resolve().with_name(f"{source.resolve().name}.faces")
    images, films, left_out = _search(source)
    if not images and not films:
        rows = counts_by_reason(left_out)
        reasons = "; ".join(f"{count} left out: {why} ({names})" for count, why, names in rows)
        raise BadUse(f"{source} contains no image and no film ({reasons or 'it is empty'})")
    for paths, items in ((images, job.images), (films, job.films)):
        items += [Item(path, place / path.parent.relative_to(source)) for path in paths]
    job.left_out += left_out
    job.results = job.results or place


def _search(root: Path) -> tuple[list[Path], list[Path], list[LeftOut]]:
    """The images, films and other files in a folder and its subfolders, each sorted."""
    images, films, left_out = [], [], []
    # Not recursive, since a folder may be nested deeper than Python's calls.
    waiting = [(root, False)]
    while waiting:
        folder, hidden = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            left_out.append(LeftOut(folder, f"cannot be opened: {error.strerror or error}"))
            continue
        for entry in entries:
            path, unseen = folder / entry.name, hidden or entry.name.startswith(".")
            if entry.is_dir(follow_symlinks=False):
                waiting.append((path, unseen))
            elif reason := HIDDEN if unseen else _reason(entry):
                left_out.append(LeftOut(path, reason))
            else:
                (films if looks_like_film(path) else images).append(path)
    return sorted(images), sorted(films), sorted(left_out)


def _reason(entry: os.DirEntry) -> str | None:
    """The reason for leaving an entry out, None for an image or a film."""
    try:
        if entry.is_symlink() and entry.is_dir():
            return FOLDER_LINK
        if is_annotated(entry.name):
            return OWN_COPY
        if not looks_like_image(entry.name) and not looks_like_film(Path(entry.name)):
            return OTHER
        if entry.is_file():
            return None
        return DEAD_LINK if entry.is_symlink() else NO_FILE
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
