"""Reading PyTorch's checkpoints: what PyTorch wrote, what it would not write, and damage."""

from __future__ import annotations

import io
import pickle
import random
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fesr_tf.weights.torch_checkpoint import Checkpoint, read_checkpoint
from pipelines.common.errors import BadUse, FailedWork

# isort: split
from tests.support.torch_checkpoints import HERE, expected
from tests.support.torch_refusal import refused
from tests.support.torch_writer import WRITERS, Call, Name, Storage, state, write_legacy, write_zip


def same(found: Checkpoint, wanted: dict[str, np.ndarray]) -> bool:
    """Equal keys in order, types and values."""
    return list(found.arrays) == list(wanted) and all(
        array.dtype == wanted[key].dtype and np.array_equal(array, wanted[key])
        for key, array in found.arrays.items()
    )


@pytest.mark.parametrize("name", ["zip", "legacy", "protocol4"])
def test_files_of_pytorch(name):
    found = read_checkpoint(HERE / f"{name}.pth.tar")
    assert same(found, expected())
    assert found.notes == {"epoch": 80, "arch": "LightCNN", "prec1": 98.5, "best": 0.25}
    assert found.layout == ("legacy" if name == "legacy" else "zip")
    # Three tensors are views of one storage here too, and nobody can write into them.
    plain = found.arrays["module.plain"]
    assert np.shares_memory(plain, found.arrays["module.turned"])
    with pytest.raises(ValueError, match="read-only"):
        plain[0] = 0


def test_a_state_dict_with_nothing_around_it():
    found = read_checkpoint(HERE / "bare.pth.tar")
    assert same(found, {"weight": np.float32([[0.5, 0.5]]), "bias": np.float32([-1])})
    assert found.notes == {}


@pytest.mark.parametrize("layout", WRITERS)
def test_the_tests_writer_writes_what_pytorch_does(layout, tmp_path):
    wanted = state({"conv1.filter.weight": (4, 1, 3, 3), "conv1.filter.bias": (4,)})
    path = WRITERS[layout](tmp_path / "own", {"epoch": 3, "state_dict": wanted})
    found = read_checkpoint(path)
    assert same(found, wanted) and found.notes == {"epoch": 3} and found.layout == layout
    torch = pytest.importorskip("torch")
    theirs = torch.load(path, weights_only=True)["state_dict"]
    for key, array in wanted.items():
        np.testing.assert_array_equal(theirs[key].numpy(), array)


def test_storages_written_on_a_gpu(tmp_path):
    wanted = state({"fc.weight": (2, 3)})
    path = write_legacy(tmp_path / "gpu", {"state_dict": wanted}, module="torch.cuda")
    assert same(read_checkpoint(path), wanted)


def test_a_view_of_a_storage_and_the_oldest_way_to_name_a_tensor(tmp_path):
    def content(view: tuple) -> dict:
        storage = Storage(("storage", Name("torch", "FloatStorage"), "0", "cpu", 6, view))
        tensor = Call("torch._utils", "_rebuild_tensor", storage, 1, (2,), (1,))
        return {"state_dict": {"bias": tensor}}

    def written(view: tuple) -> Path:
        path = write_legacy(tmp_path / "old", content(view), tail=False)
        numbers = struct.pack("<q6f", 6, *range(6))
        keys = io.BytesIO()
        pickle.dump(["0"], keys, 2)
        empty = io.BytesIO()
        pickle.dump([], empty, 2)
        data = path.read_bytes().removesuffix(empty.getvalue())
        path.write_bytes(data + keys.getvalue() + numbers)
        return path

    assert same(read_checkpoint(written(("7", 2, 3))), {"bias": np.float32([3, 4])})
    # A view too short for the tensor, and one that is not within its storage.
    assert refused(written(("7", 2, 2))) != refused(written(("7", 4, 3)))


def test_numbers_of_a_big_endian_machine(tmp_path):
    wanted = state({"bias": (3,)})

    def swap(parts: dict) -> None:
        parts["byteorder"] = b"big"
        parts["data/0"] = np.frombuffer(parts["data/0"], "<f4").astype(">f4").tobytes()

    found = read_checkpoint(write_zip(tmp_path / "big", {"state_dict": wanted}, swap))
    np.testing.assert_array_equal(found.arrays["module.bias"], wanted["module.bias"])


def tensor(count: int = 6, offset: int = 0, shape: tuple = (2, 3), strides: tuple = (3, 1)) -> dict:
    """A checkpoint of one tensor, its storage `0` not written."""
    storage = Storage(("storage", Name("torch", "FloatStorage"), "0", "cpu", count))
    call = Call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, {})
    return {"state_dict": {"weight": call}}


def give(size: int, **others: bytes):
    """Adds the storage `0` of `size` bytes to an archive."""
    return lambda parts: parts.update({"data/0": bytes(size)})


