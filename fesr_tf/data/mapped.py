"""Arrays in mapped files: memory holds only the rows in use, and the system may drop those."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

_CHUNK = 1024


def create(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.memmap:
    """A new .npy file as an array of zeros. Raises OSError where the disk is too small for it."""
    table = np.lib.format.open_memmap(path, "w+", dtype, shape)
    # Reserved here: a full disk would end the process where it writes to the mapping.
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return table


def create_unnamed(folder: Path | None, shape: tuple[int, ...], dtype: np.dtype) -> np.memmap:
    """The same in a file without a name on the disk of `folder` (default: that of temporary files),
    which the system frees when this process ends, however it ends."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * dtype.itemsize)
        return np.memmap(file, dtype, "r+", shape=shape)


def gather(table: np.ndarray | Rows, index: tf.Tensor) -> tf.Tensor:
    """`table[index]` in a graph, for index (B,) int. The graph holds no copy of the table, as
    `tf.gather` of a constant would."""

    def read(index: np.ndarray) -> np.ndarray:
        return np.asarray(table[index])

    rows = tf.numpy_function(read, [index], table.dtype, stateful=False)
    return tf.ensure_shape(rows, (*index.shape, *table.shape[1:]))


class Rows(np.lib.mixins.NDArrayOperatorsMixin):
    """The rows `rows`, int (n,), of an array that lies in a file: read where they are indexed.

    Indexing with rows gives an array; so does every operation on the whole, which then takes its
    memory.
    """

    def __init__(self, table: np.ndarray, rows: np.ndarray):
        self._table, self._rows = table, rows
        self.shape, self.dtype = (len(rows), *table.shape[1:]), table.dtype
        self.ndim = len(self.shape)

    def of(self, rows: slice | np.ndarray) -> Rows:
        """Some of these rows, unread."""
        return Rows(self._table, self._rows[rows])

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Any]:
        for begin in range(0, len(self), _CHUNK):
            yield from self[begin : begin + _CHUNK]

    def __getitem__(self, index: Any) -> Any:
        first, *rest = index if isinstance(index, tuple) else (index,)
        rows = self._rows[first]
        values = np.asarray(self._table[rows])
        return values[(*[slice(None)] * rows.ndim, *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = (each[:] if isinstance(each, Rows) else each for each in inputs)
        return getattr(ufunc, method)(*arrays, **options)

    def __getattr__(self, name: str) -> Any:
        """Every other attribute of an array: `astype`, `tolist`, `mean`."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self[:], name)
