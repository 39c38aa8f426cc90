"""Picture bytes in, the pixels a person would expect to see out.

The size is read from the header before anything is decompressed: a PNG of 140 KB can
hold 400 MB of pixels.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipelines.errors import FesrError

# 8192×8192: above any camera in the databases, below 200 MB of RGB.
MAX_PIXELS = 2**26

# Formats that hold photographs (JPEG includes phones' MPO). Pillow also opens PostScript and
# the like by starting other programs, which a stranger's folder must not be able to ask for.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000")
SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".dib", ".gif", ".webp"}
    | {".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k"}
)


class UnreadableImage(FesrError):
    """Bytes that are not a picture, or one that is damaged or too large; says which."""


def looks_like_picture(path: str | Path) -> bool:
    """Whether the name has a picture's ending; the bytes decide later."""
    return Path(path).suffix.lower() in SUFFIXES


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture in `data` as uint8, (H,W,3) RGB or (H,W) where the source is gray.

    EXIF orientation is applied; transparency is laid over white; 16-bit values are scaled
    to 8; CMYK and palettes become RGB; of an animation the first frame is taken. Raises
    `UnreadableImage` with the reason; more than `max_pixels` (width × height, from the
    header) is refused before any pixel is decoded.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    # Pillow's parsers fail on damaged bytes with whatever their arithmetic trips over
    # (OSError, SyntaxError, struct.error, ValueError, zlib.error, …), so every failure
    # inside is the picture's.
    try:
        with warnings.catch_warnings():
            # The size is judged below, against this function's own limit.
            warnings.simplefilter("ignore")
            # Pillow knows only a format whose plugin has been loaded by name.
            Image.init()
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise UnreadableImage(
                        f"more pixels by its header ({width}×{height}) than the limit of "
                        f"{max_pixels:,}"
                    )
                image.load()
                return _eight_bits(image)
    except UnreadableImage:
        raise
    except Image.DecompressionBombError as error:
        # Pillow's own guard, which comes before ours on the very largest.
        raise UnreadableImage(
            f"more pixels by its header than the limit of {max_pixels:,}"
        ) from error
    except Image.UnidentifiedImageError as error:
        raise UnreadableImage("not a picture in a known format") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImage(f"damaged or cut short: {reason[:200]}") from error


def read(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """`decode` of a file's bytes; a file that cannot be read is an `UnreadableImage` too."""
    try:
        data = Path(path).read_bytes()
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


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 image at another size: Lanczos, its support widened when shrinking."""
    if image.shape[:2] == (height, width):
        return image
    resampling = Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(image).resize((width, height), resampling))


def _eight_bits(image: Image.Image) -> np.ndarray:
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:
        # A damaged EXIF block says nothing about the pixels: show them as they lie.
        image = image.copy()
    if image.mode == "F" or image.mode.startswith("I"):
        image = Image.fromarray(_scaled(np.asarray(image)))
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("L" if gray else "RGB"))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Wide gray values as uint8: integers from 0…65535; floats from 0…1, else 0…255."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 65535):
        raise UnreadableImage("gray values outside 0…65535")
    white = 65535.0
    if values.dtype.kind == "f" and high <= 255:
        white = 1.0 if high <= 1 else 255.0
    return np.rint(values.astype(np.float64) / white * 255).astype(np.uint8)
