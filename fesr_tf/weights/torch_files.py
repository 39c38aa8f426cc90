"""Checkpoints of PyTorch (`torch.save`: the zip format and the one before it) as numpy arrays.

No PyTorch is needed and nothing in the file is run (`torch_pickle`). A file costs no more
than its own size: every length that it claims is held against that before memory is taken,
and tensors are views of the storages.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fesr_tf.weights.torch_pickle import LONGEST, BadPickle, run_pickle, shown
from fesr_tf.weights.torch_tensors import Storage, Tensor, permitted_names, storages_of
from pipelines.common.errors import BadUse, FailedWork

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    arrays: the state dict, read-only views in the file's order. notes: the other entries that
    are numbers or text (`epoch`, `arch`, …). layout: `zip` or `legacy`.
    """

    arrays: dict[str, np.ndarray]
    notes: dict[str, float | int | str | bool]
    layout: str


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads the state dict in `path`: under the key `state_dict`, or the whole content.

    Raises `BadUse` where there is no such file; `FailedWork`, in one sentence, for one that is
    no checkpoint, is damaged or cut short, or asks for anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise BadUse(f"no checkpoint at {path}")
    try:
        with path.open("rb") as file:
            layout = "zip" if file.read(4) == b"PK\x03\x04" else "legacy"
            file.seek(0)
            size = path.stat().st_size
            content = (_read_zip if layout == "zip" else _read_legacy)(file, size)
        return _checkpoint(content, layout)
    except BadPickle as error:
        raise FailedWork(f"{path} cannot be read as a checkpoint of PyTorch: {error}") from None


def _checkpoint(content: Any, layout: str) -> Checkpoint:
    if type(content) is not dict:
        raise BadPickle("it holds no dictionary")
    state = content.get("state_dict", content)
    if type(state) is not dict or not all(
        type(key) is str and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise BadPickle("it has no state_dict of names and tensors")
    if not state:
        raise BadPickle("its state_dict is empty")
    notes = {}
    for key, value in content.items() if state is not content else ():
        if isinstance(value, Tensor) and math.prod(value.shape) == 1:
            value = value.array().item()
        # Python refuses to print whole numbers of thousands of digits.
        short = type(value) in (float, str, bool) or (type(value) is int and abs(value) < 2**63)
        if type(key) is str and short:
            notes[key] = value
    return Checkpoint({key: value.array() for key, value in state.items()}, notes, layout)


def _read_zip(file: BinaryIO, size: int) -> Any:
    """`<root>/data.pkl` and a file `<root>/data/<key>` for each storage, none compressed."""
    try:
        with zipfile.ZipFile(file) as archive:
            roots = [
                name.removesuffix("data.pkl")
                for name in archive.namelist()
                if name.endswith("/data.pkl") and name.count("/") == 1
            ]
            if len(roots) != 1:
                raise BadPickle("it is a zip archive without the one data.pkl of a checkpoint")
            left = size

            def member(name: str, most: int) -> bytes:
                nonlocal left
                try:
                    info = archive.getinfo(roots[0] + name)
                except KeyError:
                    raise BadPickle(f"its part {shown(name)} is missing") from None
                if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                    raise BadPickle(f"its part {shown(name)} is compressed, as PyTorch never does")
                left -= info.file_size
                if info.file_size > most or info.compress_size != info.file_size or left < 0:
                    raise BadPickle(f"its part {shown(name)} claims to be larger than it can be")
                return archive.read(info)

            swapped = False
            if f"{roots[0]}byteorder" in archive.namelist():
                swapped = member("byteorder", 16).strip() == b"big"
            storages: dict[str, Storage] = {}

            def fill(key: str, storage: Storage) -> None:
                if swapped:
                    storage.dtype = storage.dtype.newbyteorder(">")
                data = member(f"data/{key}", size)
                if len(data) != storage.count * storage.dtype.itemsize:
                    raise BadPickle(f"its storage {shown(key)} has another size than it says")
                storage.data = np.frombuffer(data, storage.dtype)

            pickled = io.BytesIO(member("data.pkl", LONGEST))
            return run_pickle(pickled, permitted_names(), storages_of(storages, fill))
    except BadPickle:
        raise
    # zipfile on damaged bytes fails with whatever its arithmetic trips over.
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, LookupError, RuntimeError,
            NotImplementedError, OverflowError, struct.error, zlib.error) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadPickle(f"the archive is damaged or cut short ({shown(reason)})") from None


def _read_legacy(file: BinaryIO, size: int) -> Any:
    """Five pickles (a magic number, a version, the machine, the content, the storages' keys),
    then for each key the count (8 bytes) and the numbers."""
    head = io.BytesIO(file.read(LONGEST))
    if run_pickle(head, permitted_names()) != _MAGIC or run_pickle(head, {}) != _PROTOCOL:
        raise BadPickle("it does not begin as one")
    machine = run_pickle(head, {})
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise BadPickle("it was written by a big-endian machine: save it again on another")
    storages: dict[str, Storage] = {}
    content = run_pickle(head, permitted_names(), storages_of(storages, lambda key, storage: None))
    keys = run_pickle(head, {})
    named = type(keys) is list and all(type(key) is str for key in keys)
    if not named or sorted(keys) != sorted(storages):
        raise BadPickle("its list of storages does not fit its tensors")
    file.seek(head.tell())
    for key in keys:
        storage = storages[key]
        claimed = file.read(8)
        length = storage.count * storage.dtype.itemsize
        if len(claimed) < 8 or file.tell() + length > size:
            raise BadPickle("it is cut short: numbers are missing at its end")
        if int.from_bytes(claimed, "little") != storage.count:
            raise BadPickle(f"its storage {shown(key)} has another size than it says")
        storage.data = np.frombuffer(file.read(length), storage.dtype)
    return content
