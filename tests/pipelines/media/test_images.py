"""Decoding: every kind of image gives the pixels that a person would expect."""

from __future__ import annotations

import io
import resource
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from pipelines.media import images


def stored(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def bomb(side: int) -> bytes:
    """A PNG that says it has side×side gray pixels, all of them really there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(side + 1)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def test_colour_and_gray_keep_their_channels():
    colour = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    gray = colour[..., 0]
    np.testing.assert_array_equal(images.decode(stored(Image.fromarray(colour))), colour)
    np.testing.assert_array_equal(images.decode(stored(Image.fromarray(gray))), gray)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :8] = 255
    shown = images.decode(stored(Image.fromarray(pixels), "PNG", exif=exif))
    np.testing.assert_array_equal(shown, np.rot90(pixels, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_lies_over_white(mode):
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    image = image.quantize(2) if mode == "PA" else image.convert(mode)
    shown = images.decode(stored(image))
    assert shown.shape == ((1, 2) if mode == "LA" else (1, 2, 3))
    assert shown[0, 0].min() == 255
    assert shown[0, 1].max() == 0


def test_half_transparent_red_is_pink():
    shown = images.decode(stored(Image.new("RGBA", (1, 1), (255, 0, 0, 128))))
    np.testing.assert_allclose(shown[0, 0], [255, 127, 127], atol=1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind):
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    shown = images.decode(stored(Image.fromarray(values), kind))
    assert shown.dtype == np.uint8
    assert shown.tolist() == [[0, 1, 128, 255]]


@pytest.mark.parametrize(("white", "expected"), [(1.0, 128), (255.0, 128), (65535.0, 128)])
def test_float_images_are_scaled_by_their_range(white, expected):
    values = np.array([[0.0, white * 128 / 255, white]], np.float32)
    assert images.decode(stored(Image.fromarray(values), "TIFF")).tolist() == [[0, expected, 255]]


def test_cmyk_becomes_rgb():
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    shown = images.decode(stored(ink, "JPEG", quality=95))
    assert shown.shape == (8, 8, 3)
    np.testing.assert_allclose(shown[4, 4], [255, 0, 0], atol=3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("#ff0000", "#0000ff")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = stored(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    shown = images.decode(data)
    assert shown.shape == (4, 6, 3)
    np.testing.assert_allclose(shown[1, 1], [255, 0, 0], atol=2)


def test_two_tone_images_are_black_and_white():
    assert images.decode(stored(Image.new("1", (2, 2), 1))).tolist() == [[255, 255], [255, 255]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not an image", "format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "format"),
        (stored(Image.new("RGB", (64, 64), "#123456"))[:-60], "damaged"),
        (stored(Image.effect_noise((64, 64), 40), "JPEG")[:500], "damaged"),
    ],
)
def test_unreadable_bytes_are_refused_with_the_reason(data, reason):
    with pytest.raises(images.UnreadableImage, match=reason):
        images.decode(data)


def test_a_bomb_is_refused_by_its_header():
    data = bomb(12_000)
    assert len(data) < 300_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(images.UnreadableImage, match=r"\bheader\b.*12000×12000"):
        images.decode(data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50_000  # kilobytes; decoded it would be 144 MB


def test_the_limit_is_the_callers():
    data = stored(Image.new("L", (10, 10)))
    assert images.decode(data, max_pixels=100).shape == (10, 10)
    with pytest.raises(images.UnreadableImage, match=r"\b99\b"):
        images.decode(data, max_pixels=99)


def test_a_missing_file_is_an_unreadable_picture(tmp_path):
    with pytest.raises(images.UnreadableImage, match="No such file"):
        images.read(tmp_path / "gone.png")


def test_png_round_trip_is_exact():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    np.testing.assert_array_equal(images.decode(images.encode_png(pixels)), pixels)


def test_gray_is_601_luma():
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert images.to_gray(pixels).tolist() == [[76, 150, 29]]


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    np.testing.assert_allclose(images.resize(stripes, 16, 16)[4:-4, 4:-4], 127.5, atol=3)


def patch() -> Image.Image:
    """30 pixels wide, 20 high, in four colours."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10, :15], pixels[:10, 15:] = (200, 30, 30), (30, 200, 30)
    pixels[10:, :15], pixels[10:, 15:] = (30, 30, 200), (220, 220, 30)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photographs_of_phones_are_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = stored(patch(), kind, quality=95, exif=exif.tobytes())
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(stored(patch(), "PNG", exif=exif))))
    decoded = images.decode(data)
    assert decoded.shape == (turned.height, turned.width, 3)
    # The middle of each quarter, away from the edges that a lossy format smears.
    middle = np.s_[decoded.shape[0] // 4 :: decoded.shape[0] // 2]
    difference = decoded.astype(int) - np.asarray(turned.convert("RGB"))
    assert np.abs(difference[middle, decoded.shape[1] // 4]).max() < 25


def test_a_jpeg_above_the_limit_is_read_at_half_its_size():
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = patch().resize((300, 200))
    data = stored(whole, "JPEG", quality=95, exif=exif)
    decoded = images.decode(data, max_pixels=20_000)
    assert decoded.shape == (150, 100, 3)
    half = np.asarray(whole.resize((150, 100)).rotate(-90, expand=True)).astype(int)
    assert np.abs(decoded - half).mean() < 3
    assert images.decode(data, max_pixels=2_000).shape == (38, 25, 3)
    for refused in (stored(whole, "JPEG", progressive=True), stored(whole, "PNG")):
        with pytest.raises(images.UnreadableImage, match=r"300×200.*20,000"):
            images.decode(refused, max_pixels=20_000)


def test_a_jpeg_of_200_megapixels_is_read_and_a_png_is_refused_with_its_number():
    blank = Image.new("L", (16_320, 12_240))
    assert images.decode(stored(blank, "JPEG")).shape == (6120, 8160)
    with pytest.raises(images.UnreadableImage, match="196,000,000"):
        images.decode(bomb(14_000))


def test_a_jpeg_too_large_even_for_a_reduced_size_is_refused_with_the_limit_of_jpegs():
    data = bytearray(stored(Image.new("L", (300, 200)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (17_000).to_bytes(2, "big") * 2
    with pytest.raises(images.UnreadableImage, match=r"17000×17000.*268,435,456") as caught:
        images.decode(bytes(data))
    assert "progressive" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.HEIC", "a.heif", "a.hif", "a.avif", "a.jpg"])
def test_names_of_photographs(name):
    assert images.looks_like_image(name)
