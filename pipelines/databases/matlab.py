"""Numeric arrays out of MATLAB files, v5 and v7.3, of which no byte is trusted.

v5 is read here, and not by scipy: on damaged files scipy's reader ends the whole process.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipelines.common.errors import BadUse

MAX_BYTES = 2**31
"""What one array may take: twice the largest of the databases."""

# Of the element types of a v5 file: numbers, as numpy calls them, and what holds arrays.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMBERS |= {12: "i8", 13: "u8"}
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
# Of MATLAB's classes, those that are no plain numbers; 6 to 15 are.
_CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function"}
_OPAQUE = 17
_COMPLEX = 0x800
_BLOCK = 2**20
# numpy's letters for whole numbers, floats and truth values.
_KINDS = "iufb"


class _Damaged(Exception):
    """What is wrong inside a file."""


def read_arrays(file: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays with these names, in MATLAB's order of axes, in the type they are stored in.

    Raises `BadUse`, before anything large is read, for a file that is not MATLAB's, is
    damaged or cut short, lacks one of them, holds something else than plain real numbers
    under a name, or one that would take more than `MAX_BYTES`.
    """
    with file.open("rb") as stream:
        head = stream.read(128)
        orders = {b"IM": "<", b"MI": ">"}
        order = orders.get(head[126:128])
        if order is None:
            raise BadUse(f"{file} cannot be read as a MATLAB file: it has no header of v5 or v7.3")
        version = struct.unpack(f"{order}H", head[124:126])[0] >> 8
        read = {1: _read_v5, 2: _read_v73}.get(version)
        if read is None:
            raise BadUse(f"{file} is a MATLAB file of version {version}, neither v5 nor v7.3")
        try:
            found = read(file, stream, order, names)
        except BadUse:
            raise
        except (_Damaged, zlib.error) as error:
            raise BadUse(f"{file} is damaged or cut short: {error}") from error
        except Exception as error:
            # h5py gives whatever HDF5 tripped over: OSError, RuntimeError, KeyError, ….
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise BadUse(f"{file} cannot be read as a MATLAB file: {reason}") from error
    for name in names:
        if name not in found:
            raise BadUse(f"{file} has no array {name!r}; it needs {', '.join(names)}")
    return {name: found[name] for name in names}


def _read_v5(
    file: Path, stream: BinaryIO, order: str, names: Sequence[str]
) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    while tag := stream.read(8):
        if len(tag) < 8:
            raise _Damaged("it ends within an array's head")
        kind, length = struct.unpack(f"{order}II", tag)
        after = stream.tell() + length
        source = _Source(stream, length, packed=kind == _COMPRESSED)
        if kind == _COMPRESSED:
            kind, _ = struct.unpack(f"{order}II", source.read(8))
        if kind != _MATRIX:
            raise _Damaged(f"an element of type {kind} where an array should be")
        matrix = _matrix(file, source, order, names)
        if matrix is not None:
            if matrix[0] in found:
                raise BadUse(f"{file} holds the array {matrix[0]!r} twice; keep one")
            found[matrix[0]] = matrix[1]
            source.finish()
        stream.seek(after)
    return found


def _matrix(
    file: Path, source: _Source, order: str, names: Sequence[str]
) -> tuple[str, np.ndarray] | None:
    """An array's name and numbers, or None if it is not asked for, and not read."""
    flags = np.frombuffer(_small_part(source, order, _UINT32), f"{order}u4")
    matlab_class = int(flags[0]) & 0xFF if flags.size else 0
    if matlab_class == _OPAQUE:
        return None
    shape = np.frombuffer(_small_part(source, order, _INT32), f"{order}i4").tolist()
    name = _small_part(source, order, _INT8).decode("latin1")
    if name not in names:
        return None
    if not 6 <= matlab_class <= 15:
        known = _CLASSES.get(matlab_class, str(matlab_class))
        raise BadUse(f"{file}: {name} is of MATLAB's type {known}, not a plain array of numbers")
    if int(flags[0]) & _COMPLEX:
        raise BadUse(f"{file}: {name} is complex, not a plain array of numbers")
    kind, length, data = _tag(source, order)
    if kind not in _NUMBERS:
        raise _Damaged(f"{name} holds an element of type {kind} where its numbers should be")
    dtype = np.dtype(order + _NUMBERS[kind])
    _check_size(file, name, shape, dtype.itemsize)
    if length != math.prod(shape) * dtype.itemsize:
        raise _Damaged(f"{name} has {length:,} bytes for {'×'.join(map(str, shape))} numbers")
    data = source.read(length) if data is None else data
    numbers = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="), copy=False)
    return name, numbers.reshape(shape, order="F")


