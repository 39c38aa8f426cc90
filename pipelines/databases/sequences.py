"""What the readers of recorded sequences share: walking folders, frames, notes and counts."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.listing import Listing
from pipelines.common.records import Finding
from pipelines.databases.base import is_clutter, listed_names
from pipelines.media.images import looks_like_image

TRAINED_FRAMES = 3

# 18 digits fit into the 64 bits that a record has for a frame's number.
_TRAILING = re.compile(r"(?<![0-9])([0-9]{1,18})$")


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a sequence, by the number at the end of its name."""

    number: int
    path: Path


@dataclass
class Walk:
    """Lists folders at or below `root`, and records what it skips, for the notes.

    It skips clutter of operating systems, and symbolic links that lead out of `root` and out of
    the folders `allowed`: whoever made the folder must not be able to pull in other files of this
    machine.
    """

    root: Path
    clutter: set[Path] = field(default_factory=set)
    links: set[Path] = field(default_factory=set)
    strays: set[Path] = field(default_factory=set)
    allowed: tuple[Path, ...] = ()
    listing: Listing | None = None

    def __post_init__(self) -> None:
        self.listing = self.listing or Listing(self.root)

    def is_file(self, path: Path) -> bool:
        """See `is_there`."""
        return is_there(path, self.listing)

    def is_folder(self, path: Path) -> bool:
        """Whether it is a folder."""
        return self.listing.is_folder(path)

    def entries(self, folder: Path) -> list[Path]:
        """The entries of a folder, sorted by name."""
        kept = []
        for entry in self.listing.entries(folder):
            if is_clutter(entry.name):
                self.clutter.add(entry)
            elif all(leads_out(entry, place) for place in (self.root, *self.allowed)):
                self.links.add(entry)
            else:
                kept.append(entry)
        return kept

    def folders(self, folder: Path, pattern: re.Pattern[str]) -> list[Path]:
        """Its folders whose whole name matches; everything else counts as stray."""
        kept = []
        for entry in self.entries(folder):
            if pattern.fullmatch(entry.name) and self.is_folder(entry):
                kept.append(entry)
            else:
                self.strays.add(entry)
        return kept

    def frames(self, folder: Path, pattern: re.Pattern[str] | None = None) -> list[Frame]:
        """Its images by number, only those whose whole stem matches; the rest are strays."""
        kept = []
        for entry in self.entries(folder):
            number = frame_number(entry.stem)
            named = number is not None and (pattern is None or pattern.fullmatch(entry.stem))
            if named and looks_like_image(entry.name) and self.is_file(entry):
                kept.append(Frame(number, entry))
            else:
                self.strays.add(entry)
        return sorted(kept, key=lambda frame: (frame.number, frame.path.name))

    def files(self, folder: Path, depth: int = 6) -> Iterator[Path]:
        """The files in a folder and up to `depth` levels below it, sorted by folder and name.

        Links to folders are not followed: their targets lie below `root` anyway.
        """
        below = []
        for entry in self.entries(folder):
            if self.is_file(entry):
                yield entry
            elif self.is_folder(entry) and not is_link(entry):
                below.append(entry)
            else:
                self.strays.add(entry)
        for entry in below if depth else ():
            yield from self.files(entry, depth - 1)

    def images(self, pattern: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
        """The images below `root` whose whole stem matches, wherever they lie; other files count
        as stray."""
        kept = []
        for file in self.files(self.root):
            match = pattern.fullmatch(file.stem) if looks_like_image(file.name) else None
            if match:
                kept.append((file, match))
            else:
                self.strays.add(file)
        return kept

    def find(self, name: re.Pattern[str], shut: re.Pattern[str], depth: int = 4) -> list[Path]:
        """The folders below `root`, up to `depth` levels down, whose whole name matches.

        Not searched: a folder that matches, one whose name matches `shut`, and links, whose
        targets lie below `root` anyway.
        """
        found, level = [], [self.root]
        for _ in range(depth):
            below = []
            for folder in level:
                for entry in self.entries(folder):
                    if shut.fullmatch(entry.name) and not name.fullmatch(entry.name):
                        continue
                    if not self.is_folder(entry):
                        continue
                    if name.fullmatch(entry.name):
                        found.append(entry)
                    elif not is_link(entry):
                        below.append(entry)
            level = below
        return found

    def holds(self, folder: Path, pattern: re.Pattern[str]) -> bool:
        """Whether a folder directly in it has a name that matches as a whole."""
        return any(pattern.fullmatch(e.name) and self.is_folder(e) for e in self.entries(folder))

    def of(self, folder: Path) -> Walk:
        """A walk of a folder that may lie elsewhere, which records into the same sets."""
        inside = folder.is_relative_to(self.root)
        root, listing = (self.root, self.listing) if inside else (folder, None)
        return Walk(root, self.clutter, self.links, self.strays, listing=listing)

    def notes(self) -> list[str]:
        """What was skipped, with names, in sentences."""
        skipped = (
            ("ignored, left behind by an operating system or fesr_tf.client", self.clutter),
            ("not followed, since it leads out of the folder", self.links),
            ("ignored, not part of the layout", self.strays),
        )
        return [f"{what}: {listed_names(e.name for e in some)}" for what, some in skipped if some]


def located(walk: Walk, name: re.Pattern[str], within: re.Pattern[str]) -> list[Path]:
    """The folders so named that hold a folder `within`; also `name/name`, as archives unpack."""
    found = []
    for folder in walk.find(name, within):
        inner = [e for e in walk.entries(folder) if name.fullmatch(e.name) and walk.is_folder(e)]
        found += [candidate for candidate in (folder, *inner) if walk.holds(candidate, within)]
    return distinct(found)


def beside(folder: Path, name: re.Pattern[str], within: re.Pattern[str]) -> list[Path]:
    """`located` next to a folder, else next to its parent."""
    if isinstance(folder, pathlib.Path):
        folder = folder.resolve()
    for above in (folder.parent, folder.parent.parent):
        found = []
        for entry in sorted(above.iterdir(), key=lambda item: item.name):
            if name.fullmatch(entry.name) and entry.is_dir() and not leads_out(entry, above):
                inner = Walk(entry)
                found += [entry] if inner.holds(entry, within) else located(inner, name, within)
        if found:
            return distinct(found)
    return []


def distinct(folders: list[Path]) -> list[Path]:
    """Each folder once, however many links lead to it."""
    local = (each.resolve() if isinstance(each, pathlib.Path) else each for each in folders)
    return list(dict(zip(local, folders, strict=True)).values())


def only_one(found: list[Path], root: Path) -> Path:
    """The only folder in `found`; `BadUse` naming them where there are several."""
    if len(found) > 1:
        names = ", ".join(relative(folder, root, root) for folder in found)
        raise BadUse(f"{root} holds {names}; name with --input a folder that holds one of them")
    return found[0]


def relative(path: Path, *roots: Path) -> str:
    """`path` relative to the first of `roots` that it lies in, else its name."""
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def is_there(path: Path, listing: Listing | None = None) -> bool:
    """Whether it is a file, by a `listing` that may hold it; a name that no system can hold is
    none."""
    try:
        return listing.is_file(path) if listing else path.is_file()
    except OSError:
        return False


def real(path: Path) -> Path:
    """The path without links, where it is one of this machine."""
    return path.resolve() if isinstance(path, pathlib.Path) else path


def is_link(path: Path) -> bool:
    """Whether it is a symbolic link; object stores have none."""
    return isinstance(path, pathlib.Path) and path.is_symlink()


def leads_out(path: Path, root: Path) -> bool:
    """Whether `path` is a symbolic link that leads out of `root`, or round in a circle."""
    return is_link(path) and not is_inside(path, root)


def is_inside(path: Path, root: Path) -> bool:
    """Whether `path` stays in `root` once `..` and symbolic links are followed."""
    if not isinstance(path, pathlib.Path):
        return path.is_relative_to(root) and ".." not in path.parts
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        # A circle of links, a name that is too long, a zero byte: it leads nowhere.
        return False


def frame_number(stem: str) -> int | None:
    """The number at the end of a file's name without its suffix, or None."""
    match = _TRAILING.search(stem)
    return int(match[1]) if match else None


def missing_frames(frames: Sequence[Frame]) -> int:
    """How many numbers between the first and the last frame have no image."""
    return frames[-1].number - frames[0].number + 1 - len({frame.number for frame in frames})


def sequence_notes(sequences: Mapping[str, Sequence[Frame]]) -> list[str]:
    """What is odd about sequences by name: no frames, gaps in the numbers, fewer than three."""
    empty = [name for name, frames in sequences.items() if not frames]
    filled = {name: frames for name, frames in sequences.items() if frames}
    gaps = {name: missing_frames(frames) for name, frames in filled.items()}
    gaps = {name: count for name, count in gaps.items() if count > 0}
    short = [name for name, frames in filled.items() if len(frames) < TRAINED_FRAMES]
    notes = (
        (empty, "no image in"),
        (gaps, f"frames missing between the first and the last: {sum(gaps.values())} in"),
        (short, f"fewer than {TRAINED_FRAMES} frames, all of which train, in"),
    )
    return [f"{what} {counted(names, 'sequence')}" for names, what in notes if names]


def sequence_findings(
    sequences: Mapping[str, Sequence[Frame]], used: Iterable[str], expected_used: int
) -> list[Finding]:
    """The counts of images and of trained frames; `used`: names of the sequences that train."""
    trained = sum(len(sequences[name][-TRAINED_FRAMES:]) for name in used)
    return [
        Finding("images", sum(map(len, sequences.values()))),
        Finding("last three frames", trained, TRAINED_FRAMES * expected_used),
    ]


def counted(names: Iterable[str], what: str) -> str:
    """`2 sequences: a, b`, for a note."""
    names = list(names)
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}: {listed_names(names)}"
