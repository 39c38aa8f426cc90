"""What an exported model promises: its signatures, and the checks of what it answers.

An answer comes from a server, so nothing about it is believed: sizes are judged before
anything is allocated or decoded, names are short and printable, numbers are numbers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fesr_tf.client.errors import UnknownSignature, bad_answer, short

CLASSIFY, PIXELS = "serving_default", "predict_pixels"
EMBED, SYNTHESIZE, SAMPLE = "embed", "synthesize", "sample"
MAX_ANSWER = 2**26
"""Bytes of one answer: a batch of 32 drawn faces of 1,024 × 1,024 pixels stays below."""
MAX_ELEMENTS = 2**22
_MAX_NAME = 64
# What a tensor of this name is, in requests and in answers alike, and its rank.
_RANKS = {"probabilities": 2, "classes": 2, "embedding": 2}
NUMBERS = {
    "probabilities": np.float32,
    "embedding": np.float32,
    "intensity": np.float32,
    "seed": np.int64,
}


@dataclass(frozen=True)
class Signature:
    """Names of the tensors that go in and come out."""

    inputs: frozenset[str]
    outputs: frozenset[str]


CONTRACT = {
    CLASSIFY: Signature(
        frozenset({"image_bytes"}), frozenset({"probabilities", "label", "classes"})
    ),
    PIXELS: Signature(frozenset({"pixels"}), frozenset({"probabilities", "label", "classes"})),
    EMBED: Signature(frozenset({"image_bytes"}), frozenset({"embedding"})),
    SYNTHESIZE: Signature(
        frozenset({"image_bytes", "expression", "intensity"}), frozenset({"image_bytes"})
    ),
    SAMPLE: Signature(frozenset({"expression", "intensity", "seed"}), frozenset({"image_bytes"})),
}


class Backend(Protocol):
    """Where the model is. `where` names it for people.

    `signatures` lists what the model has; `ask` sends arrays of N rows (objects of bytes, float32,
    int64, uint8) to one of them and returns arrays as they came. Both raise the errors of
    `fesr_tf.client.errors`. `takes_pixels`: whether pixels are sent faster than a PNG is made.
    """

    where: str
    takes_pixels: bool

    def signatures(self) -> Mapping[str, Signature]: ...

    def ask(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def close(self) -> None: ...


def matches(name: str, found: Signature) -> bool:
    """Whether a model's signature is the one of that name in `CONTRACT`."""
    expected = CONTRACT[name]
    return found.inputs == expected.inputs and expected.outputs <= found.outputs


def require(where: str, name: str, found: Mapping[str, Signature]) -> None:
    """Raises `UnknownSignature` unless the model has signature `name` as `CONTRACT` says."""
    if name in found and matches(name, found[name]):
        return
    what = "has another signature" if name in found else "has no signature"
    there = ", ".join(sorted(short(each, _MAX_NAME) for each in found)) or "none"
    raise UnknownSignature(
        f"the model at {where} {what} {name!r} (it has {there}): export it again by "
        "python -m fesr_tf.export"
    )


def check_shape(where: str, name: str, shape: Collection[int]) -> None:
    """Raises `BadAnswer` for a shape that a header declares and no answer has."""
    if len(shape) > 2 or any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise bad_answer(where, f"{name!r} has the shape {tuple(shape)[:8]}")


def checked(
    where: str, signature: str, answer: Mapping[str, np.ndarray], count: int
) -> dict[str, np.ndarray]:
    """The outputs that `CONTRACT` promises of `count` pictures: numbers as float32 or int64,
    names and pictures as object arrays of bytes. Raises `BadAnswer`."""
    result = {}
    for name in CONTRACT[signature].outputs:
        if name not in answer:
            raise bad_answer(where, f"it lacks {name!r}")
        array = answer[name]
        if array.ndim != _RANKS.get(name, 1) or array.shape[0] != count or 0 in array.shape:
            raise bad_answer(where, f"{name!r} has the shape {array.shape} for {count} pictures")
        if name in NUMBERS:
            if array.dtype.kind not in "fiu":
                raise bad_answer(where, f"{name!r} is no number")
            result[name] = array.astype(NUMBERS[name])
            if not np.isfinite(result[name]).all():
                raise bad_answer(where, f"{name!r} holds what is not a finite number")
        else:
            if not all(isinstance(each, bytes) for each in array.ravel()):
                raise bad_answer(where, f"{name!r} is no string")
            result[name] = array
    return result


def class_names(where: str, answer: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The names that the columns mean, of a checked answer. Raises `BadAnswer` where rows
    differ, or a label is none of them, or a name is no short printable text."""
    classes, shares, labels = answer["classes"], answer["probabilities"], answer["label"]
    if classes.shape != shares.shape or (classes != classes[0]).any():
        raise bad_answer(where, "'classes' are not one name a column, the same in every row")
    try:
        names = tuple(name.decode() for name in classes[0])
    except UnicodeDecodeError:
        raise bad_answer(where, "a class name is no text") from None
    if any(not 0 < len(name) <= _MAX_NAME or not name.isprintable() for name in names):
        raise bad_answer(where, "a class name is empty, long or not printable")
    if len(set(names)) != len(names) or not set(labels) <= set(classes[0]):
        raise bad_answer(where, "two classes have one name, or a label is none of the classes")
    if (shares < 0).any() or (np.abs(shares.sum(axis=1) - 1) > 1e-3).any():
        raise bad_answer(where, "'probabilities' are no distribution")
    return names
