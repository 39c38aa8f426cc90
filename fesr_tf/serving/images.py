"""Reads untrusted images inside the served graph, by stock operations.

Every check reads the header before a pixel is decoded, so that a few bytes cannot allocate
gigabytes. tf.data's `ignore_errors` catches a decoder's own failure, so that the request fails with
a sentence that names the image; without it TensorFlow would name an operation.
"""

from __future__ import annotations

import tensorflow as tf

from fesr_tf.data import images as preprocessing

# 4.2 million pixels are plenty for a face and take at most 130 MB while decoded.
MIN_SIDE, MAX_SIDE = 16, 2048
MAX_BYTES = 2**24
# Images (rows) in a request: an unbounded batch would take unbounded memory.
MAX_BATCH = 256
# Every scan of a progressive JPEG covers the whole image; encoders write about ten.
MAX_SCANS = 100
# libpng unpacks each text and profile of a PNG, up to 8 MB each; encoders write one or two.
MAX_TEXTS = 8
# Images decoded at the same time; together with the largest image this bounds the memory.
AT_ONCE = 4
# Images named in one error message; gRPC truncates long messages.
NAMED = 20

_HEAD = 24
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def read(image_bytes: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """PNG or JPEG files, string (B,) -> float32 [-1,1] (B,size,size,channels).

    Fails with InvalidArgument where an image is damaged or its header is refused; the message names
    the image by its index, from 0. Also fails for no images or more than `MAX_BATCH`.
    """
    shape = (size, size, channels)
    with tf.control_dependencies([refuse_batch(image_bytes)]):
        images, faults = tf.map_fn(
            lambda data: _guarded(data, size, channels),
            tf.identity(image_bytes),
            fn_output_signature=(tf.TensorSpec(shape), tf.TensorSpec((), tf.string)),
            parallel_iterations=AT_ONCE,
        )
    with tf.control_dependencies([refuse(faults, "image")]):
        return tf.identity(images)


def refuse_batch(rows: tf.Tensor) -> tf.Operation:
    """Fails where a request has no rows, which convolutions cannot take, or over `MAX_BATCH`."""
    count = tf.shape(rows)[0]
    message = [f"a request has 1 to {MAX_BATCH} rows, not ", tf.strings.as_string(count)]
    return tf.debugging.Assert((count >= 1) & (count <= MAX_BATCH), [tf.strings.join(message)])


def refuse(faults: tf.Tensor, noun: str) -> tf.Operation:
    """Fails where any of `faults`, string (B,), is not empty, naming the first `NAMED` of them:
    "2 of 3 refused: image 0 is empty; image 2 is damaged"."""
    bad = tf.where(tf.not_equal(faults, ""))[:, 0]
    first = bad[:NAMED]
    named = tf.strings.join(
        [f"{noun} ", tf.strings.as_string(first), " ", tf.gather(faults, first)]
    )
    counts = [tf.strings.as_string(tf.size(rows)) for rows in (bad, faults)]
    message = tf.strings.join(
        [counts[0], " of ", counts[1], " refused: ", tf.strings.reduce_join(named, separator="; ")]
    )
    return tf.debugging.Assert(tf.equal(tf.size(bad), 0), [message])


def png_bytes(images: tf.Tensor) -> tf.Tensor:
    """float [-1,1] (B,S,S,1|3) -> PNG files, string (B,): the pixels of `from_model`."""
    scaled = tf.round((tf.cast(images, tf.float32) + 1.0) * 127.5)
    pixels = tf.cast(tf.clip_by_value(scaled, 0.0, 255.0), tf.uint8)
    return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.TensorSpec((), tf.string))


def _guarded(data: tf.Tensor, size: int, channels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """One image (zeros where it is refused), and its fault ("" for none) even where the decoder
    fails."""

    def blank() -> tf.Tensor:
        return tf.zeros((size, size, channels))

    @tf.autograph.experimental.do_not_convert
    def check_and_decode(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def decode() -> tf.Tensor:
            image = preprocessing.decode_image(data, channels)
            return preprocessing.to_model(image, size, channels)

        fault = _fault(data)
        return tf.cond(tf.equal(fault, ""), decode, blank), fault

    one = tf.data.Dataset.from_tensors
    decoded = one(data).map(check_and_decode).ignore_errors()
    damaged = one((blank(), tf.constant("is damaged or cut short")))
    return decoded.concatenate(damaged).take(1).get_single_element()


def _fault(data: tf.Tensor) -> tf.Tensor:
    """The reason against decoding a file, string (), "" for none; reads its header, and counts
    marks in its bytes.

    May fail for a JPEG without a readable header.
    """
    length = tf.strings.length(data)
    start = tf.strings.substr(data, 0, _HEAD)
    head = tf.strings.substr(tf.strings.join([start, b"\0" * _HEAD]), 0, _HEAD)
    # libpng requires IHDR as the first chunk, which fixes the place of the size.
    is_png = tf.equal(tf.strings.substr(head, 0, 8), _PNG)
    is_jpeg = tf.equal(tf.strings.substr(head, 0, 3), _JPEG)
    is_small = length <= MAX_BYTES
    sides = tf.cond(
        is_jpeg & is_small,
        lambda: tf.image.extract_jpeg_shape(data, tf.int64)[:2],
        lambda: _big_endian(tf.reshape(tf.io.decode_raw(head, tf.uint8), (_HEAD,))[16:]),
    )
    texts = tf.cond(
        is_png & is_small,
        lambda: tf.add_n([_count(data, name, MAX_TEXTS) for name in (b"zTXt", b"iTXt", b"iCCP")]),
        lambda: 0,
    )
    scans = tf.cond(is_jpeg & is_small, lambda: _count(data, b"\xff\xda", MAX_SCANS), lambda: 0)
    fits = tf.reduce_all((sides >= MIN_SIDE) & (sides <= MAX_SIDE))
    height, width = tf.unstack(tf.strings.as_string(sides))
    too_large = tf.strings.join(
        ["is ", width, " x ", height, f" pixels, outside {MIN_SIDE} to {MAX_SIDE} a side"]
    )
    return _first(
        (tf.equal(length, 0), "is empty"),
        (length > MAX_BYTES, f"has more than {MAX_BYTES} bytes"),
        (~(is_png | is_jpeg), "is neither PNG nor JPEG"),
        (~fits, too_large),
        (texts > MAX_TEXTS, f"has more than {MAX_TEXTS} texts or profiles"),
        (scans > MAX_SCANS, f"has more than {MAX_SCANS} scans"),
    )


def _first(*cases: tuple[tf.Tensor, tf.Tensor | str]) -> tf.Tensor:
    """The text of the first condition that holds, "" where none does."""
    text = tf.constant("")
    for condition, fault in reversed(cases):
        text = tf.where(condition, fault, text)
    return text


def _big_endian(octets: tf.Tensor) -> tf.Tensor:
    """Width and height of IHDR, uint8 (8,) -> height and width, int64 (2,)."""
    weights = tf.constant([2**24, 2**16, 2**8, 1], tf.int64)
    numbers = tf.reduce_sum(tf.cast(tf.reshape(octets, (2, 4)), tf.int64) * weights, axis=1)
    return numbers[::-1]


def _count(data: tf.Tensor, mark: bytes, limit: int) -> tf.Tensor:
    """Occurrences of `mark` in `data`, int32 (), counted up to `limit` + 1."""
    parts = tf.raw_ops.StringSplitV2(input=[data], sep=mark, maxsplit=limit + 1)
    return tf.size(parts.values) - 1
