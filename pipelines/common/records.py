"""JSON values as dataclasses, so that a damaged file is found where it is read."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def typed(kind: type[T], value: Any, name: str = "it") -> T:
    """`value`, as `json.loads` gave it, as a `kind`: a dataclass, a tuple, `X | Y | None`, a
    `Literal`, or a plain type.

    Raises `TypeError` naming the field that is missing, unknown or of another type.
    """
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if type(value) is not dict or not value.keys() <= hints.keys():
            raise TypeError(f"{name} is not a {kind.__name__}: {value!r:.80}")
        return kind(**{key: typed(hints[key], each, key) for key, each in value.items()})
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        *others, last = (each for each in arguments if each is not NoneType)
        for each in others:
            with contextlib.suppress(TypeError):
                return typed(each, value, name)
        return typed(last, value, name)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and type(value) is list:
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            return tuple(typed(one, each, name) for one, each in zip(kinds, value, strict=True))
    if type(value) is not origin:
        raise TypeError(f"{name} is {value!r:.80}, not of type {getattr(kind, '__name__', kind)}")
    return value


@dataclass(frozen=True)
class Reject:
    """One sample that did not become a record, and why.

    source: relative to the input. picture: a thumbnail of it (at most 128 pixels), relative to
    the data folder; empty where nothing could be decoded. splits: the role that it would have
    had in every fold; empty where its reader refused it before folds were cut.
    """

    key: str
    source: str
    class_name: str
    subject: str
    reason: str
    picture: str = ""
    splits: tuple[int, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A count found in a database, beside the published one (-1: none is published)."""

    name: str
    found: int
    expected: int = -1

    @property
    def differs(self) -> bool:
        """Whether it is not what was published."""
        return self.expected not in (-1, self.found)
