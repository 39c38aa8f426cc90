"""What the pickle of a PyTorch checkpoint may name, and what it then means: tensors as numpy
views of storages, checked before anything is allocated, and plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fesr_tf.weights.torch_pickle import BadPickle, ordered_dict, shown

_MOST_AXES = 8
_DTYPES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "Long": "i8", "Int": "i4", "Short": "i2",
    "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip
_SCALARS = frozenset(("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"))


@dataclass
class Storage:
    """A run of `count` numbers; `data` comes when the file has been read that far."""

    dtype: np.dtype
    count: int
    data: np.ndarray | None = None


@dataclass(frozen=True)
class Part:
    """`count` numbers of a storage from `start` on: what a persistent id means."""

    storage: Storage
    start: int
    count: int


@dataclass(frozen=True)
class Tensor:
    """A tensor within its part of a storage; `offset` and `strides` count numbers."""

    part: Part
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """A read-only view, once the storage has its data."""
        data = self.part.storage.data
        steps = [step * data.itemsize for step in self.strides]
        first = data[self.part.start + self.offset :]
        return np.lib.stride_tricks.as_strided(first, self.shape, steps, writeable=False)


def storages_of(known: dict[str, Storage], fill: Callable[[str, Storage], None]) -> Callable:
    """Persistent ids `("storage", type, key, location, count[, view])` -> `Part`.

    `fill` is called once a key."""

    def storage(identity: Any) -> Part:
        kind, dtype, key, _, count, *rest = identity
        if kind != "storage" or not isinstance(dtype, np.dtype) or len(rest) > 1:
            raise BadPickle("it refers to something that is not a storage of numbers")
        if type(key) is not str or type(count) is not int or not 0 <= count < 2**48:
            raise ValueError
        if key not in known:
            known[key] = Storage(dtype, count)
            fill(key, known[key])
        whole = known[key]
        if whole.count != count or whole.dtype.newbyteorder("<") != dtype:
            raise BadPickle(f"its storage {shown(key)} is described in two ways")
        if rest and rest[0] is not None:
            _, start, part = rest[0]
            _check_whole(start, part)
            if start + part > count:
                raise ValueError
            return Part(whole, start, part)
        return Part(whole, 0, count)

    return storage


def _check_whole(*numbers: Any) -> None:
    if not all(type(number) is int and 0 <= number < 2**48 for number in numbers):
        raise ValueError


def _tensor(part: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """`torch._utils._rebuild_tensor` and its second version; all within its storage."""
    if not isinstance(part, Part) or type(shape) is not tuple or type(strides) is not tuple:
        raise TypeError
    if len(shape) != len(strides) or len(shape) > _MOST_AXES:
        raise ValueError
    _check_whole(offset, *shape, *strides)
    count = math.prod(shape)
    last = sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    # A stride of 0 can make a terabyte of one number.
    if count and (offset + last >= part.count or count > part.count):
        raise BadPickle("a tensor reaches beyond its storage")
    return Tensor(part, offset if count else 0, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError
    return tensor


def _dtype(code: Any, *_: Any) -> np.dtype:
    if type(code) is not str or code not in _SCALARS:
        raise BadPickle("it holds numpy values that are not plain numbers")
    return np.dtype(code)


def _scalar(dtype: Any, data: Any) -> float | int | bool:
    data = data.encode("latin-1") if isinstance(data, str) else data
    if not isinstance(dtype, np.dtype) or type(data) is not bytes or len(data) != dtype.itemsize:
        raise ValueError
    return np.frombuffer(data, dtype)[0].item()


def _encode(text: Any, encoding: Any) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if type(text) is not str or encoding != "latin1":
        raise ValueError
    return text.encode("latin-1")


def _size(shape: Any) -> tuple[int, ...]:
    if type(shape) not in (tuple, list):
        raise TypeError
    return tuple(shape)


def permitted_names() -> dict[str, Any]:
    """The closed list for `run_pickle`; storages' types stand for their little-endian dtypes."""
    names: dict[str, Any] = {
        "collections.OrderedDict": ordered_dict,
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch.Size": _size,
        "numpy.dtype": _dtype,
        "numpy.core.multiarray.scalar": _scalar,
        "numpy._core.multiarray.scalar": _scalar,
        "_codecs.encode": _encode,
    }
    for kind, code in _DTYPES.items():
        for module in ("torch", "torch.cuda"):
            names[f"{module}.{kind}Storage"] = np.dtype(f"<{code}" if code != "?" else code)
    return names
