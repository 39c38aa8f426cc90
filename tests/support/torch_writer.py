"""Writes checkpoints as PyTorch does, both formats, without PyTorch; and what PyTorch never would.

`test_torch_files.py` holds this against files that PyTorch itself wrote.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
_KINDS = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "u1": "Byte", "b1": "Bool"}


@dataclass(frozen=True)
class Name:
    """A global name in a pickle; it need not exist."""

    module: str
    attribute: str

    def __call__(self) -> None:
        """Pickle asks whether what is called can be."""


class Call:
    """What unpickles as `name(*arguments)`."""

    def __init__(self, module: str, attribute: str, *arguments: Any) -> None:
        self.name, self.arguments = Name(module, attribute), arguments


@dataclass(frozen=True)
class Storage:
    """A persistent id, as given."""

    identity: tuple


# The C pickler insists that a name can be imported.
class _Pickler(pickle._Pickler):
    def __init__(self, file: io.BytesIO, storages: dict[str, np.ndarray], module: str) -> None:
        super().__init__(file, 2)
        self.storages, self.module = storages, module

    def persistent_id(self, value: Any) -> tuple | None:
        return value.identity if isinstance(value, Storage) else None

    def save_global(self, value: Any, name: str | None = None) -> None:
        if isinstance(value, Name):
            self.write(f"c{value.module}\n{value.attribute}\n".encode())
        else:
            super().save_global(value, name)

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Name):
            return "name"
        if isinstance(value, Call):
            return value.name, value.arguments
        if isinstance(value, np.ndarray):
            return self._tensor(value)
        return NotImplemented

    def _tensor(self, array: np.ndarray) -> tuple:
        array = np.ascontiguousarray(array)
        key = str(len(self.storages))
        self.storages[key] = array
        kind = Name(self.module, f"{_KINDS[array.dtype.str[1:]]}Storage")
        strides = tuple(step // array.itemsize for step in array.strides)
        storage = Storage(("storage", kind, key, "cpu", array.size, *self.view()))
        arguments = (storage, 0, array.shape, strides, False, OrderedDict())
        return Name("torch._utils", "_rebuild_tensor_v2"), arguments

    def view(self) -> tuple:
        return ()


class _LegacyPickler(_Pickler):
    def view(self) -> tuple:
        return (None,)


def write_zip(path: Path, content: Any, change: Callable[[dict], None] | None = None) -> Path:
    """As `torch.save` since 1.6. `change` may alter the archive's parts, {name: bytes}."""
    storages: dict[str, np.ndarray] = {}
    file = io.BytesIO()
    _Pickler(file, storages, "torch").dump(content)
    parts = {"data.pkl": file.getvalue(), "byteorder": b"little"}
    parts |= {f"data/{key}": array.tobytes() for key, array in storages.items()}
    parts["version"] = b"3\n"
    if change:
        change(parts)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(f"archive/{name}", data)
    return path


def write_legacy(path: Path, content: Any, module: str = "torch", tail: bool = True) -> Path:
    """As `torch.save` before 1.6. `tail` False leaves the numbers out."""
    storages: dict[str, np.ndarray] = {}
    file = io.BytesIO()
    for value in (MAGIC, PROTOCOL, MACHINE):
        pickle.dump(value, file, 2)
    _LegacyPickler(file, storages, module).dump(content)
    pickle.dump(sorted(storages), file, 2)
    for key in sorted(storages) if tail else ():
        file.write(struct.pack("<q", storages[key].size) + storages[key].tobytes())
    path.write_bytes(file.getvalue())
    return path


WRITERS = {"zip": write_zip, "legacy": write_legacy}
"""Each layout's writer."""


def state(shapes: Mapping[str, tuple[int, ...]], seed: int = 0, prefix: str = "module.") -> dict:
    """Random float32 weights under the keys of `shapes`, of about the size that keeps the
    embeddings' energy."""
    rng = np.random.default_rng(seed)
    made = OrderedDict()
    for key, shape in shapes.items():
        scale = 0.1 if len(shape) == 1 else np.prod(shape[1:]) ** -0.5
        made[prefix + key] = rng.normal(0, scale, shape).astype(np.float32)
    return made
