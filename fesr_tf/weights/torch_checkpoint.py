"""Reads checkpoints of PyTorch (`torch.save`, the zip format and the one before it) with numpy.

A pickle is a program. This reader needs no PyTorch and runs nothing in the file: instructions and
names are closed lists, as in `torch.load(weights_only=True)`. A file costs no more memory than its
own size: every length that it claims is compared with that first, and tensors are views.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fesr_tf.networks.weight_cache import not_weights
from pipelines.common.errors import BadUse, FailedWork, plain

LONGEST = 2**20
"""Bytes; the pickle of a checkpoint of 60 tensors has some ten thousand."""

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_SHOWN, _MOST_AXES = 80, 8
_STORAGES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "Long": "i8", "Int": "i4", "Short": "i2",
    "Char": "i1", "Byte": "u1", "Bool": "b1",
}  # fmt: skip
_SCALARS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")
_INSTRUCTIONS = (
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2",
    "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3", "APPEND", "APPENDS", "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET",
    "LONG_BINGET", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BINPERSID",
)  # fmt: skip
# What zipfile and a stack machine raise on damaged bytes.
_DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ValueError, LookupError, TypeError,
    OverflowError, AttributeError, RuntimeError, OSError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint.

    arrays: the state dict, read-only views in the file's order. notes: the other entries that
    are numbers or text (`epoch`, `arch`, …). layout: `zip` or `legacy`.
    """

    arrays: dict[str, np.ndarray]
    notes: dict[str, float | int | str | bool]
    layout: str


class BadCheckpoint(Exception):
    """A file that is damaged, or holds something that no checkpoint needs; the message is why."""


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads the state dict in `path`: under the key `state_dict`, or the whole content.

    Raises `BadUse` for a missing file; `FailedWork`, in one sentence, for one that is no
    checkpoint, is damaged or cut short, or names anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise BadUse(f"no checkpoint at {path}")
    if reason := not_weights(path):
        raise FailedWork(f"{path} is no checkpoint of PyTorch: {reason}")
    with path.open("rb") as file:
        layout, read = (
            ("zip", _read_zip) if file.read(4) == b"PK\x03\x04" else ("legacy", _read_legacy)
        )
        file.seek(0)
        try:
            return _checkpoint(read(file, path.stat().st_size), layout)
        except BadCheckpoint as error:
            reason = str(error)
        except _DAMAGE as error:
            reason = shown(" ".join(str(error).split()) or type(error).__name__)
            reason = f"it is damaged or cut short ({reason})"
    raise FailedWork(f"{path} cannot be read as a checkpoint of PyTorch: {reason}")


def shown(name: str) -> str:
    """A name from a file, as it may stand in a sentence: short and printable."""
    return plain(name[:_SHOWN]) + ("…" if len(name) > _SHOWN else "")


def _checkpoint(content: Any, layout: str) -> Checkpoint:
    if type(content) is not dict:
        raise BadCheckpoint("it holds no dictionary")
    state = content.get("state_dict", content)
    if type(state) is not dict or not all(
        type(key) is str and isinstance(value, _Tensor) for key, value in state.items()
    ):
        raise BadCheckpoint("it has no state_dict of names and tensors")
    if not state:
        raise BadCheckpoint("its state_dict is empty")
    notes = {}
    for key, value in content.items() if state is not content else ():
        if isinstance(value, _Tensor) and math.prod(value.shape) == 1:
            value = value.array().item()
        # Python refuses to print whole numbers of thousands of digits.
        short = type(value) in (float, str, bool) or (type(value) is int and abs(value) < 2**63)
        if type(key) is str and short:
            notes[key] = value
    return Checkpoint({key: value.array() for key, value in state.items()}, notes, layout)