def _tag(source: _Source, order: str) -> tuple[int, int, bytes | None]:
    """Type and length of the next element, and its bytes if they lie in the tag itself."""
    tag = source.read(8)
    first, length = struct.unpack(f"{order}II", tag)
    if first >> 16:
        kind, length = first & 0xFFFF, first >> 16
        if length > 4:
            raise _Damaged("a small element of more than four bytes")
        return kind, length, tag[4 : 4 + length]
    return first, length, None


def _small_part(source: _Source, order: str, expected: int) -> bytes:
    """An element of an array's head, with the padding after it."""
    kind, length, data = _tag(source, order)
    # An array has at most 32 axes here, and a name at most 63 letters.
    if kind != expected or length > 128:
        raise _Damaged("an array's head is not sound")
    if data is None:
        data = source.read(length)
        source.read(-length % 8)
    if expected != _INT8 and length % 4:
        raise _Damaged("an array's head is not sound")
    return data


@dataclass
class _Source:
    """The bytes of one element of a file, `length` in the file, unpacked if they are packed."""

    stream: BinaryIO
    length: int
    packed: bool

    def __post_init__(self) -> None:
        self._left = self.length
        self._unpacker = zlib.decompressobj() if self.packed else None
        self._waiting = b""

    def read(self, count: int) -> bytes | bytearray:
        """Exactly `count` bytes; memory grows with what is there, not with what is told."""
        more: Callable[[int], bytes] = self._unpacked if self._unpacker else self._raw
        data = bytearray()
        while len(data) < count:
            block = more(min(count - len(data), _BLOCK))
            if not block:
                raise _Damaged("an array breaks off")
            data += block
        return data

    def finish(self) -> None:
        """Checks the sum of what was packed, which comes after padding of at most 8 bytes."""
        if self._unpacker:
            padding = 0
            while block := self._unpacked(16):
                padding += len(block)
                if padding > 8:
                    raise _Damaged("an array is longer than it says")
            if not self._unpacker.eof:
                raise _Damaged("an array breaks off")

    def _raw(self, count: int) -> bytes:
        block = self.stream.read(min(count, self._left))
        self._left -= len(block)
        return block

    def _unpacked(self, count: int) -> bytes:
        while not self._unpacker.eof:
            packed = self._waiting or self._raw(_BLOCK)
            block = self._unpacker.decompress(packed, count)
            self._waiting = self._unpacker.unconsumed_tail
            if block or not packed:
                return block
        return b""


def _read_v73(
    file: Path, stream: BinaryIO, order: str, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """v7.3 is HDF5, which keeps MATLAB's column order: every array comes with its axes
    reversed."""
    import h5py

    with h5py.File(stream, "r") as content:
        plain = {name: _plain(file, content, name) for name in names if name in content}
        return {name: np.asarray(dataset).T for name, dataset in plain.items()}


def _plain(file: Path, content: Any, name: str) -> Any:
    """A dataset of numbers that lies in the file itself, and is not larger than it may be."""
    import h5py

    # A link, or storage outside, would read another file of this machine.
    linked = not isinstance(content.get(name, getlink=True), h5py.HardLink)
    found = None if linked else content[name]
    outside = isinstance(found, h5py.Dataset) and (found.is_virtual or found.external)
    if linked or outside or not isinstance(found, h5py.Dataset) or found.shape is None:
        raise BadUse(f"{file}: {name} is not a plain array in the file itself")
    if found.dtype.kind not in _KINDS:
        raise BadUse(f"{file}: {name} holds {found.dtype}, not a plain array of numbers")
    _check_size(file, name, found.shape, found.dtype.itemsize)
    return found


def _check_size(file: Path, name: str, shape: Sequence[int], itemsize: int) -> None:
    # One by one as well: the product of two negative sides is positive.
    if any(side < 0 for side in shape) or math.prod(shape) * itemsize > MAX_BYTES:
        raise BadUse(
            f"{file}: {name} says that its shape is {'×'.join(map(str, shape))}, more than the "
            f"limit of {MAX_BYTES:,} bytes"
        )
