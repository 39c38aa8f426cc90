"""Decodes image files to pixels as they are meant to be seen, within limits.

The size is read from the header before anything is decompressed: a PNG of 140 KB can
hold 400 MB of pixels.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageOps, JpegImagePlugin

from pipelines.common.errors import FesrError
from pipelines.common.files import Location

# 8192×8192: above any camera in the databases, below 200 MB of RGB.
MAX_PIXELS = 2**26
"""Larger JPEGs are decoded at a half, a quarter or an eighth of their size."""

# As many gray floats. Nothing larger is read into memory.
MAX_BYTES = 2**28
# Their decoders hold up to sixteen bytes a pixel beside the image, so the limit is lower.
_HUNGRY = {"JPEG2000": 4, "WEBP": 2, "AVIF": 2}
# Above any phone's camera (200 megapixels).
_MAX_REDUCED = 2**28
_REDUCTIONS = (2, 4, 8)
# Every scan of a progressive JPEG passes over the whole image, however few bytes it has.
# Encoders write about ten.
_MAX_SCANS = 100
# Markers that a length follows, and the end of the image.
_JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
# Rows are converted in blocks of about this many pixels, so that no second copy of a large
# image is made.
_BLOCK = 2**20

# Formats of photographs (JPEG includes phones' MPO). Pillow also opens PostScript and the like
# by starting other programs, which a stranger's folder must not be able to do.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "HEIF", "AVIF")
SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".dib", ".gif", ".webp"}
    | {".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k"}
    | {".heic", ".heif", ".hif", ".avif"}
)


class UnreadableImage(FesrError):
    """Bytes that are not an image, or one that is damaged or too large; the message says which."""


def looks_like_image(path: str | Path) -> bool:
    """Whether the name has an image's suffix; the bytes decide later."""
    return Path(path).suffix.lower() in SUFFIXES


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The image in `data` as uint8, (H,W,3) RGB or (H,W) where the source is gray.

    EXIF orientation is applied; transparency is composited over white; 16-bit values are scaled
    to 8; CMYK and palettes become RGB; of an animation the first frame is taken. Raises
    `UnreadableImage` with the reason; more than `max_pixels` (width × height, from the
    header; a quarter of that for JPEG 2000, half for WebP and AVIF) is refused before any pixel is
    decoded. A baseline JPEG of more, up to 268 megapixels, is decoded at the largest of a half, a
    quarter and an eighth of its size that is within the limit.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    # Pillow's parsers fail on damaged bytes with whatever their arithmetic trips over
    # (OSError, SyntaxError, struct.error, ValueError, zlib.error, …), so every failure
    # inside is the image's.
    try:
        with warnings.catch_warnings():
            # The size is checked below, against this function's own limit.
            warnings.simplefilter("ignore")
            _load_plugins()
            with _opened(data) as image:
                _reduce(image, max_pixels)
                _check_cost(image, data, max_pixels)
                image.load()
                return _eight_bits(image)
    except UnreadableImage:
        raise
    except Image.DecompressionBombError as error:
        # Pillow's own guard, which acts first on the very largest.
        found = re.search(r"\d+", str(error))
        count = int(found[0]) if found else 0
        what = f" ({count:,})" if found else ""
        raise UnreadableImage(_too_large(what, count, max_pixels, max_pixels)) from error
    except Image.UnidentifiedImageError as error:
        raise UnreadableImage("not an image in a known format") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImage(f"damaged or cut short: {reason[:200]}") from error


def read(path: str | Location, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """`decode` of a file's bytes; a file that cannot be read is an `UnreadableImage` too.

    So is one of more than `MAX_BYTES`, and a pipe or a device, which may never end.
    """
    path = Path(path) if isinstance(path, str) else path
    try:
        if isinstance(path, Path):
            size = path.stat().st_size
            if not path.is_file():
                raise UnreadableImage("cannot be read: not a file")
            data = path.read_bytes() if size <= MAX_BYTES else b""
        else:  # one request, where opening a file of a store makes three
            data = path.fs.cat_file(path.path, start=0, end=MAX_BYTES + 1)
            size = len(data)
        if size > MAX_BYTES:
            raise UnreadableImage(f"larger ({size:,} bytes) than the limit of {MAX_BYTES:,}")
    except OSError as error:
        raise UnreadableImage(f"cannot be read: {error.strerror or error}") from error
    return decode(data, max_pixels)


def encode_png(image: np.ndarray) -> bytes:
    """uint8 (H,W) or (H,W,3) as PNG bytes, the same bytes for the same pixels."""
    buffer = io.BytesIO()
    # Level 6 is zlib's default, named so that another Pillow cannot choose differently.
    Image.fromarray(image).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def to_gray(image: np.ndarray) -> np.ndarray:
    """uint8 (H,W) luma (ITU-R 601) of an (H,W,3) or (H,W) image."""
    return image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))


