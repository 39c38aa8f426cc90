"""The pickles in PyTorch's checkpoints, read without running anything that they ask for.

A pickle is a program for a small stack machine, and `pickle` runs whatever it names. Here the
standard library decodes the instructions and this file carries out the few that checkpoints
consist of, on a closed list of names, as `torch.load(weights_only=True)` does too. Safetensors
reads no pickles, picklescan and fickling only judge them, and `pickle.Unpickler` with a closed
`find_class` still lets one instruction of five bytes allocate gigabytes, and hashes keys whose
hash takes for ever.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from pipelines.common.errors import plain

LONGEST = 2**20
"""Bytes; the pickle of a checkpoint of 60 tensors has some ten thousand."""

_LITERALS = frozenset(
    ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
     "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES")
)  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STORES = ("BINPUT", "LONG_BINPUT", "MEMOIZE")
_NAMES = ("GLOBAL", "STACK_GLOBAL", "INST")
_SHOWN = 80


class BadPickle(Exception):
    """A pickle that is damaged, or asks for something that no checkpoint needs; says which."""


def run_pickle(
    stream: BinaryIO, names: Mapping[str, Any], storage: Callable[[Any], Any] | None = None
) -> Any:
    """The value that the pickle at `stream`'s position makes; `stream` ends up behind it.

    names: what each permitted `module.name` stands for; a callable may be called by the
    pickle. storage: turns a persistent id, as PyTorch has them for storages, into a value.
    Dicts (with str and int keys), lists, tuples, numbers, text and bytes are built, and what
    `names` and `storage` give. Raises `BadPickle`.
    """
    try:
        return _run(stream, names, storage)
    # What a decoder of bytes and a stack machine on nonsense trip over.
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError):
        raise BadPickle("its pickle is damaged") from None


def _run(stream: BinaryIO, names: Mapping[str, Any], storage: Callable | None) -> Any:
    stack: list[Any] = []
    marked: list[list[Any]] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        name = opcode.name
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _STORES:
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marked.append(stack)
            stack = []
        elif name == "TUPLE":
            items, stack = tuple(stack), marked.pop()
            stack.append(items)
        elif name in _TUPLES:
            count = _TUPLES[name]
            if len(stack) < count:
                raise IndexError
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("APPENDS", "SETITEMS"):
            items, stack = stack, marked.pop()
            _extend(stack[-1], items, name)
        elif name in ("APPEND", "SETITEM"):
            count = 1 if name == "APPEND" else 2
            items = stack[-count:]
            del stack[-count:]
            _extend(stack[-1], items, name + "S")
        elif name in _NAMES:
            if name == "STACK_GLOBAL":
                argument = f"{_text(stack.pop(-2))} {_text(stack.pop())}"
            stack.append(_permitted(argument, names))
            if name == "INST":
                raise BadPickle("it makes objects by the instruction INST, as no checkpoint does")
        elif name == "BINPERSID" and storage is not None:
            stack.append(storage(stack.pop()))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            if not callable(function) or type(arguments) is not tuple:
                raise BadPickle("it calls something that is not a function")
            stack.append(function(*arguments))
        elif name == "BUILD":
            state, target = stack.pop(), stack[-1]
            _build(target, state)
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise BadPickle(f"it uses the pickle instruction {name}, as no checkpoint does")
    raise ValueError


def shown(name: str) -> str:
    """A name from a file, as it may stand in a sentence: short, and nothing but characters."""
    return plain(name[:_SHOWN]) + ("…" if len(name) > _SHOWN else "")


def ordered_dict(pairs: Any = ()) -> dict:
    """`collections.OrderedDict`, as a plain dict, which keeps its order too."""
    made: dict = {}
    _extend(made, [each for key, value in _list(pairs) for each in (key, value)], "SETITEMS")
    return made


def _extend(target: Any, items: list[Any], name: str) -> None:
    if name == "APPENDS":
        if type(target) is not list:
            raise TypeError
        target.extend(items)
        return
    if type(target) is not dict or len(items) % 2:
        raise TypeError
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Keys of other kinds can take for ever to hash; large whole numbers, to tell apart.
        if type(key) is not str and not (type(key) is int and abs(key) < 2**60):
            raise TypeError
        target[key] = value


def _list(value: Any) -> list | tuple:
    if type(value) not in (list, tuple):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def _permitted(argument: str, names: Mapping[str, Any]) -> Any:
    module, _, attribute = argument.partition(" ")
    name = f"{module}.{attribute}"
    if name not in names:
        raise BadPickle(
            f"it asks for {shown(name)}, which no checkpoint of weights needs, so that it may "
            "be a program: nothing of it was run"
        )
    return names[name]


def _build(target: Any, state: Any) -> None:
    """An OrderedDict's attributes (PyTorch's `_metadata`) are left out; a dtype's state must
    be the one that it has already."""
    if type(target) is dict:
        return
    native = isinstance(target, np.dtype) and type(state) is tuple and len(state) > 1
    if not native or state[1] not in ("<", "|"):
        raise BadPickle("it sets the state of something that has none in a checkpoint")
