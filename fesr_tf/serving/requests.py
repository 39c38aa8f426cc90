"""Requests that any exported model accepts, and the eager networks' answers to them.

They warm up a server and verify an export. Their images are synthetic: no face leaves a database.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import meta_graph_pb2

from fesr_tf.data import images as preprocessing
from fesr_tf.model.fesr import FESR
from pipelines.faces.chips import FACE_SIZE

Inputs = dict[str, np.ndarray]


def image(seed: int, form: str = "PNG", channels: int = 3, side: int = 120) -> bytes:
    """A synthetic image, no face, smooth enough for JPEG: a file of side × (side - 8) pixels."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (8, 8, 3), np.uint8)
    smooth = Image.fromarray(small).resize((side, side - 8), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    smooth.convert("L" if channels == 1 else "RGB").save(buffer, form)
    return buffer.getvalue()


def _aligned_face(file: bytes) -> np.ndarray:
    """An image file -> uint8 (128,128,3), the form of faces in `predict_pixels`."""
    pixels = Image.open(io.BytesIO(file)).convert("RGB")
    return np.asarray(pixels.resize((FACE_SIZE, FACE_SIZE), Image.Resampling.BILINEAR))


def example(image_bytes: bytes) -> bytes:
    """The serialized tf.Example that `classify` takes, with the feature `image_bytes`."""
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image_bytes]))
    features = tf.train.Features(feature={"image_bytes": feature})
    return tf.train.Example(features=features).SerializeToString()


def inputs_of(
    signature: meta_graph_pb2.SignatureDef, images: Sequence[bytes], classes: Sequence[str]
) -> Inputs:
    """Inputs for a signature, one row per image file; codes and intensities are uniform in
    [-1,1]."""
    count = len(images)
    random = np.random.default_rng(count)
    known = {
        "image_bytes": lambda: list(images),
        "inputs": lambda: [example(file) for file in images],
        "expression": lambda: [classes[i % len(classes)].encode() for i in range(count)],
        "seed": lambda: np.arange(count, dtype=np.int64),
        "pixels": lambda: np.stack([_aligned_face(file) for file in images]),
    }
    inputs = {}
    for key, info in signature.inputs.items():
        shape = (count, *(dim.size for dim in info.tensor_shape.dim[1:]))
        value = known[key]() if key in known else random.uniform(-1, 1, shape).astype(np.float32)
        inputs[key] = np.array(value, object) if info.dtype == tf.string else value
    return inputs


def eager(
    model: FESR, classes: Sequence[str], mirrored: bool = False
) -> dict[str, Callable[..., Mapping]]:
    """The networks' answers without a graph: a function per signature, of its inputs by name.

    mirrored: R's logits are the mean of an image's and its mirror image's. A generated face is
    returned as floats in [-1,1] under `image_bytes`, not as a file.
    """
    config, gan, recognizer = model.config, model.fesgan, model.recognizer
    names = [name.encode() for name in classes]

    def read(files: Sequence[bytes]) -> tf.Tensor:
        decoded = [preprocessing.decode_image(tf.constant(f), config.channels) for f in files]
        size = config.image_size
        return tf.stack([preprocessing.to_model(d, size, config.channels) for d in decoded])

    def recognise(images: tf.Tensor) -> Mapping:
        logits = recognizer(images)
        if mirrored:
            logits = (logits + recognizer(images[:, :, ::-1])) / 2
        shares = tf.nn.softmax(logits).numpy()
        rows = np.array([names] * len(shares), object)
        label = np.array([names[i] for i in shares.argmax(-1)], object)
        return {"probabilities": shares, "label": label, "classes": rows}

    def classify(inputs: Sequence[bytes]) -> Mapping:
        features = [tf.train.Example.FromString(each).features.feature for each in inputs]
        answer = recognise(read([row["image_bytes"].bytes_list.value[0] for row in features]))
        return {"classes": answer["classes"], "scores": answer["probabilities"]}

    def u(expression: Sequence[bytes], intensity: np.ndarray) -> np.ndarray:
        code = np.full((len(expression), len(names)), -1.0, np.float32)
        code[np.arange(len(code)), [names.index(name) for name in expression]] = intensity
        return code

    def generate(z: tf.Tensor, code: np.ndarray) -> Mapping:
        return {"image_bytes": gan.decode(gan.new_codes(z), tf.constant(code)).numpy()}

    def translate(image_bytes: Sequence[bytes], code: np.ndarray) -> Mapping:
        return {"image_bytes": gan((read(image_bytes), tf.constant(code))).numpy()}

    def z_of(seed: np.ndarray) -> tf.Tensor:
        shape = (1, config.code_size)
        rows = [tf.random.stateless_uniform(shape, (int(s), 0), -1.0, 1.0) for s in seed]
        return tf.concat(rows, 0)

    return {
        "serving_default": lambda image_bytes: recognise(read(image_bytes)),
        "classify": classify,
        "predict_pixels": lambda pixels: recognise(
            preprocessing.to_model(tf.constant(pixels), config.image_size, config.channels)
        ),
        "predict_tensor": lambda images: recognise(tf.constant(images)),
        "embed": lambda image_bytes: {"embedding": recognizer.features(read(image_bytes)).numpy()},
        "synthesize": lambda image_bytes, expression, intensity: translate(
            image_bytes, u(expression, intensity)
        ),
        "synthesize_code": translate,
        "sample": lambda expression, intensity, seed: generate(
            z_of(seed), u(expression, intensity)
        ),
        "sample_code": lambda expression, intensity, z: generate(
            tf.constant(z), u(expression, intensity)
        ),
    }


def difference(answer: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """The largest absolute difference of two answers; infinite where names, shapes or strings
    differ.

    A generated face, a PNG file, is compared with floats in [-1,1] or with another file; only a
    difference beyond the rounding to 8 bits counts.
    """
    if set(answer) != set(expected):
        return np.inf
    return max(
        (_face_difference if name == "image_bytes" else _array_difference)(
            answer[name], np.asarray(expected[name])
        )
        for name in expected
    )


def _face_difference(answer: np.ndarray, expected: np.ndarray) -> float:
    pixels, rounded = _pixels(answer), expected.dtype == object
    scaled = _pixels(expected) if rounded else (expected.astype(np.float64) + 1) * 127.5
    if pixels.shape != scaled.shape:
        return np.inf
    return float(max(0.0, np.abs(pixels - scaled).max() - (1 if rounded else 0.5)) / 127.5)


def _pixels(files: np.ndarray) -> np.ndarray:
    """PNG files -> float64 (B,S,S,c) in [0,255]."""
    images = np.stack([np.asarray(Image.open(io.BytesIO(file)), np.float64) for file in files])
    return images[..., np.newaxis] if images.ndim == 3 else images


def _array_difference(answer: np.ndarray, expected: np.ndarray) -> float:
    if answer.shape != expected.shape:
        return np.inf
    if answer.dtype == object:
        return 0.0 if (answer == expected).all() else np.inf
    return float(np.abs(answer - expected).max())