def to_rgb(image: np.ndarray) -> np.ndarray:
    """uint8 (H,W,3) of an (H,W,3) or (H,W) image."""
    return image if image.ndim == 3 else np.repeat(image[..., np.newaxis], 3, axis=-1)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 image at another size: Lanczos, its support widened when shrinking."""
    if image.shape[:2] == (height, width):
        return image
    resampling = Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(image).resize((width, height), resampling))


def within(image: np.ndarray, side: int) -> np.ndarray:
    """The image, shrunk if its longer side is more than `side`; its proportions stay."""
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width))
    return resize(image, max(1, round(height * factor)), max(1, round(width * factor)))


@functools.cache
def _load_plugins() -> None:
    """Pillow recognises a format by name only once its plugin is loaded."""
    Image.init()
    # The image alone, and one thread: workers share the cores already.
    pillow_heif.register_heif_opener(
        thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
    )


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        if not data.startswith(b"\xff\xd8"):
            raise
        # Pillow's guard knows nothing of reduced decoding.
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))


def _reducible(image: Image.Image) -> bool:
    """Whether the file is a JPEG; a progressive one would be held whole while it is decoded."""
    return image.format in ("JPEG", "MPO") and not image.info.get("progressive")


def _reduce(image: Image.Image, max_pixels: int) -> None:
    """Sets a JPEG of too many pixels to be decoded at a reduced size."""
    width, height = image.size
    if not (_reducible(image) and max_pixels < width * height <= _MAX_REDUCED):
        return
    for factor in _REDUCTIONS:
        size = -(-width // factor), -(-height // factor)
        if size[0] * size[1] <= max_pixels:
            # Rounded down: Pillow gives a size that is not smaller.
            image.draft(None, (width // factor, height // factor))
            return


def _most_reduced(max_pixels: int) -> int:
    """The pixels of the largest JPEG that can be decoded at a reduced size."""
    return min(_MAX_REDUCED, max_pixels * _REDUCTIONS[-1] ** 2)


def _too_large(what: str, pixels: int, limit: int, max_pixels: int) -> str:
    advice = "save it at a smaller size"
    if limit < pixels <= _most_reduced(max_pixels):
        advice += ", or as a JPEG that is not progressive"
    return f"more pixels by its header{what} than the limit of {limit:,}; {advice}"


def _check_cost(image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Refuses, by its header, an image that would take too much memory or time."""
    width, height = image.size
    limit = max_pixels // _HUNGRY.get(image.format or "", 1)
    if (pixels := width * height) > limit:
        most = _most_reduced(max_pixels) if _reducible(image) else limit
        raise UnreadableImage(_too_large(f" ({width}×{height})", pixels, most, max_pixels))
    if image.format == "TIFF":
        # A tile is decoded whole, and may be far larger than its image.
        wide, high = (int(image.tag_v2.get(tag, 0)) for tag in (322, 323))
        if wide * high > limit:
            raise UnreadableImage(
                f"tiles of more pixels by its header ({wide}×{high}) than the limit of {limit:,}"
            )
    if image.format in ("JPEG", "MPO") and _scans(data) > _MAX_SCANS:
        raise UnreadableImage(f"more scans than the limit of {_MAX_SCANS}")


def _scans(data: bytes) -> int:
    """The number of scans of the first image of a JPEG file; counting stops above the limit."""
    count, place = 0, 2
    while count <= _MAX_SCANS and (found := _JPEG_MARKER.search(data, place)):
        marker, start = data[found.start() + 1], found.end()
        if marker == 0xD9:
            break
        count += marker == 0xDA
        place = start + max(2, int.from_bytes(data[start : start + 2], "big"))
    return count


def _eight_bits(image: Image.Image) -> np.ndarray:
    # A damaged EXIF block does not affect the pixels: keep their orientation.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    wide = image.mode == "F" or image.mode.startswith("I")
    gray = wide or image.mode in ("1", "L", "LA", "La")
    white = _white(image) if wide else 0
    width, height = image.size
    pixels = np.empty((height, width) if gray else (height, width, 3), np.uint8)
    for rows in _blocks(image):
        block = image.crop((0, rows.start, width, rows.stop))
        pixels[rows] = _scaled(np.asarray(block), white) if wide else _flat(block, gray)
    return pixels


def _blocks(image: Image.Image) -> Iterator[slice]:
    """The rows of an image, a few at a time."""
    width, height = image.size
    step = max(1, _BLOCK // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _flat(block: Image.Image, gray: bool) -> np.ndarray:
    """Rows of eight-bit values as "L" or "RGB", over white where they are transparent."""
    if block.has_transparency_data:
        block = block.convert("RGBA")
        block = Image.alpha_composite(Image.new("RGBA", block.size, "white"), block)
    return np.asarray(block.convert("L" if gray else "RGB"))


def _white(image: Image.Image) -> float:
    """The value that becomes white in wide gray images: 65535; for floats within that range, 1
    or 255. `UnreadableImage` for values outside 0…65535."""
    width, kind = image.size[0], "f"
    low, high = np.inf, -np.inf
    for rows in _blocks(image):
        values = np.asarray(image.crop((0, rows.start, width, rows.stop)))
        kind = values.dtype.kind
        # np.minimum and np.maximum keep NaN, which the check below then refuses.
        low, high = np.minimum(low, values.min()), np.maximum(high, values.max())
    if not (low >= 0 and high <= 65535):
        raise UnreadableImage("gray values outside 0…65535")
    if kind == "f" and high <= 255:
        return 1.0 if high <= 1 else 255.0
    return 65535.0


def _scaled(values: np.ndarray, white: float) -> np.ndarray:
    return np.rint(values.astype(np.float64) / white * 255).astype(np.uint8)
