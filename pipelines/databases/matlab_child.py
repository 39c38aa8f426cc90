"""Reads arrays from the MATLAB file on standard input and writes them, as .npy, to standard output.

`python -P matlab_child.py NAME …`, started by `matlab`. Exit code 1 with the rest of a sentence on
standard error that begins with the file's name. Memory is limited to what the sizes declared
in the file justify; they are checked before an array is read. Imports nothing of the project.
"""

from __future__ import annotations

import math
import resource
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

MAX_BYTES = 2**31
"""Size limit of one array: twice the largest of the databases."""

# Address space of the interpreter with its libraries.
_BASE_MEMORY = 2**30
# What the readers hold at once for each byte of an array: packed, unpacked and converted.
_COPIES = 4
# Bytes 124 to 127 of the header: version and byte order.
_VERSION_5, _VERSION_7_3 = (b"\0\1IM", b"\1\0MI"), (b"\0\2IM", b"\2\0MI")
_WIDTHS = {"double": 8, "single": 4, "logical": 1}
_WIDTHS |= {f"{sign}int{8 * width}": width for sign in ("", "u") for width in (1, 2, 4, 8)}


class _Refused(Exception):
    """Why the file is refused, as the rest of a sentence."""


def main(names: Sequence[str]) -> int:
    """Writes the arrays `names` in this order."""
    try:
        _limit_memory(0)
        for array in list(_arrays(sys.stdin.buffer, names)):
            np.lib.format.write_array(sys.stdout.buffer, array, allow_pickle=False)
    except _Refused as reason:
        print(reason, file=sys.stderr)
        return 1
    except MemoryError:
        print("is damaged: it holds more than the sizes that it declares", file=sys.stderr)
        return 1
    except Exception as error:
        # Both readers raise whatever a damaged byte leads to.
        reason = str(error)[:200] or type(error).__name__
        print(f"is damaged, cut short, or not a MATLAB file: {reason}", file=sys.stderr)
        return 1
    return 0


def _arrays(stream: BinaryIO, names: Sequence[str]) -> Iterator[np.ndarray]:
    version = stream.read(128)[124:]
    stream.seek(0)
    if version in _VERSION_7_3:
        yield from _version_7_3(stream, names)
        return
    if version not in _VERSION_5:
        raise _Refused("is not a MATLAB file of v5 or v7.3")
    from scipy.io import matlab

    warnings.simplefilter("ignore")
    listed = matlab.whosmat(stream)
    counts = Counter(name for name, *_ in listed)
    twice = [name for name in names if counts[name] > 1]
    if twice:
        raise _Refused(f"holds the array {twice[0]!r} twice; keep one")
    described = {name: (shape, kind) for name, shape, kind in listed}
    _check_names(described, names)
    for name in names:
        shape, kind = described[name]
        if kind not in _WIDTHS:
            raise _Refused(f"holds {name} as {kind}, not as a plain array of numbers")
        _check_size(name, shape, _WIDTHS[kind])
    _limit_memory(sum(_bytes(shape, _WIDTHS[kind]) for shape, kind in map(described.get, names)))
    stream.seek(0)
    found = matlab.loadmat(stream, variable_names=list(names))
    for name in names:
        if found[name].dtype.kind not in "iufb":
            raise _Refused(f"holds {name} as {found[name].dtype}, not as a plain array of numbers")
        yield found[name]


def _version_7_3(stream: BinaryIO, names: Sequence[str]) -> Iterator[np.ndarray]:
    """v7.3 is HDF5, which stores every array with its axes reversed."""
    import h5py

    with h5py.File(stream, "r") as content:
        _check_names(content, names)
        found = [_plain(content, name) for name in names]
        _limit_memory(sum(_bytes(each.shape, each.dtype.itemsize) for each in found))
        for dataset in found:
            yield np.asarray(dataset).T


def _plain(content: Any, name: str) -> Any:
    """A dataset of numbers that is stored in the file itself and within the size limit."""
    import h5py

    # A link, or storage outside, would read another file of this machine.
    linked = not isinstance(content.get(name, getlink=True), h5py.HardLink)
    found = None if linked else content[name]
    outside = isinstance(found, h5py.Dataset) and (found.is_virtual or found.external)
    if outside or not isinstance(found, h5py.Dataset) or found.shape is None:
        raise _Refused(f"holds {name} as something other than a plain array in the file itself")
    if found.dtype.kind not in "iufb":
        raise _Refused(f"holds {name} as {found.dtype}, not as a plain array of numbers")
    _check_size(name, found.shape, found.dtype.itemsize)
    return found


def _check_names(present: Any, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in present]
    if missing:
        raise _Refused(f"has no array {missing[0]!r}; it needs {', '.join(names)}")


def _check_size(name: str, shape: Sequence[int], width: int) -> None:
    # One by one as well: the product of two negative sides is positive.
    if any(side < 0 for side in shape) or _bytes(shape, width) > MAX_BYTES:
        sides = "×".join(map(str, shape))
        raise _Refused(f"declares {name} as {sides}, above the limit of {MAX_BYTES:,} bytes")


def _bytes(shape: Sequence[int], width: int) -> int:
    return math.prod(map(int, shape)) * width


def _limit_memory(size: int) -> None:
    """Limits this process to its libraries and what reading arrays of `size` bytes takes."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = _BASE_MEMORY + _COPIES * size
    resource.setrlimit(resource.RLIMIT_AS, (soft if hard < 0 else min(soft, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