def _read_zip(file: BinaryIO, size: int) -> Any:
    """`<root>/data.pkl` and a file `<root>/data/<key>` for each storage, none compressed."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        roots = [name[:-8] for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise BadCheckpoint("it is a zip archive without the one data.pkl of a checkpoint")
        left = size

        def member(name: str, limit: int) -> bytes:
            nonlocal left
            if roots[0] + name not in names:
                raise BadCheckpoint(f"its part {shown(name)} is missing")
            info = archive.getinfo(roots[0] + name)
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise BadCheckpoint(f"its part {shown(name)} is compressed, as PyTorch never does")
            left -= info.file_size
            if info.file_size > limit or info.compress_size != info.file_size or left < 0:
                raise BadCheckpoint(f"its part {shown(name)} claims to be larger than it can be")
            return archive.read(info)

        big = f"{roots[0]}byteorder" in names and member("byteorder", 16).strip() == b"big"
        content, storages = _unpickle(io.BytesIO(member("data.pkl", LONGEST)))
        for key, storage in storages.items():
            storage.fill(member(f"data/{key}", size), ">" if big else "<")
        return content


def _read_legacy(file: BinaryIO, size: int) -> Any:
    """Five pickles (a magic number, a version, the machine, the content, the storages' keys),
    then for each key the count (8 bytes) and the numbers."""
    head = io.BytesIO(file.read(LONGEST))
    if _unpickle(head)[0] != _MAGIC or _unpickle(head)[0] != _PROTOCOL:
        raise BadCheckpoint("it does not begin as one")
    machine, _ = _unpickle(head)
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise BadCheckpoint("it was written by a big-endian machine: save it again on another")
    content, storages = _unpickle(head)
    keys, _ = _unpickle(head)
    named = type(keys) is list and all(type(key) is str for key in keys)
    if not named or sorted(keys) != sorted(storages):
        raise BadCheckpoint("its list of storages does not match its tensors")
    file.seek(head.tell())
    for key in keys:
        storage, count = storages[key], file.read(8)
        if len(count) < 8 or file.tell() + storage.bytes > size:
            raise BadCheckpoint("it is cut short: numbers are missing at its end")
        if int.from_bytes(count, "little") != storage.count:
            raise BadCheckpoint(f"its storage {shown(key)} has another size than its tensors need")
        storage.fill(file.read(storage.bytes))
    return content


@dataclass
class _Storage:
    """A run of `count` numbers; `data` is read after the pickle."""

    key: str
    dtype: np.dtype
    count: int
    data: np.ndarray | None = None

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize

    def fill(self, data: bytes, order: str = "<") -> None:
        if len(data) != self.bytes:
            raise BadCheckpoint(
                f"its storage {shown(self.key)} has another size than its tensors need"
            )
        self.data = np.frombuffer(data, self.dtype.newbyteorder(order))


@dataclass(frozen=True)
class _Tensor:
    """A tensor within a storage, or a flat part of it; `start` and `strides` count numbers."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """A read-only view, once the storage is filled."""
        numbers = self.storage.data[self.start :]
        steps = [step * numbers.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, steps, writeable=False)


# The C unpickler has neither a closed list of instructions nor a hook for the keys of a dict: one
# instruction of five bytes makes it allocate gigabytes, and a key can take for ever to hash.
class _Unpickler(pickle._Unpickler):
    """Builds dicts (with str and int keys), lists, tuples, numbers, text, bytes and tensors."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, encoding="latin1")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _NAMES:
            raise BadCheckpoint(
                f"it asks for {shown(f'{module}.{name}')}, which no checkpoint of weights needs, "
                "so it may be a program: none of it was run"
            )
        return _NAMES[f"{module}.{name}"]

    def persistent_load(self, identity: Any) -> _Tensor:
        """`("storage", type, key, location, count[, view])`."""
        kind, dtype, key, _, count, *views = identity
        if kind != "storage" or not isinstance(dtype, np.dtype) or len(views) > 1:
            raise BadCheckpoint("it refers to something that is not a storage of numbers")
        _require(type(key) is str and _whole(count))
        storage = self.storages.setdefault(key, _Storage(key, dtype, count))
        if storage.count != count or storage.dtype != dtype:
            raise BadCheckpoint(f"its storage {shown(key)} is described in two ways")
        _, start, part = (views and views[0]) or (None, 0, count)
        _require(_whole(start, part) and start + part <= count)
        return _Tensor(storage, start, (part,), (1,))

    def _set_item(self) -> None:
        items = self.stack[-2:]
        del self.stack[-2:]
        _set_items(self.stack[-1], items)

    def _set_marked_items(self) -> None:
        items = self.pop_mark()
        _set_items(self.stack[-1], items)

    def _build(self) -> None:
        """Skips an OrderedDict's attributes (PyTorch's `_metadata`); a dtype's state must be the
        one that it has already."""
        state = self.stack.pop()
        target = self.stack[-1]
        native = isinstance(target, np.dtype) and type(state) is tuple and state[1] in ("<", "|")
        if type(target) is not dict and not native:
            raise BadCheckpoint("it sets the state of something that has none in a checkpoint")

    dispatch = {
        code: pickle._Unpickler.dispatch[code]
        for name in _INSTRUCTIONS
        for code in getattr(pickle, name)
    } | {
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_marked_items,
        pickle.BUILD[0]: _build,
    }


def _unpickle(stream: BinaryIO) -> tuple[Any, dict[str, _Storage]]:
    """The value of the pickle at `stream`'s position, which moves behind it, and its storages."""
    reader = _Unpickler(stream)
    try:
        return reader.load(), reader.storages
    except _DAMAGE:
        raise BadCheckpoint("its pickle is damaged, or not one of a checkpoint") from None


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


def _whole(*numbers: Any) -> bool:
    return all(type(number) is int and 0 <= number < 2**48 for number in numbers)


def _set_items(target: Any, items: list[Any]) -> None:
    _require(type(target) is dict)
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Keys of other types can take for ever to hash; large whole numbers, to compare.
        _require(type(key) is str or (type(key) is int and abs(key) < 2**60))
        target[key] = value


def _ordered_dict(pairs: Any = ()) -> dict:
    made: dict = {}
    for key, value in pairs:
        _set_items(made, [key, value])
    return made


def _tensor(flat: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    _require(isinstance(flat, _Tensor) and type(shape) is type(strides) is tuple)
    _require(len(shape) == len(strides) <= _MOST_AXES and _whole(offset, *shape, *strides))
    (available,), count = flat.shape, math.prod(shape)
    last = sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    # A stride of 0 can make a terabyte of one number.
    if count and (offset + last >= available or count > available):
        raise BadCheckpoint("a tensor reaches beyond its storage")
    return _Tensor(flat.storage, flat.start + offset if count else 0, shape, strides)


def _dtype(code: Any, *_: Any) -> np.dtype:
    _require(type(code) is str and code in _SCALARS)
    return np.dtype(code)


def _scalar(dtype: Any, data: Any) -> float | int | bool:
    data = data.encode("latin-1") if isinstance(data, str) else data
    _require(isinstance(dtype, np.dtype) and type(data) is bytes and len(data) == dtype.itemsize)
    return np.frombuffer(data, dtype)[0].item()


_NAMES: dict[str, Callable | np.dtype] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch.Size": tuple,
    "numpy.dtype": _dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    # Python 3 writes bytes for Python 2 so.
    "_codecs.encode": lambda text, encoding: text.encode("latin-1"),
} | {
    f"{module}.{kind}Storage": np.dtype(f"<{code}")
    for module in ("torch", "torch.cuda")
    for kind, code in _STORAGES.items()
}
