"""Rendered people for the tests of the preprocessing job, made once for all workers together."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pipelines.demo_faces import render_database
from tests.support.inspection import run


@pytest.fixture(scope="session")
def demo_people(once) -> Path:
    """A demo database: 3 people, 8 classes, 51 pictures of 192×192."""

    def render(folder: Path) -> None:
        render_database(folder / "demo", subjects=3, seed=11, frames=2)

    return once("people", render) / "demo"


@pytest.fixture(scope="session")
def people_data(demo_people, once) -> Path:
    """`demo_people`, preprocessed by the command's defaults, alone in its folder."""

    def preprocess(folder: Path) -> None:
        assert run("--db", "demo", "--input", demo_people, "--output", folder / "demo") == 0

    return once("people_data", preprocess) / "demo"


@pytest.fixture
def mixed(demo_people, tmp_path):
    """Two sound pictures of each of two people, and one of every kind of trouble."""
    folder = tmp_path / "mixed"
    for label in ("fear", "neutral"):
        (folder / label).mkdir(parents=True)
        for person in ("p000", "p001"):
            shutil.copy(demo_people / label / f"{person}_00.png", folder / label)
    whole = (demo_people / "fear" / "p002_01.png").read_bytes()
    (folder / "fear" / "p002_short.png").write_bytes(whole[: len(whole) // 2])
    (folder / "fear" / "p002_text.jpg").write_text("not a picture")
    (folder / "fear" / "p002_empty.jpg").write_bytes(b"")
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(bytes(10_000_000)), b"IEND"]
    (folder / "neutral" / "p002_bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
            for chunk in chunks
        )
    )
    Image.new("RGB", (200, 200), "#888888").save(folder / "neutral" / "p002_wall.png")
    return folder
