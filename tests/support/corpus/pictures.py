"""Bytes of images: sound ones in every format, damaged ones, bombs, and other things."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
import pillow_heif
from PIL import Image

# An image that lacks no more than this may have lost its end mark and no pixel.
SPARE = 16
STEP = 64
SOUND = {
    "png": ("PNG", "RGB", {}),
    "gray.png": ("PNG", "L", {}),
    "palette.png": ("PNG", "P", {}),
    "alpha.png": ("PNG", "RGBA", {}),
    "bits16.png": ("PNG", "I;16", {}),
    "jpg": ("JPEG", "RGB", {"quality": 75}),
    "gray.jpg": ("JPEG", "L", {}),
    "cmyk.jpg": ("JPEG", "CMYK", {"quality": 95}),
    "progressive.jpg": ("JPEG", "RGB", {"quality": 75, "progressive": True}),
    "webp": ("WEBP", "RGB", {"quality": 80}),
    "tif": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    "plain.tif": ("TIFF", "RGB", {}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "ppm": ("PPM", "RGB", {}),
    "jp2": ("JPEG2000", "RGB", {}),
    "heic": ("HEIF", "RGB", {"quality": 90}),
    "avif": ("AVIF", "RGB", {"quality": 90}),
}
"""Endings, and how images with them are stored: format, mode, options."""


def stored(face: np.ndarray, ending: str, side: int | None = None) -> bytes:
    """A uint8 (H,W,3) face in the way of `SOUND[ending]`, shrunk to `side` if that is given."""
    kind, mode, options = SOUND[ending]
    image = Image.fromarray(face)
    if side is not None:
        image = image.resize((side, side), Image.Resampling.LANCZOS)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    return saved(image, kind, **options)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def cut(data: bytes, step: int = STEP) -> Iterator[tuple[int, bytes]]:
    """The data cut short after every `step`-th byte: (length, bytes)."""
    for length in range(step, len(data), step):
        yield length, data[:length]


def flipped(data: bytes, rng: np.random.Generator, count: int) -> bytes:
    """The data with `count` of its bits turned over."""
    changed = bytearray(data)
    for bit in rng.integers(0, 8 * len(data), count):
        changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def png(width: int, height: int, colour: int, data: bytes, *extra: bytes) -> bytes:
    """A PNG of 8 bits that says so; colour: 0 gray, 2 RGB, 6 RGBA; extra: chunks before the
    pixels, each its name and its content."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = (header, *extra, b"IDAT" + data, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


def zeros(count: int) -> bytes:
    """`count` zero bytes, packed."""
    packer = zlib.compressobj(9)
    whole, rest = divmod(count, 2**20)
    block = bytes(2**20)
    packed = b"".join(packer.compress(block) for _ in range(whole))
    return packed + packer.compress(bytes(rest)) + packer.flush()


