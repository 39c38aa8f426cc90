"""Requests that any exported model can answer, and what its networks say to them, eagerly.

They warm a server up and prove an export. Their pictures are drawn: no face leaves a database.
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


def picture(seed: int, form: str = "PNG", channels: int = 3, side: int = 120) -> bytes:
    """A drawn picture, no face, smooth enough for JPEG: a file of side × (side - 8) pixels."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (8, 8, 3), np.uint8)
    image = Image.fromarray(small).resize((side, side - 8), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.convert("L" if channels == 1 else "RGB").save(buffer, form)
    return buffer.getvalue()


def _chip(picture: bytes) -> np.ndarray:
    """A picture's file -> uint8 (128,128,3), as `predict_pixels` takes faces."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return np.asarray(image.resize((FACE_SIZE, FACE_SIZE), Image.Resampling.BILINEAR))


def example(image_bytes: bytes) -> bytes:
    """The tf.Example that `classify` takes, serialized: the feature `image_bytes`."""
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image_bytes]))
    features = tf.train.Features(feature={"image_bytes": feature})
    return tf.train.Example(features=features).SerializeToString()


def inputs_of(
    signature: meta_graph_pb2.SignatureDef, pictures: Sequence[bytes], classes: Sequence[str]
) -> Inputs:
    """Inputs for a signature, a row a picture; codes and intensities are drawn from [-1,1]."""
    count = len(pictures)
    random = np.random.default_rng(count)
    known = {
        "image_bytes": lambda: list(pictures),
        "inputs": lambda: [example(each) for each in pictures],
        "expression": lambda: [classes[i % len(classes)].encode() for i in range(count)],
        "seed": lambda: np.arange(count, dtype=np.int64),
        "pixels": lambda: np.stack([_chip(each) for each in pictures]),
    }
    made = {}
    for key, info in signature.inputs.items():
        shape = (count, *(each.size for each in info.tensor_shape.dim[1:]))
        value = known[key]() if key in known else random.uniform(-1, 1, shape).astype(np.float32)
        made[key] = np.array(value, object) if info.dtype == tf.string else value
    return made


def eager(model: FESR, classes: Sequence[str]) -> dict[str, Callable[..., Mapping]]:
    """What the networks answer, by signature and by the names of its inputs, without a graph.

    A face that is drawn comes as floats, under `image_bytes`, not as a file.
    """
    config, gan, recognizer = model.config, model.fesgan, model.recognizer
    names = [name.encode() for name in classes]

    def read(files: Sequence[bytes]) -> tf.Tensor:
        decoded = [preprocessing.decode_image(tf.constant(f), config.channels) for f in files]
        size = config.image_size
        return tf.stack([preprocessing.to_model(d, size, config.channels) for d in decoded])

    def recognise(images: tf.Tensor) -> Mapping:
        shares = tf.nn.softmax(recognizer(images)).numpy()
        rows = np.array([names] * len(shares), object)
        label = np.array([names[i] for i in shares.argmax(-1)], object)
        return {"probabilities": shares, "label": label, "classes": rows}

    def classify(inputs: Sequence[bytes]) -> Mapping:
        parsed = [tf.train.Example.FromString(each).features.feature for each in inputs]
        answer = recognise(read([each["image_bytes"].bytes_list.value[0] for each in parsed]))
        return {"classes": answer["classes"], "scores": answer["probabilities"]}

    def u(expression: Sequence[bytes], intensity: np.ndarray) -> np.ndarray:
        code = np.full((len(expression), len(names)), -1.0, np.float32)
        code[np.arange(len(code)), [names.index(each) for each in expression]] = intensity
        return code

    def draw(face_code: tf.Tensor, code: np.ndarray) -> Mapping:
        return {"image_bytes": gan.decode(face_code, tf.constant(code)).numpy()}

    def z_of(seed: np.ndarray) -> tf.Tensor:
        draws = [
            tf.random.stateless_uniform((1, config.code_size), (int(each), 0), -1.0, 1.0)
            for each in seed
        ]
        return tf.concat(draws, 0)

    return {
        "serving_default": lambda image_bytes: recognise(read(image_bytes)),
        "classify": classify,
        "predict_pixels": lambda pixels: recognise(
            preprocessing.to_model(tf.constant(pixels), config.image_size, config.channels)
        ),
        "predict_tensor": lambda images: recognise(tf.constant(images)),
        "embed": lambda image_bytes: {"embedding": recognizer.features(read(image_bytes)).numpy()},
        "synthesize": lambda image_bytes, expression, intensity: draw(
            gan.encode(read(image_bytes)), u(expression, intensity)
        ),
        "synthesize_code": lambda image_bytes, code: draw(gan.encode(read(image_bytes)), code),
        "sample": lambda expression, intensity, seed: draw(z_of(seed), u(expression, intensity)),
        "sample_code": lambda expression, intensity, z: draw(
            tf.constant(z), u(expression, intensity)
        ),
    }


def difference(answer: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """The largest difference of two answers; infinite where names, shapes or strings differ.

    A drawn face, a PNG file, is held to floats in [-1,1] or to another file, and differs by what
    its pixels are off more than rounding to 8 bits makes them.
    """
    if set(answer) != set(expected):
        return np.inf
    apart = (_faces if name == "image_bytes" else _apart for name in expected)
    pairs = zip(apart, expected, strict=True)
    return max(measure(answer[name], np.asarray(expected[name])) for measure, name in pairs)


def _faces(answer: np.ndarray, expected: np.ndarray) -> float:
    pixels, rounded = _pixels(answer), expected.dtype == object
    scaled = _pixels(expected) if rounded else (expected.astype(np.float64) + 1) * 127.5
    if pixels.shape != scaled.shape:
        return np.inf
    return float(max(0.0, np.abs(pixels - scaled).max() - (1 if rounded else 0.5)) / 127.5)


def _pixels(files: np.ndarray) -> np.ndarray:
    """PNG files -> float64 (B,S,S,c) in [0,255]."""
    images = np.stack([np.asarray(Image.open(io.BytesIO(file)), np.float64) for file in files])
    return images[..., np.newaxis] if images.ndim == 3 else images


def _apart(answer: np.ndarray, expected: np.ndarray) -> float:
    if answer.shape != expected.shape:
        return np.inf
    if answer.dtype == object:
        return 0.0 if (answer == expected).all() else np.inf
    return float(np.abs(answer - expected).max())
