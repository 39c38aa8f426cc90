"""Pictures of strangers, read inside the served graph by stock operations.

Everything is judged by the header before a pixel is decoded, so that a few bytes cannot ask for
gigabytes. A decoder's own failure is caught, by tf.data's `ignore_errors`, so that the request
fails with a sentence that names the picture; without it TensorFlow would name an operation.
"""

from __future__ import annotations

import tensorflow as tf

from fesr_tf.data import images as preprocessing

# A face, not a photograph of the sea: 4.2 million pixels, at most 130 MB while it is read.
MIN_SIDE, MAX_SIDE = 16, 2048
MAX_BYTES = 2**24
# Pictures (rows) in a request: memory is bounded only if this is.
MAX_BATCH = 256
# Every scan of a progressive JPEG goes over the whole picture; encoders make about ten.
MAX_SCANS = 100
# libpng unpacks each of a PNG's texts and profiles, to 8 MB each; encoders write one or two.
MAX_TEXTS = 8
# What is read at the same time, times what one picture may take, bounds the memory.
AT_ONCE = 4
# As many are named in an error; gRPC cuts long ones off.
NAMED = 20

_HEAD = 24
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def read(image_bytes: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """PNG or JPEG files, string (B,) -> float32 [-1,1] (B,size,size,channels).

    Fails with InvalidArgument where a picture cannot be read or is refused by its header, and the
    message names it by its place, from 0; so it does for no pictures or more than `MAX_BATCH`.
    """
    shape = (size, size, channels)
    with tf.control_dependencies([refuse_batch(image_bytes)]):
        images, faults = tf.map_fn(
            lambda data: _guarded(data, size, channels),
            tf.identity(image_bytes),
            fn_output_signature=(tf.TensorSpec(shape), tf.TensorSpec((), tf.string)),
            parallel_iterations=AT_ONCE,
        )
    with tf.control_dependencies([refuse(faults, "picture")]):
        return tf.identity(images)


def refuse_batch(rows: tf.Tensor) -> tf.Operation:
    """Fails where a request has no rows, which convolutions cannot take, or over `MAX_BATCH`."""
    count = tf.shape(rows)[0]
    said = [f"a request has 1 to {MAX_BATCH} rows, not ", tf.strings.as_string(count)]
    return tf.debugging.Assert((count >= 1) & (count <= MAX_BATCH), [tf.strings.join(said)])


def refuse(faults: tf.Tensor, noun: str) -> tf.Operation:
    """Fails where any of `faults`, string (B,), is not empty, naming the first `NAMED` of them:
    "2 of 3 refused: picture 0 is empty; picture 2 is damaged"."""
    bad = tf.where(tf.not_equal(faults, ""))[:, 0]
    first = bad[:NAMED]
    named = tf.strings.join(
        [f"{noun} ", tf.strings.as_string(first), " ", tf.gather(faults, first)]
    )
    counts = [tf.strings.as_string(tf.size(each)) for each in (bad, faults)]
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
    """One picture and what is wrong with it ("" if nothing), whatever the decoder says."""

    def nothing() -> tf.Tensor:
        return tf.zeros((size, size, channels))

    @tf.autograph.experimental.do_not_convert
    def judge_and_decode(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def decode() -> tf.Tensor:
            image = preprocessing.decode_image(data, channels)
            return preprocessing.to_model(image, size, channels)

        fault = _fault(data)
        return tf.cond(tf.equal(fault, ""), decode, nothing), fault

    one = tf.data.Dataset.from_tensors
    tried = one(data).map(judge_and_decode).ignore_errors()
    damaged = one((nothing(), tf.constant("is damaged or cut short")))
    return tried.concatenate(damaged).take(1).get_single_element()


def _fault(data: tf.Tensor) -> tf.Tensor:
    """What the first bytes say against decoding, string (): "" for nothing.

    May fail for a JPEG without a readable header.
    """
    length = tf.strings.length(data)
    start = tf.strings.substr(data, 0, _HEAD)
    head = tf.strings.substr(tf.strings.join([start, b"\0" * _HEAD]), 0, _HEAD)
    # libpng insists on IHDR as the first chunk, so that the size stands where it is read here.
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
    places = tf.constant([2**24, 2**16, 2**8, 1], tf.int64)
    numbers = tf.reduce_sum(tf.cast(tf.reshape(octets, (2, 4)), tf.int64) * places, axis=1)
    return numbers[::-1]


def _count(data: tf.Tensor, mark: bytes, limit: int) -> tf.Tensor:
    """How often `mark` stands in `data`, int32 (); counts no further than `limit` + 1."""
    parts = tf.raw_ops.StringSplitV2(input=[data], sep=mark, maxsplit=limit + 1)
    return tf.size(parts.values) - 1