def tiff(width: int, height: int, data: bytes, tile: int = 0) -> bytes:
    """A deflated gray TIFF that says it is so large, in one strip or in tiles of `tile`²."""
    tags = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 277: 1}
    after = 8 + 2 + 12 * (len(tags) + (4 if tile else 3)) + 4
    if tile:
        tags |= {322: tile, 323: tile, 324: after, 325: len(data)}
    else:
        tags |= {273: after, 278: height, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + entries + struct.pack("<I", 0) + data


def _at(data: bytes, place: int, content: bytes) -> bytes:
    return data[:place] + content + data[place + len(content) :]


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that say, or hold, far more than they weigh: (name with ending, bytes)."""
    small = Image.new("RGB", (64, 64), "#806040")
    gray = small.convert("L")
    yield "real_12000.png", png(12_000, 12_000, 0, zeros(12_000 * 12_001))
    yield "header_60000.png", png(60_000, 60_000, 2, zeros(10_000_000))
    yield "header_2to31.png", png(2**31 - 1, 2**31 - 1, 6, zeros(1000))
    yield "text.png", png(8, 8, 0, zeros(72), b"zTXta\0\0" + zeros(20_000_000))
    yield "profile.png", png(8, 8, 0, zeros(8), b"iCCPa\0\0" + zeros(20_000_000))
    screen = saved(gray, "GIF")
    yield "screen.gif", _at(screen, 6, struct.pack("<HH", 65_535, 65_535))
    place = screen.index(b",")
    yield "frame.gif", _at(screen, place + 5, struct.pack("<HH", 65_535, 65_535))
    yield "strip.tif", tiff(60_000, 60_000, zeros(10_000_000))
    yield "tile.tif", tiff(100, 100, zeros(8704**2), tile=8704)
    canvas = saved(small.resize((300, 300)), "WEBP", lossless=True)
    # After RIFF, its length, WEBP, VP8L, its length and 0x2f: fourteen bits of each side, less 1.
    yield "canvas.webp", _at(canvas, 21, struct.pack("<I", (1 << 28) - 1))
    bitmap = saved(small, "BMP")
    yield "header.bmp", _at(bitmap, 18, struct.pack("<ii", 60_000, 60_000))
    yield "negative.bmp", _at(bitmap, 18, struct.pack("<ii", 60_000, -60_000))
    runs = bytes([255, 0]) * 2_000_000
    packed = _at(saved(gray, "BMP"), 18, struct.pack("<iiHHI", 30_000, 30_000, 1, 8, 1))
    yield "runs.bmp", packed + runs
    yield "header.ppm", b"P6 60000 60000 255\n" + bytes(100_000)
    yield "header.pgm", b"P5 99999999 99999999 65535\n" + bytes(100)
    wave = saved(small, "JPEG2000")
    sizes = struct.pack(">II", 60_000, 60_000)
    yield "box.jp2", _at(wave, wave.index(b"ihdr") + 4, sizes)
    # In the code stream's own head, which the box before it contradicts.
    yield "stream.jp2", _at(wave, wave.index(b"\xff\x4f\xff\x51") + 8, sizes)
    for ending, kind in (("heic", "HEIF"), ("avif", "AVIF")):
        phone = saved(small, kind)
        # The box of the size: its name, its version, its sides.
        yield f"box.{ending}", _at(phone, phone.index(b"ispe") + 8, sizes)
    photo = saved(small, "JPEG")
    frame = photo.index(b"\xff\xc0")
    yield "header.jpg", _at(photo, frame + 5, struct.pack(">HH", 65_500, 65_500))
    yield "scans.jpg", scans(8000, 20_000)


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose last, almost empty scan is there `count` times more."""
    data = saved(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    # As short as a scan may be: what is missing of it counts as zeros.
    return data[:-2] + last[:24] * count + data[-2:]


def foreign() -> Iterator[tuple[str, bytes]]:
    """Files that are not an image, under an image's suffix."""
    inner = b"0" * 100_000
    for _ in range(6):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(4):
                # An entry made so has no time of its own.
                entry = zipfile.ZipInfo(f"{number}.zip")
                archive.writestr(entry, inner, zipfile.ZIP_DEFLATED)
        inner = buffer.getvalue()
    yield "empty.png", b""
    yield "empty.jpg", b""
    yield "empty.tif", b""
    yield "zero.png", b"\0"
    yield "blank.gif", b" \n" * 500
    yield "text.jpg", b"not an image\n"
    yield "page.png", b"<!DOCTYPE html><html><body><img src=x></body></html>"
    yield "zips.png", inner
    yield "film.jpg", b"RIFF" + struct.pack("<I", 4096) + b"AVI LIST" + bytes(4084)
    yield "paper.png", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
    yield "script.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n"
    yield (
        "drawing.png",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
    )
    yield "program.jpg", b"\x7fELF" + bytes(200)
    yield "pickle.png", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."
    yield "signature.png", b"\x89PNG\r\n\x1a\n"
    yield "signature.jpg", b"\xff\xd8\xff"
    yield "signature.gif", b"GIF89a"
    yield "signature.webp", b"RIFF\x24\0\0\0WEBP"
    yield "signature.tif", b"II*\0\x08\0\0\0"
    yield "circle.tif", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"
    yield "nothing.png", png(0, 0, 0, zeros(1))
    yield "nothing.ppm", b"P6 0 0 255\n"
    yield "icon.png", saved(Image.new("RGB", (32, 32)), "ICO")
