"""CK+ with nonsense in its labels and landmarks, and MMI with films that break off."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from . import EITHER, KEEP, REJECT, STRAY, Case
from .pictures import cut, flipped, stored

FILM_STEP = 4096
BESIDE = "beside"
"""The kind of what lies beside a image or a film."""

_SESSION = '<session><track trackNumber="1" filename="{stem}.avi" view="{view}"/></session>'
_EMOTION = '<FPML><Metatag Name="Emotion" Value="{code}"/></FPML>'


def ckplus(faces: Sequence[np.ndarray]) -> list[Case]:
    """Sequences of one image each. The verdict is that of the image; where it must be
    rejected, what is listed may be the image or its label or landmark file."""
    good = "   5.0000000e+00\n"
    labels = [
        ("sound", KEEP, good.encode()),
        ("sound", KEEP, b"3"),
        ("sound", KEEP, b"\xef\xbb\xbf 7.0 \r\n"),
        ("sound", KEEP, b"1e0"),
        *(
            ("label", REJECT, data)
            for data in (b"", b" \n", b"happy", b"nan", b"inf", b"-inf", b"1e400", b"8", b"-1")
        ),
        *(
            ("label", REJECT, data)
            for data in (
                b"2.5",
                b"5 5",
                b"5,0",
                b"\0",
                b"\xff\xfe5\0",
                bytes(range(256)),
                b"9" * 500,
            )
        ),
        ("label", EITHER, "٥".encode()),
    ]
    image = stored(faces[0], "png")
    made = []
    for number, (kind, verdict, data) in enumerate(labels):
        made.append(Case(kind, _image_name(number), verdict, image))
        made.append(Case(BESIDE, _label(number), STRAY, data))
        made.append(Case(BESIDE, _landmarks(number), STRAY, _points().encode()))
    for number, (kind, points) in enumerate(_wrong_points(), len(labels)):
        made.append(Case(kind, _image_name(number), REJECT, image))
        made.append(Case(BESIDE, _label(number), STRAY, good.encode()))
        if points is not None:
            made.append(Case(BESIDE, _landmarks(number), STRAY, points))
    number = 200
    for kind, verdict, special in (
        # A sequence without a label is no part of the protocol; a note counts it.
        ("label is a pipe", STRAY, {"fifo": True}),
        ("label is endless", STRAY, {"link": "/dev/zero"}),
        ("label is elsewhere", STRAY, {"link": "/etc/hostname"}),
        ("label is a folder", STRAY, {}),
        ("label of 1 TB", REJECT, {"hole": 2**40}),
    ):
        made.append(Case(kind, _image_name(number), verdict, image))
        made.append(Case(BESIDE, _label(number), STRAY, **special))
        number += 1
    for kind, special in (
        ("landmarks are a pipe", {"fifo": True}),
        ("landmarks are endless", {"link": "/dev/zero"}),
        ("landmarks of 1 TB", {"hole": 2**40}),
    ):
        made.append(Case(kind, _image_name(number), REJECT, image))
        made.append(Case(BESIDE, _label(number), STRAY, good.encode()))
        made.append(Case(BESIDE, _landmarks(number), STRAY, **special))
        number += 1
    return made


def mmi(faces: Sequence[np.ndarray], folder: Path, seed: int = 0) -> list[Case]:
    """Two sound films, one of them cut and flipped, and other things under a film's ending.

    folder: where the films are made. A case's name is the film's.
    """
    rng = np.random.default_rng(seed)
    films = [_film(face, folder / f"{index}.avi") for index, face in enumerate(faces[:2])]
    contents = [("sound film", KEEP, data) for data in films]
    contents += [("film cut", REJECT, short) for _, short in cut(films[0], FILM_STEP)]
    contents += [("film flipped", EITHER, flipped(films[0], rng, 4)) for _ in range(8)]
    endless = films[0][:4] + struct.pack("<I", 2**32 - 9) + films[0][8:]
    contents += [
        ("no film inside", REJECT, data)
        for data in (
            b"",
            b"RIFF",
            b"a text",
            bytes(10_000),
            b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
            b"ffconcat version 1.0\nfile '/etc/passwd'\n",
            stored(faces[0], "png"),
        )
    ]
    contents.append(("length unknown", EITHER, endless))
    made = []
    for number, (kind, verdict, data) in enumerate(contents, 1):
        stem, label = f"S{number:03d}-001", 1 + number % 2
        base = f"Sessions/{number}"
        made.append(Case(kind, f"{base}/{stem}.avi", verdict, data))
        session = _SESSION.format(stem=stem, view=0).encode()
        made.append(Case(BESIDE, f"{base}/session.xml", STRAY, session))
        annotation = _EMOTION.format(code=label).encode()
        made.append(Case(BESIDE, f"{base}/{stem}.xml", STRAY, annotation))
    return made


def label_of(image: str) -> str:
    """The name of the label file of a image of CK+'s."""
    return image.replace("cohn-kanade-images", "Emotion").replace(".png", "_emotion.txt")


def _wrong_points() -> list[tuple[str, bytes | None]]:
    rows = _points().splitlines()

    def instead(row: str) -> bytes:
        return "\n".join([*rows[:40], row, *rows[41:]]).encode()

    wrong = [
        b"",
        b"\n" * 68,
        "\n".join(rows[:-1]).encode(),
        "\n".join([*rows, "1 2"]).encode(),
        *map(instead, ("a b", "1", "1 2 3", "nan nan", "inf 0", "1e400 0", "\0 \0", "½ 1")),
        "\n".join(["5 5"] * 68).encode(),
        "\n".join(["0 0"] * 68).encode(),
        "\n".join(["1e308 -1e308", "-1e308 1e308"] * 34).encode(),
        "\n".join(f"{10_000 + n} {n * n}" for n in range(68)).encode(),
        "\n".join(f"{n * 1e-12} 0" for n in range(68)).encode(),
        bytes(range(256)) * 10,
        "\n".join(rows).encode("utf-16"),
    ]
    return [("landmarks", data) for data in wrong] + [("landmarks missing", None)]


def _points() -> str:
    """68 points of a face in a image of 192 pixels: eyes, mouth, and the rest somewhere."""
    points = np.full((68, 2), 96.0)
    points[36:42], points[42:48], points[48], points[54] = (
        (70, 80),
        (122, 80),
        (80, 130),
        (112, 130),
    )
    return "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points)


def _name(number: int) -> str:
    return f"S{number + 100:03d}"


def _image_name(number: int) -> str:
    name = _name(number)
    return f"cohn-kanade-images/{name}/001/{name}_001_00000010.png"


def _label(number: int) -> str:
    name = _name(number)
    return f"Emotion/{name}/001/{name}_001_00000010_emotion.txt"


def _landmarks(number: int) -> str:
    name = _name(number)
    return f"Landmarks/{name}/001/{name}_001_00000010_landmarks.txt"


def _film(face: np.ndarray, path: Path, frames: int = 25) -> bytes:
    height, width = face.shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=25, codec="mjpeg", macro_block_size=1
    )
    writer.send(None)
    for number in range(frames):
        writer.send(np.roll(face, number, axis=1).tobytes())
    writer.close()
    return path.read_bytes()
