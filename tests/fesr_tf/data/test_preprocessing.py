"""Bytes to model input: the same numbers whatever the format, and nothing lost on the way."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fesr_tf.data import images
from tests.support.naming import naming


def encoded(array: np.ndarray, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form, **options)
    return buffer.getvalue()


def ramp(height: int = 16, width: int = 16) -> np.ndarray:
    return (np.arange(height * width) % 256).astype(np.uint8).reshape(height, width)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gray_png_decodes_to_its_own_pixels(channels):
    gray = ramp()
    decoded = images.decode_image(encoded(gray, "PNG"), channels).numpy()
    assert decoded.shape == (16, 16, channels) and decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, np.repeat(gray[..., None], channels, -1))


def test_colour_becomes_luma_as_pillow_has_it():
    colour = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    ours = images.decode_image(encoded(colour, "PNG"), 1).numpy()[..., 0]
    pillow = np.asarray(Image.fromarray(colour).convert("L"))
    assert np.abs(ours.astype(int) - pillow).max() <= 1
    np.testing.assert_array_equal(ours, np.rint(colour @ np.array([0.299, 0.587, 0.114])))


def test_jpeg_is_close_to_the_png_of_the_same_picture():
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    png = images.decode_image(encoded(smooth, "PNG"), 1).numpy().astype(int)
    jpeg = images.decode_image(encoded(smooth, "JPEG", quality=95), 1).numpy()
    assert np.abs(png - jpeg).mean() < 1.5


def test_transparency_and_16_bits_are_read():
    alpha = np.dstack([np.full((8, 8, 3), 90, np.uint8), np.zeros((8, 8), np.uint8)])
    assert (images.decode_image(encoded(alpha, "PNG"), 3).numpy() == 90).all()
    deep = np.full((8, 8), 0x8000, np.uint16)
    assert (images.decode_image(encoded(deep, "PNG"), 1).numpy() == 0x80).all()


def test_the_same_size_is_left_alone_and_half_of_a_flat_picture_is_flat():
    image = ramp()[..., None]
    np.testing.assert_array_equal(images.to_size(image, 16, 1), image)
    flat = np.full((2, 32, 48, 3), 77, np.uint8)
    half = images.to_size(flat, 16, 1).numpy()
    assert half.shape == (2, 16, 16, 1) and (half == 77).all()


def test_shrinking_does_not_alias():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))[..., None]
    small = images.to_size(stripes, 16, 1).numpy()
    assert np.abs(small[:, 1:-1].astype(float) - 127.5).max() < 2


def test_a_face_stored_at_size_equals_one_resized_on_arrival():
    chip = np.random.default_rng(1).integers(0, 256, (3, 128, 128, 1), np.uint8)
    stored = images.to_size(chip, 64, 1).numpy()
    np.testing.assert_array_equal(images.to_model(stored, 64, 1), images.to_model(chip, 64, 1))


def test_the_range_is_minus_one_to_one_and_goes_back():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    scaled = images.to_model(every, 16, 1).numpy()
    assert scaled.min() == -1.0 and scaled.max() == 1.0 and scaled.dtype == np.float32
    np.testing.assert_array_equal(images.from_model(scaled), every)
    assert images.from_model(np.array([-1.5, 1.5])).tolist() == [0, 255]


def test_a_graph_computes_the_floats_that_eager_mode_does():
    levels = tf.range(256, dtype=tf.int32)
    graph = tf.function(images.to_float, input_signature=[tf.TensorSpec([None], tf.int32)])
    np.testing.assert_array_equal(graph(levels), images.to_float(levels))
    expected = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)
    np.testing.assert_array_equal(graph(levels), expected)


def test_it_works_with_unknown_sizes_inside_a_graph():
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def path(data):
        return images.to_model(images.decode_image(data, 3), 8, 3)

    assert path(encoded(ramp(30, 20), "PNG")).shape == (8, 8, 3)


def test_other_channel_counts_are_refused():
    with pytest.raises(ValueError, match=naming(4)):
        images.to_channels(tf.zeros((4, 4, 4), tf.uint8), 1)
