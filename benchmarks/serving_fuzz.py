"""`python -m benchmarks.serving_fuzz MODEL`: malformed pictures through every image signature.

Each picture is a request of its own to TensorFlow's C++ loader, as TensorFlow Serving makes them.
It may be answered or refused; it may not end the process, nor take memory without bound.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fesr_tf.client.saved_model import version_folder
from fesr_tf.serving.cpp_loader import CppSession, Refused, meta_graph
from fesr_tf.serving.requests import image as picture
from fesr_tf.serving.requests import inputs_of
from fesr_tf.serving.signatures_check import signatures_of
from pipelines.common.errors import FailedWork, command

HUGE = 60000
ANSWERED, REFUSED, CRASHED = "answered", "refused", "crashed"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG in colour of a declared size: `chunks` stand between header and end."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def saved(image: Image.Image, form: str, **options) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def opened(seed: int) -> Image.Image:
    """A drawn picture, as Pillow has it."""
    return Image.open(io.BytesIO(picture(seed)))


def whole(seed: int) -> bytes:
    """A picture that nothing is wrong with, PNG or JPEG, gray or colour."""
    return picture(seed, ("PNG", "JPEG")[seed % 2], (1, 3)[seed // 2 % 2])


def truncated(seed: int) -> bytes:
    data = whole(seed)
    return data[: np.random.default_rng(seed).integers(1, len(data))]


def bits_flipped(seed: int) -> bytes:
    random = np.random.default_rng(seed)
    data = bytearray(whole(seed))
    for place in random.integers(0, len(data), random.integers(1, 9)):
        data[place] ^= 1 << random.integers(8)
    return bytes(data)


def wrong_magic(seed: int) -> bytes:
    other = (b"GIF89a", b"BM", b"RIFF", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")[seed % 5]
    return other + whole(seed)[len(other) :]


def png_bomb(seed: int) -> bytes:
    rows = zlib.compress(bytes(2_000_000 + seed), 9)
    return png(HUGE, HUGE, chunk(b"IDAT", rows))


def png_text_bomb(seed: int) -> bytes:
    """Texts that unpack to 7 MB each, hundreds of them."""
    text = chunk((b"zTXt", b"iCCP")[seed % 2], b"a\0\0" + zlib.compress(bytes(7_000_000), 9))
    return png(64, 64, *[text] * 300)


def png_row_bomb(seed: int) -> bytes:
    """More pixels in the data than the header allows."""
    return png(64, 64, chunk(b"IDAT", zlib.compress(bytes(20_000_000 + seed), 9)))


def jpeg_bomb(seed: int) -> bytes:
    data = bytearray(picture(seed, "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", HUGE, HUGE)
    return bytes(data)


def jpeg_scan_bomb(seed: int) -> bytes:
    """A progressive JPEG whose last scan comes a thousand times."""
    data = saved(opened(seed), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 1000 + data[-2:]


def gif_bomb(seed: int) -> bytes:
    size = struct.pack("<HH", HUGE, HUGE)
    frame = b"," + bytes(4) + size + b"\0\x02" + b"\x02\x4c\x01\0" + b";"
    return b"GIF89a" + size + b"\x80\0\0" + bytes(6) + frame + bytes(seed % 7)


def bmp_bomb(seed: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, HUGE, HUGE, 1, 24, 0, 0, 1, 1, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header + bytes(seed % 100)


def zero_bytes(seed: int) -> bytes:
    return bytes(seed % 1000)


def noise(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(seed % 5000)


def animated_gif(seed: int) -> bytes:
    frames = [opened(seed + i).convert("P") for i in range(1, 4)]
    return saved(opened(seed), "GIF", save_all=True, append_images=frames)


def png_of_16_bits(seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 2**16, (64, 64), np.uint16)
    return saved(Image.fromarray(values), "PNG")


def jpeg_cmyk(seed: int) -> bytes:
    return saved(opened(seed).convert("CMYK"), "JPEG")


def jpeg_rotated(seed: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 1 + seed % 8
    return saved(opened(seed), "JPEG", exif=exif)


def png_with_alpha(seed: int) -> bytes:
    return saved(opened(seed).convert("RGBA"), "PNG")


KINDS: tuple[Callable[[int], bytes], ...] = (
    truncated,
    bits_flipped,
    wrong_magic,
    png_bomb,
    png_text_bomb,
    png_row_bomb,
    jpeg_bomb,
    jpeg_scan_bomb,
    gif_bomb,
    bmp_bomb,
    zero_bytes,
    noise,
    animated_gif,
    png_of_16_bits,
    jpeg_cmyk,
    jpeg_rotated,
    png_with_alpha,
)


def image_signatures(folder: Path) -> list[str]:
    """The signatures that take pictures."""
    graph = meta_graph(folder)
    signatures = signatures_of(graph).items()
    return [name for name, each in signatures if {"image_bytes", "inputs"} & set(each.inputs)]


def peak_mb(pid: int) -> float:
    """The most memory that a process has had so far, in MB (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


def fuzz(folder: Path, count: int) -> tuple[dict[str, Counter], float, float]:
    """Outcomes by kind, and peak memory in MB: of whole pictures, and with `count` bad ones."""
    names = image_signatures(folder)
    outcomes = {kind.__name__: Counter() for kind in KINDS}
    session = CppSession(folder)

    def ask(name: str, data: bytes) -> None:
        session.run(name, inputs_of(session.signatures[name], [data], ["neutral"]))

    try:
        for seed in range(20):
            for name in names:
                ask(name, whole(seed))
        before = after = peak_mb(session.pid)
        for seed in range(count):
            kind = KINDS[seed % len(KINDS)]
            data = kind(seed)
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
                outcomes[kind.__name__][outcome] += 1
            after = max(after, peak_mb(session.pid))
    finally:
        session.__exit__(None, None, None)
    return outcomes, before, after


@command
def main(argv: list[str] | None = None) -> int:
    """Prints what came of every kind; exit code 1 if a picture ended the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_fuzz", description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL", help="saved_models/NAME[/VERSION]")
    parser.add_argument("--count", type=int, default=1000, help="malformed pictures [1000]")
    options = parser.parse_args(argv)
    folder = version_folder(options.model)
    outcomes, before, after = fuzz(folder, options.count)
    names = (ANSWERED, REFUSED, CRASHED)
    print(f"{options.count} pictures x {', '.join(image_signatures(folder))}")
    print(f"{'kind':<16}" + "".join(name.rjust(10) for name in names))
    for kind, found in outcomes.items():
        print(f"{kind:<16}" + "".join(str(found[name]).rjust(10) for name in names))
    total = sum(outcomes.values(), Counter())
    print(f"{'all':<16}" + "".join(str(total[name]).rjust(10) for name in names))
    print(f"peak memory {after:.0f} MB; {before:.0f} MB after whole pictures only")
    if total[CRASHED]:
        raise FailedWork(f"{total[CRASHED]} requests ended the process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
