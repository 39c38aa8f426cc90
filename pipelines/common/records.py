"""Typed JSON: values as dataclasses, so that a damaged file fails where it is read."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def typed(kind: type[T], value: Any, name: str = "it") -> T:
    """`value`, from `json.loads`, as a `kind`: a dataclass, a tuple, `X | Y | None`, a
    `Literal`, or a plain type.

    Raises `TypeError` naming the field that is missing, unknown or of another type.
    """
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if type(value) is not dict or not value.keys() <= hints.keys():
            raise TypeError(f"{name} is not a {kind.__name__}: {value!r:.80}")
        return kind(**{key: typed(hints[key], item, key) for key, item in value.items()})
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        *others, last = (option for option in arguments if option is not NoneType)
        for option in others:
            with contextlib.suppress(TypeError):
                return typed(option, value, name)
        return typed(last, value, name)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and type(value) is list:
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            return tuple(typed(one, item, name) for one, item in zip(kinds, value, strict=True))
    if type(value) is not origin:
        raise TypeError(f"{name} is {value!r:.80}, not of type {getattr(kind, '__name__', kind)}")
    return value


@dataclass(frozen=True)
class Reject:
    """One sample that did not become a record, with the reason.

    source: relative to the input. picture: a thumbnail of it (at most 128 pixels), relative to
    the data folder; empty where nothing could be decoded. splits: its role in every fold, had it
    been used; empty where its reader refused it before folds were assigned. picture_bytes and
    picture_sha256: of the thumbnail; empty in folders of earlier versions, whose manifest lists it.
    """

    key: str
    source: str
    class_name: str
    subject: str
    reason: str
    picture: str = ""
    splits: tuple[int, ...] = ()
    picture_bytes: int = 0
    picture_sha256: str = ""

    @property
    def kind(self) -> str:
        """The reason without the numbers in it, by which rejects are counted."""
        return re.sub(r"\d[\d.,×]*", "N", self.reason)


@dataclass(frozen=True)
class Finding:
    """A count of a database, beside the published one (-1: none is published)."""

    name: str
    found: int
    expected: int = -1

    @property
    def differs(self) -> bool:
        """Whether it differs from the published count."""
        return self.expected not in (-1, self.found)
