"""Oulu-CASIA in miniature: `OriginalImg/VL/Strong/P001/Anger/000.jpeg` and so on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.support.miniatures import Shelf, course, do, encoder, litter, outside, people, replace

EMOTIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
SUBJECTS = 80
ROOT = "OriginalImg"
ROOTS = ("B_OriginalImg", "PreProcess_Img", "PreProcess", "Oulu_CASIA_NIR_VIS")
STRONG = Path(ROOT, "VL", "Strong")

_JPEG = encoder(320, 240, "RGB", "JPEG")


def build(folder: Path, faces: Path, full: bool = False, oddities: Iterable[str] = ()) -> Path:
    """Writes the database into `folder`: 80 people (full) or up to four, four to six frames
    a sequence, from number 0."""
    persons = people(faces)
    shelf = Shelf()
    for index in range(SUBJECTS if full else min(4, len(persons))):
        for column, emotion in enumerate(EMOTIONS):
            person = persons[index % len(persons)]
            frames = course(faces, person, emotion.lower(), 4 + (index + column) % 3)
            for number, source in enumerate(frames):
                path = folder / STRONG / f"P{index + 1:03d}" / emotion / f"{number:03d}.jpeg"
                shelf.put(path, source, _JPEG)
    apply(folder, oddities)
    return folder


def apply(folder: Path, oddities: Iterable[str]) -> None:
    """Does the named `ODDITIES` to a miniature."""
    do(ODDITIES, folder, oddities)


def _empty_sequence(folder: Path) -> None:
    for path in (folder / STRONG / "P002" / "Fear").iterdir():
        path.unlink()


def _short_sequence(folder: Path) -> None:
    for path in sorted((folder / STRONG / "P001" / "Disgust").iterdir())[:-2]:
        path.unlink()


def _named_frames(folder: Path) -> None:
    """Names with the sequence in front and numbers without zeros, from 8 on."""
    for path in sorted((folder / STRONG).glob("*/*/*.jpeg")):
        subject, emotion = path.parts[-3:-1]
        path.rename(path.with_name(f"{subject}_{emotion}_{int(path.stem) + 8}.jpeg"))


def _other_lights(folder: Path) -> None:
    for other in ("VL/Weak", "VL/Dark", "NI/Strong", "NI/Weak"):
        replace(folder / ROOT / other / "P001" / "Anger" / "000.jpeg", b"other light")


def _cropped_beside(folder: Path) -> None:
    cropped = folder / "PreProcess_Img" / "VL_Acropped" / "Strong"
    replace(cropped / "P001" / "Anger" / "000.jpeg", b"cropped")


def _cropped_only(folder: Path) -> None:
    (folder / "PreProcess_Img").mkdir()
    (folder / ROOT / "VL").rename(folder / "PreProcess_Img" / "VL_Acropped")
    (folder / ROOT).rmdir()


def _link_out(folder: Path) -> None:
    (folder / STRONG / "P081").symlink_to(outside(folder), target_is_directory=True)


def _twice(folder: Path) -> None:
    replace(folder / "copy" / "VL" / "Strong" / "P001" / "Anger" / "000.jpeg", b"copy")


ODDITIES = {
    "ds_store": lambda folder: litter(folder, folder / STRONG, folder / STRONG / "P001" / "Fear"),
    "empty_sequence": _empty_sequence,
    "missing_sequence": lambda folder: shutil.rmtree(folder / STRONG / "P001" / "Sadness"),
    "missing_frames": lambda folder: (folder / STRONG / "P001" / "Anger" / "001.jpeg").unlink(),
    "short_sequence": _short_sequence,
    "named_frames": _named_frames,
    "other_lights": _other_lights,
    "cropped_beside": _cropped_beside,
    "link_out": _link_out,
    "twice": _twice,
    "cropped_only": _cropped_only,
    **{
        root: (lambda folder, root=root: (folder / ROOT).rename(folder / root) and None)
        for root in ROOTS
    },
}
