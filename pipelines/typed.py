"""JSON values as dataclasses, so that a damaged file is found where it is read."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def typed(kind: type[T], value: Any, name: str = "it") -> T:
    """`value`, as `json.loads` gave it, as a `kind`: a dataclass, `tuple[X, ...]`, or a plain type.

    Raises `TypeError` naming the field that is missing, unknown or of another type.
    """
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if type(value) is not dict or not value.keys() <= hints.keys():
            raise TypeError(f"{name} is not a {kind.__name__}: {value!r:.80}")
        return kind(**{key: typed(hints[key], each, key) for key, each in value.items()})
    origin = get_origin(kind) or kind
    if origin is tuple and type(value) is list:
        return tuple(typed(get_args(kind)[0], each, name) for each in value)
    if type(value) is not origin:
        raise TypeError(f"{name} is {value!r:.80}, not of type {origin.__name__}")
    return value