def test_tensors_stay_within_their_storages(tmp_path):
    path = tmp_path / "odd"
    assert read_checkpoint(write_zip(path, tensor(), give(24))).arrays["weight"].shape == (2, 3)
    for odd in (
        {"offset": 1},
        {"strides": (4, 1)},
        {"shape": (3, 3)},
        {"shape": (10**6, 10**6), "strides": (0, 0)},
    ):
        refused(write_zip(path, tensor(**odd), give(24)))
    for odd in (
        {"offset": -1},
        {"strides": (-3, 1)},
        {"shape": (-2, 3)},
        {"shape": (2, True)},
        {"shape": (2, 3.0)},
        {"shape": (2,)},
        {"shape": [2, 3]},
        {"shape": (1,) * 40, "strides": (1,) * 40},
        {"shape": (2**70, 3)},
        {"count": -6},
        {"count": 2**60},
        {"count": "6"},
    ):
        refused(write_zip(path, tensor(**odd), give(24)))
    refused(write_zip(path, tensor(), give(20)))
    refused(write_zip(path, tensor(count=2**40), give(24)))
    assert "data/0" in refused(write_zip(path, tensor()))
    # In the older format the tail is read as the storages that the pickle named.
    refused(write_legacy(path, tensor(), tail=False))


def test_archives_that_pytorch_would_not_write(tmp_path):
    path = tmp_path / "odd"
    for name, method in (("deflated", zipfile.ZIP_DEFLATED), ("bzip2", zipfile.ZIP_BZIP2)):
        pickled = zipfile.ZipFile(write_zip(tmp_path / "plain", tensor())).read("archive/data.pkl")
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("archive/data.pkl", pickled, zipfile.ZIP_STORED)
            archive.writestr("archive/data/0", bytes(10**7))
        assert "data/0" in refused(path), name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("b/data.pkl", pickled)
    assert "data.pkl" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    assert "data.pkl" in refused(path)


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "odd"
    for content in (
        b"",
        b"PK\x03\x04",
        b"\x89PNG\r\n",
        b"hello",
        b"\x00" * 1000,
        bytes(range(256)),
    ):
        path.write_bytes(content)
        refused(path)
    path.write_bytes(pickle.dumps({"state_dict": {}}, 2))
    refused(path)
    for absent in (tmp_path / "missing", tmp_path):
        with pytest.raises(BadUse, match=re.escape(str(absent))):
            read_checkpoint(absent)


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"state_dict": {}}, "state_dict"),
        ({"state_dict": {"weight": 5}}, "state_dict"),
        ({"epoch": 5}, "state_dict"),
        ([1, 2], ""),
        ({1: 2}, "state_dict"),
    ],
)
def test_contents_that_are_no_weights(layout, content, named, tmp_path):
    assert named in refused(WRITERS[layout](tmp_path / "odd", content))


@pytest.mark.parametrize("name", ["zip", "legacy"])
def test_cut_anywhere_it_is_refused(name, tmp_path):
    whole, path = (HERE / f"{name}.pth.tar").read_bytes(), tmp_path / "cut"
    for length in range(0, len(whole), 13):
        path.write_bytes(whole[:length])
        refused(path)


@pytest.mark.parametrize("name", ["zip", "legacy"])
def test_with_any_bit_turned_it_is_refused_or_read_right(name, tmp_path):
    """The zip format has checksums: what is read is right. The older one has none: what is
    read is a state dict of numbers, perhaps others."""
    whole, path = (HERE / f"{name}.pth.tar").read_bytes(), tmp_path / "turned"
    bits = random.Random(1).sample(range(8 * len(whole)), 400)
    read = 0
    for bit in bits:
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            found = read_checkpoint(path)
        except FailedWork as error:
            assert "\n" not in str(error)
            continue
        read += 1
        if name == "zip":
            assert same(found, expected()), bit
        assert all(array.size <= 24 for array in found.arrays.values())
    assert 0 < read < len(bits)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, left out, put in or repeated."""
    made = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at, how, length = rng.randrange(len(made)), rng.randrange(4), rng.randrange(1, 9)
        if how == 0:
            made[at] = rng.randrange(256)
        elif how == 1:
            del made[at : at + length]
        elif how == 2:
            made[at:at] = rng.randbytes(length)
        else:
            source = rng.randrange(len(made))
            made[at:at] = made[source : source + 8 * length]
    return bytes(made) or b"."


@pytest.mark.parametrize("name", ["zip", "protocol4", "bare"])
def test_a_changed_pickle_under_a_right_checksum(name, tmp_path):
    """As a stranger would write it: the archive is sound, its program is not."""
    path, rng = tmp_path / "changed", random.Random(2)
    with zipfile.ZipFile(HERE / f"{name}.pth.tar") as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    pickled = next(part for part in parts if part.endswith("/data.pkl"))
    refusals = 0
    for _ in range(200):
        with zipfile.ZipFile(path, "w") as archive:
            for part, data in parts.items():
                archive.writestr(part, mutate(data, rng) if part == pickled else data)
        try:
            found = read_checkpoint(path)
        except FailedWork as error:
            assert "\n" not in str(error) and len(str(error)) < len(str(path)) + 300
            refusals += 1
            continue
        assert all(array.size <= 24 for array in found.arrays.values())
    assert refusals > 150
