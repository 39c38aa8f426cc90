"""The licensed databases in miniature: rendered faces under the names that their owners use.

Each module has `build(folder, faces, full=False, oddities=())`, which writes the layout of
one database as it comes: real PNG and JPEG files, with the published counts (full) or with a
few people whose faces differ; `ODDITIES`, by name, what may be wrong or different with it;
and `apply(folder, oddities)`, which does that to a miniature built before.

`faces` is a demo database, `<class>/<subject>_<frame>.png`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from upath import UPath

DS_STORE = b"\x00\x00\x00\x01Bud1" + bytes(24)
# How much of the picture's height the rendered square takes.
_SHARE = 0.9


class Shelf:
    """Puts pictures into place: encoded once, then hard links to the first."""

    def __init__(self) -> None:
        self._first: dict[object, Path] = {}

    def put(self, path: Path, source: Path, encode: Callable[[Path], bytes]) -> None:
        """`source`, encoded, at `path`, whose folders are made where missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        first = self._first.setdefault((source, encode), path)
        if first is path:
            path.write_bytes(encode(source))
        else:
            os.link(first, path)


def encoder(width: int, height: int, mode: str, kind: str) -> Callable[[Path], bytes]:
    """A function from a picture's path to its bytes: on a backdrop of width × height, in the
    mode "L" or "RGB", as "PNG" or "JPEG"."""

    def encode(source: Path) -> bytes:
        buffer = io.BytesIO()
        on_backdrop(Image.open(source), width, height).convert(mode).save(buffer, kind)
        return buffer.getvalue()

    return encode


def on_backdrop(face: Image.Image, width: int, height: int) -> Image.Image:
    """The square picture in the middle of one of another shape, its border drawn out."""
    side = min(round(_SHARE * height), width)
    pixels = np.asarray(face.convert("RGB").resize((side, side), Image.Resampling.LANCZOS))
    left, top = (width - side) // 2, (height - side) // 2
    edges = ((top, height - side - top), (left, width - side - left), (0, 0))
    return Image.fromarray(np.pad(pixels, edges, mode="edge"))


def people(faces: Path) -> list[str]:
    """The subjects of a demo database."""
    return sorted({path.stem.split("_")[0] for path in (faces / "neutral").glob("*.png")})


def course(faces: Path, person: str, label: str, count: int) -> list[Path]:
    """`count` pictures of a person from the onset of an expression to its peak."""
    shown = sorted((faces / label).glob(f"{person}_*.png"))
    steps = np.linspace(0, len(shown) - 1, count).round().astype(int)
    return [shown[step] for step in steps]


def replace(path: Path, data: bytes) -> None:
    """Writes a file anew; the one that was there may have other names (hard links)."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def litter(*folders: Path) -> None:
    """What operating systems leave in the first folder and in each other one."""
    for folder in folders:
        replace(folder / ".DS_Store", DS_STORE)
        replace(folder / "._x.png", DS_STORE)
    replace(folders[0] / "__MACOSX" / "._y.png", DS_STORE)


def outside(folder: Path) -> Path:
    """A folder beside `folder`, with a file in it, for links that lead out."""
    other = folder.with_name(f"{folder.name}_outside")
    replace(other / "secret.png", b"secret")
    return other


def in_memory(folder: Path, name: str) -> UPath:
    """A copy of a folder in an object store that lives in this process."""
    target = UPath(f"memory://{name}")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = target.joinpath(*path.relative_to(folder).parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    return target


def do(known: Mapping[str, Callable[[Path], None]], folder: Path, oddities: Iterable[str]) -> None:
    """Does the named oddities to a folder, in the order in which they are known."""
    asked = set(oddities)
    unknown = asked - known.keys()
    if unknown:
        raise ValueError(f"{sorted(unknown)} are none of the oddities {', '.join(known)}")
    for name, change in known.items():
        if name in asked:
            change(folder)
