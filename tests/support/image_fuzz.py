"""Malformed images through every image signature of a SavedModel, in TensorFlow's C++ loader.

Each image is a request of its own, as TensorFlow Serving makes them. It may be answered or
refused; it must not end the process, nor take memory without bound.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fesr_tf.serving.cpp_loader import CppSession, Refused, meta_graph
from fesr_tf.serving.requests import image, inputs_of
from fesr_tf.serving.signatures_check import signatures_of
from pipelines.common.errors import FailedWork
from tests.support.corpus.pictures import flipped, png, saved, scans, zeros

HUGE = 60_000
ANSWERED, REFUSED, CRASHED = "answered", "refused", "crashed"
MAGIC = (b"GIF89a", b"BM", b"RIFF", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def whole(seed: int) -> bytes:
    """A sound image, PNG or JPEG, gray or colour."""
    return image(seed, ("PNG", "JPEG")[seed % 2], (1, 3)[seed // 2 % 2])


def _opened(seed: int) -> Image.Image:
    return Image.open(io.BytesIO(image(seed)))


def _bits_flipped(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return flipped(whole(seed), rng, int(rng.integers(1, 9)))


def _truncated(seed: int) -> bytes:
    data = whole(seed)
    return data[: np.random.default_rng(seed).integers(1, len(data))]


def _wrong_magic(seed: int) -> bytes:
    other = MAGIC[seed % len(MAGIC)]
    return other + whole(seed)[len(other) :]


def _text_bomb(seed: int) -> bytes:
    """Texts that unpack to 7 MB each, hundreds of them."""
    text = (b"zTXt", b"iCCP")[seed % 2] + b"a\0\0" + zeros(7_000_000)
    return png(64, 64, 2, b"", *[text] * 300)


def _jpeg_bomb(seed: int) -> bytes:
    data = bytearray(image(seed, "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", HUGE, HUGE)
    return bytes(data)


def _gif_bomb(seed: int) -> bytes:
    size = struct.pack("<HH", HUGE, HUGE)
    frame = b"," + bytes(4) + size + b"\0\x02" + b"\x02\x4c\x01\0" + b";"
    return b"GIF89a" + size + b"\x80\0\0" + bytes(6) + frame + bytes(seed % 7)


def _bmp_bomb(seed: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, HUGE, HUGE, 1, 24, 0, 0, 1, 1, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header + bytes(seed % 100)


def _animated(seed: int) -> bytes:
    frames = [_opened(seed + i).convert("P") for i in range(1, 4)]
    return saved(_opened(seed), "GIF", save_all=True, append_images=frames)


def _of_16_bits(seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 2**16, (64, 64), np.uint16)
    return saved(Image.fromarray(values), "PNG")


def _rotated(seed: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 1 + seed % 8
    return saved(_opened(seed), "JPEG", exif=exif)


KINDS: dict[str, Callable[[int], bytes]] = {
    "truncated": _truncated,
    "bits_flipped": _bits_flipped,
    "wrong_magic": _wrong_magic,
    "png_bomb": lambda seed: png(HUGE, HUGE, 2, zeros(2_000_000 + seed)),
    "png_text_bomb": _text_bomb,
    # More pixels in the data than the header allows.
    "png_row_bomb": lambda seed: png(64, 64, 2, zeros(20_000_000 + seed)),
    "jpeg_bomb": _jpeg_bomb,
    "jpeg_scan_bomb": lambda seed: scans(64 + seed % 64, 1000),
    "gif_bomb": _gif_bomb,
    "bmp_bomb": _bmp_bomb,
    "zero_bytes": lambda seed: bytes(seed % 1000),
    "noise": lambda seed: np.random.default_rng(seed).bytes(seed % 5000),
    "animated_gif": _animated,
    "png_of_16_bits": _of_16_bits,
    "jpeg_cmyk": lambda seed: saved(_opened(seed).convert("CMYK"), "JPEG"),
    "jpeg_rotated": _rotated,
    "png_with_alpha": lambda seed: saved(_opened(seed).convert("RGBA"), "PNG"),
}
"""Kind -> a function from a seed to a file."""


def image_signatures(folder: Path) -> list[str]:
    """The signatures that take image files."""
    signatures = signatures_of(meta_graph(folder)).items()
    return [name for name, each in signatures if {"image_bytes", "inputs"} & set(each.inputs)]


def peak_mb(pid: int) -> float:
    """The most memory that a process has had so far, in MB (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


def fuzz(folder: Path, count: int) -> tuple[dict[str, Counter], float, float]:
    """Outcomes by kind, and peak memory in MB: of sound images, and with `count` bad ones."""
    names = image_signatures(folder)
    outcomes = {kind: Counter() for kind in KINDS}
    session = CppSession(folder)

    def ask(name: str, data: bytes) -> None:
        session.run(name, inputs_of(session.signatures[name], [data], ["neutral"]))

    try:
        for seed in range(20):
            for name in names:
                ask(name, whole(seed))
        before = after = peak_mb(session.pid)
        for seed in range(count):
            kind = list(KINDS)[seed % len(KINDS)]
            data = KINDS[kind](seed)
            for name in names:
                outcome = ANSWERED
                try:
                    ask(name, data)
                except Refused:
                    outcome = REFUSED
                except FailedWork:
                    outcome = CRASHED
                    session.__exit__(None, None, None)
                    session = CppSession(folder)
                outcomes[kind][outcome] += 1
            after = max(after, peak_mb(session.pid))
    finally:
        session.__exit__(None, None, None)
    return outcomes, before, after
