"""The contract of an exported model: its signatures, and the checks of its answers.

Answers come from a server and are not trusted: sizes are checked before anything is allocated or
decoded, names must be short and printable, numbers must be numbers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from fesr_tf.client.errors import BadAnswer, UnknownSignature, short
from fesr_tf.data.origin import Origin

CLASSIFY, PIXELS = "serving_default", "predict_pixels"
EMBED, SYNTHESIZE, SAMPLE = "embed", "synthesize", "sample"
MAX_ANSWER = 2**26
"""Bytes of one answer: a batch of 32 generated faces of 1,024 × 1,024 pixels stays below."""
MAX_ELEMENTS = 2**22
_MAX_NAME = 64
# Ranks of outputs; others have rank 1.
_RANKS = {"probabilities": 2, "classes": 2, "embedding": 2}
NUMBERS = {
    "probabilities": np.float32,
    "embedding": np.float32,
    "intensity": np.float32,
    "seed": np.int64,
}


class Signature(NamedTuple):
    """Names of the input and output tensors."""

    inputs: frozenset[str]
    outputs: frozenset[str]

    @classmethod
    def of(cls, inputs: Iterable[str], outputs: Iterable[str]) -> Signature:
        """The signature with these names."""
        return cls(frozenset(inputs), frozenset(outputs))


_DISTRIBUTION = ("probabilities", "label", "classes")
CONTRACT = {
    CLASSIFY: Signature.of(["image_bytes"], _DISTRIBUTION),
    PIXELS: Signature.of(["pixels"], _DISTRIBUTION),
    EMBED: Signature.of(["image_bytes"], ["embedding"]),
    SYNTHESIZE: Signature.of(["image_bytes", "expression", "intensity"], ["image_bytes"]),
    SAMPLE: Signature.of(["expression", "intensity", "seed"], ["image_bytes"]),
}


class Backend(Protocol):
    """Access to a model. `where` names its place in messages.

    `signatures` lists the model's signatures; `run` sends arrays of N rows (objects of bytes,
    float32, int64, uint8) to one of them and returns the unchecked output arrays. Both raise the
    classes of `fesr_tf.client.errors`. `takes_pixels`: whether sending pixels is faster than
    encoding a PNG. `origin`: of the model's training images, None if unknown.
    """

    where: str
    takes_pixels: bool
    origin: Origin | None

    def signatures(self) -> Mapping[str, Signature]: ...

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def close(self) -> None: ...


def matches(name: str, found: Signature) -> bool:
    """Whether a model's signature keeps the contract for that name."""
    expected = CONTRACT[name]
    return found.inputs == expected.inputs and expected.outputs <= found.outputs


def require(where: str, name: str, found: Mapping[str, Signature]) -> None:
    """Raises `UnknownSignature` unless the model has signature `name` as in `CONTRACT`."""
    if name in found and matches(name, found[name]):
        return
    problem = "has a different signature" if name in found else "has no signature"
    listed = ", ".join(sorted(short(key, _MAX_NAME) for key in found)) or "none"
    raise UnknownSignature(
        f"the model at {where} {problem} {name!r} (it has {listed}): choose a model "
        "that has it, exported by python -m fesr_tf.export from a run that trained it"
    )


def check_shape(where: str, name: str, shape: Collection[int]) -> None:
    """Raises `BadAnswer` for a declared shape that no valid answer has."""
    if len(shape) > 2 or any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise BadAnswer(where, f"{name!r} has the shape {tuple(shape)[:8]}")


def checked(
    where: str, signature: str, answer: Mapping[str, np.ndarray], count: int
) -> dict[str, np.ndarray]:
    """The outputs that `CONTRACT` lists, for `count` rows: numbers as float32 or int64, names and
    images as object arrays of bytes. Raises `BadAnswer`."""
    result = {}
    for name in CONTRACT[signature].outputs:
        if name not in answer:
            raise BadAnswer(where, f"it lacks {name!r}")
        array = answer[name]
        if array.ndim != _RANKS.get(name, 1) or array.shape[0] != count or 0 in array.shape:
            raise BadAnswer(where, f"{name!r} has the shape {array.shape} for {count} rows")
        if name in NUMBERS:
            if array.dtype.kind not in "fiu":
                raise BadAnswer(where, f"{name!r} is not numeric")
            result[name] = array.astype(NUMBERS[name])
            if not np.isfinite(result[name]).all():
                raise BadAnswer(where, f"{name!r} holds a value that is not finite")
        else:
            if not all(isinstance(value, bytes) for value in array.ravel()):
                raise BadAnswer(where, f"{name!r} is not a string")
            result[name] = array
    return result


def class_names(where: str, answer: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The class names of the columns, from a checked answer. Raises `BadAnswer` where rows differ,
    a label is not one of them, or a name is not short printable text."""
    classes, shares, labels = answer["classes"], answer["probabilities"], answer["label"]
    if classes.shape != shares.shape or (classes != classes[0]).any():
        raise BadAnswer(where, "'classes' differ between rows or from the columns")
    try:
        names = tuple(name.decode() for name in classes[0])
    except UnicodeDecodeError:
        raise BadAnswer(where, "a class name is not text") from None
    if any(not 0 < len(name) <= _MAX_NAME or not name.isprintable() for name in names):
        raise BadAnswer(where, "a class name is empty, long or not printable")
    if len(set(names)) != len(names) or not set(labels) <= set(classes[0]):
        raise BadAnswer(where, "two classes have one name, or a label is not a class")
    if (shares < 0).any() or (np.abs(shares.sum(axis=1) - 1) > 1e-3).any():
        raise BadAnswer(where, "'probabilities' are not a distribution")
    return names
