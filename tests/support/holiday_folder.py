"""`python -m tests.support.holiday_folder FOLDER [--files 2000]`: a folder as people have them.

Photographs, photographs without a face, films, files that are cut short, links, hidden files, text
and the copies of an earlier run, nested in subfolders. Prints the number of files of each kind.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pillow_heif
from PIL import Image

# One cycle of kinds: mostly photographs.
KINDS = (
    *("photograph",) * 22,
    *("photograph of a phone",) * 2,
    *("no face",) * 4,
    *("cut photograph",) * 3,
    "text named as an image",
    "empty image",
    "film",
    "cut film",
    "film without a video stream",
    "link to a photograph",
    "link to a folder",
    "dead link",
    *("hidden",) * 2,
    "in a hidden folder",
    *("text",) * 4,
    "annotated copy",
    "pipe",
)
FOLDERS = (".", "beach", "beach/second day", "beach/second day/" + "deep/" * 20, "Ärzte & Co")


class Maker:
    """Writes files of each kind. face: an image with one face; film: a short film of it."""

    def __init__(self, root: Path, face: Path, film: Path) -> None:
        self.root, self.film = root, film.read_bytes()
        with Image.open(face) as image:
            self.face = image.convert("RGB")
        self.makers: dict[str, tuple[str, Callable[[Path], object]]] = {
            "photograph": (".jpg", self.face.save),
            "photograph of a phone": (".HEIC", self._save_heic),
            "no face": (".png", Image.new("RGB", (90, 60), "gray").save),
            "cut photograph": (".JPG", lambda path: path.write_bytes(self._jpeg(path)[:600])),
            "text named as an image": (".jpeg", lambda path: path.write_text("see attachment")),
            "empty image": (".png", Path.touch),
            "film": (".mp4", lambda path: path.write_bytes(self.film)),
            "cut film": (".mp4", lambda path: path.write_bytes(self.film[:700])),
            "film without a video stream": (".avi", lambda path: path.write_text("RIFF")),
            "link to a photograph": (".jpg", lambda path: path.symlink_to(face.resolve())),
            "link to a folder": ("", lambda path: path.symlink_to(self.root.resolve())),
            "dead link": (".jpg", lambda path: path.symlink_to("nowhere.jpg")),
            "hidden": (".jpg", self.face.save),
            "in a hidden folder": (".jpg", self.face.save),
            "text": (".txt", lambda path: path.write_text("notes")),
            "annotated copy": (".annotated.png", self.face.save),
            "pipe": (".png", os.mkfifo),
        }

    def write(self, kind: str, number: int, folder: Path) -> None:
        """Writes the file with this number."""
        suffix, make = self.makers[kind]
        if kind == "in a hidden folder":
            folder /= ".thumbnails"
        folder.mkdir(parents=True, exist_ok=True)
        make(folder / f"{'.' if kind == 'hidden' else ''}{kind.replace(' ', '-')}-{number}{suffix}")

    def _save_heic(self, path: Path) -> None:
        pillow_heif.from_pillow(self.face).save(path)

    def _jpeg(self, path: Path) -> bytes:
        self.face.save(path)
        return path.read_bytes()


def fill(root: Path, face: Path, count: int) -> Counter[str]:
    """Writes `count` files below `root`, from an image with one face; returns the number of each
    kind."""
    kinds = list(itertools.islice(itertools.cycle(KINDS), count))
    with tempfile.TemporaryDirectory() as temporary:
        film = Path(temporary) / "film.mp4"
        write_film(film, face)
        maker = Maker(root, face, film)
        for number, kind in enumerate(kinds):
            maker.write(kind, number, root / FOLDERS[number % len(FOLDERS)])
    return Counter(kinds)


def write_film(path: Path, face: Path, frames: int = 3) -> None:
    """A film of the face, at 10 frames per second."""
    with Image.open(face) as image:
        pixels = np.ascontiguousarray(image.convert("RGB"))
    writer = imageio_ffmpeg.write_frames(str(path), pixels.shape[1::-1], fps=10, macro_block_size=2)
    writer.send(None)
    for _ in range(frames):
        writer.send(pixels)
    writer.close()


def expected(kinds: Counter[str]) -> dict[str, int]:
    """The counts that the client prints for such a folder."""
    images = ("photograph", "photograph of a phone", "link to a photograph")
    films = ("film",)
    failed = ("no face", "cut photograph", "text named as an image", "empty image", "cut film",
              "film without a video stream")  # fmt: skip
    counts = {
        "files": kinds.total(),
        "images": sum(kinds[kind] for kind in images),
        "films": sum(kinds[kind] for kind in films),
        "failed": sum(kinds[kind] for kind in failed),
    }
    left_out = counts["files"] - counts["images"] - counts["films"] - counts["failed"]
    return counts | {"left_out": left_out}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--face", type=Path, required=True, help="an image with one face")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    kinds = fill(options.folder, options.face, options.files)
    listing = subprocess.run(["find", options.folder, "-not", "-type", "d"], stdout=subprocess.PIPE)
    print(f"find -not -type d: {len(listing.stdout.splitlines())} files")
    for kind, number in kinds.items():
        print(f"  {number:5} {kind}")
    print(f"expected: {expected(kinds)}")


if __name__ == "__main__":
    main()
