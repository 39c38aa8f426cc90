"""MATLAB files that are not what TFD's are: damaged, of other shapes, with other values."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator

import h5py
import numpy as np
import scipy.io

from . import EITHER, KEEP, REJECT
from .pictures import cut, flipped

_COUNT = 14
_FLIPS = 8


def sound() -> dict[str, np.ndarray]:
    """The four arrays, of 14 random faces of seven people."""
    rng = np.random.default_rng(5)
    roles = np.array([[1, 2, 3][(n + fold) % 3] for n in range(_COUNT) for fold in range(5)])
    return {
        "images": rng.integers(0, 256, (_COUNT, 48, 48), np.uint8),
        "labs_ex": (np.arange(_COUNT) % 7 + 1)[:, None],
        "labs_id": (np.arange(_COUNT) // 2)[:, None],
        "folds": roles.reshape(_COUNT, 5).astype(np.uint8),
    }


def files(seed: int = 0) -> Iterator[tuple[str, str, bytes]]:
    """Kind, verdict (KEEP: is read; REJECT: is refused with a sentence) and bytes of each."""
    rng = np.random.default_rng(seed)
    arrays = sound()
    stored = {"v5": _v5(arrays), "packed v5": _v5(arrays, True), "v7.3": _v73(arrays)}
    for kind, data in stored.items():
        yield f"sound {kind}", KEEP, data
        # What is cut behind the last array that is needed may be missed by nobody.
        yield from ((f"cut {kind}", REJECT, short) for _, short in cut(data, 8192))
        for number in range(_FLIPS):
            damaged = flipped(data, rng, 4)
            if number % 2:
                # Most bits are pixels; the heads are where a reader can go wrong.
                damaged = flipped(data[:512], rng, 4) + data[512:]
            yield f"flip {kind}", EITHER, damaged
    # Each of these in one of the two versions: every file takes a process to read.
    stores = itertools.cycle((_v5, _v73))
    for name in arrays:
        left = {key: value for key, value in arrays.items() if key != name}
        yield "key missing", REJECT, next(stores)(left)
        yield "key misspelt", REJECT, next(stores)({**left, name.upper(): arrays[name]})
    for name, value in _shapes(arrays):
        yield "shape", REJECT, next(stores)({**arrays, name: value})
    for name, value in _values(arrays):
        yield "value out of range", REJECT, next(stores)({**arrays, name: value})
    for name, value in _kinds(arrays):
        yield "type", REJECT, _v5({**arrays, name: value})
    yield from (("declared huge", REJECT, data) for data in _huge(arrays))
    for data in (b"", b"\0" * 128, b"MATLAB 5.0 MAT-file", bytes(10_000), b"PK\3\4" + bytes(200)):
        yield "no MATLAB file", REJECT, data


def _shapes(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    images, folds = arrays["images"], arrays["folds"]
    yield "images", images[:-1]
    yield "images", images[0]
    yield "images", images.transpose(1, 2, 0)
    yield "images", images[:, :, :40]
    yield "images", images[..., None]
    yield "images", images.reshape(_COUNT, -1)
    yield "images", np.zeros((_COUNT, 0, 0), np.uint8)
    yield "images", np.zeros((_COUNT, 47, 47), np.uint8)
    for name in ("labs_ex", "labs_id"):
        yield name, arrays[name][:-1]
        yield name, np.tile(arrays[name], 2)
        yield name, np.zeros((0, 1))
    yield "folds", folds.T
    yield "folds", folds[:, :0]
    yield "folds", folds[:, 0]
    yield "folds", folds[:-1]


def _values(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    for bad in (8, 99, -2, 2**31 - 1, 1.5, np.nan, np.inf, -np.inf):
        yield "labs_ex", _changed(arrays["labs_ex"], bad)
    for bad in (4, -1, 255, 0.5, np.nan, np.inf):
        yield "folds", _changed(arrays["folds"], bad)
    for bad in (np.nan, np.inf, 0.5):
        yield "labs_id", _changed(arrays["labs_id"], bad)
    yield "labs_ex", np.full((_COUNT, 1), -1)
    yield "labs_ex", np.full((_COUNT, 1), 3)


def _kinds(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, object]]:
    yield "images", arrays["images"].astype(np.float64)
    yield "images", arrays["images"].astype(np.int16)
    yield "images", arrays["images"] + 1j
    yield "images", "a text"
    for name in arrays:
        yield name, {"a": np.arange(3), "b": "struct"}
        yield name, np.array([np.arange(2), "cell"], dtype=object)
    yield "labs_ex", scipy.sparse.csc_matrix(arrays["labs_ex"].astype(float))


def _huge(arrays: dict[str, np.ndarray]) -> Iterator[bytes]:
    """Files that say of an array that it has far more numbers than there are."""
    plain = _v5(arrays)
    for name in ("images", "labs_ex"):
        # The three sides, or two, lie before the name's own tag, in four bytes each.
        place = plain.index(name.encode())
        sides = arrays[name].ndim
        start = plain.rindex(struct.pack("<i", _COUNT), 0, place)
        for huge in (2**31 - 1, 2**20, -1, 0):
            changed = bytearray(plain)
            changed[start : start + 4 * sides] = struct.pack(f"<{sides}i", *[huge] * sides)
            yield bytes(changed)
    for shape in ((2**40,), (48, 48, 2**24), (2**20, 2**20, 2**20)):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", userblock_size=512) as file:
            for name, value in arrays.items():
                if name == "images":
                    file.create_dataset(name, shape, "u1", chunks=(1,) * len(shape))
                else:
                    file[name] = value.T
        yield _matlab_head(buffer.getvalue())


def _changed(values: np.ndarray, bad: float) -> np.ndarray:
    changed = values.astype(np.float64)
    changed[3, 0] = bad
    return changed


def _v5(arrays: dict[str, object], packed: bool = False) -> bytes:
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, arrays, do_compression=packed)
    # The text at its head would tell the time.
    return b"MATLAB 5.0 MAT-file".ljust(116) + buffer.getvalue()[116:]


def _v73(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            # MATLAB's order of axes is the other way round.
            file[name] = value.T
    return _matlab_head(buffer.getvalue())


def _matlab_head(data: bytes) -> bytes:
    head = b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + struct.pack("<HH", 0x0200, 0x4D49)
    return head.ljust(512, b"\0") + data[512:]
