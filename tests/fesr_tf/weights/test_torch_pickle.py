"""Hostile pickles: code is not run, foreign instructions are refused, bombs cost nothing."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fesr_tf.weights.torch_checkpoint import LONGEST

# isort: split
from tests.support.torch_refusal import refused
from tests.support.torch_writer import WRITERS, Call, Name, state, write_legacy, write_zip


class Evil:
    """Unpickled by pickle, it writes a file; by nothing else, one hopes."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.canary}",)


HOSTILE = {
    "posix.system": lambda canary: Call("posix", "system", f"touch {canary}"),
    "builtins.eval": lambda canary: Call("builtins", "eval", f"open({str(canary)!r}, 'w')"),
    "subprocess.Popen": lambda canary: Call("subprocess", "Popen", ["touch", str(canary)]),
    "torch.hub.load": lambda canary: Call("torch.hub", "load", "someone/something"),
    "numpy.load": lambda canary: Call("numpy", "load", "x.npy"),
    "collections.OrderedDict.fromkeys": lambda canary: Name("collections", "OrderedDict.fromkeys"),
    "torch.nn.modules.conv.Conv2d": lambda canary: Name("torch.nn.modules.conv", "Conv2d"),
}  # fmt: skip


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_code_is_refused_by_name_and_not_run(layout, name, tmp_path):
    canary = tmp_path / "canary"
    content = {"state_dict": state({"bias": (3,)}), "epoch": HOSTILE[name](canary)}
    path = WRITERS[layout](tmp_path / "hostile", content)
    assert name in refused(path)
    assert not canary.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_with_code_is_refused_by_name(protocol, tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "hostile"
    path.write_bytes(pickle.dumps(Evil(canary), protocol))
    assert "posix.system" in refused(path)
    assert not canary.exists()
    # The test can fail: pickle itself does run it.
    pickle.loads(pickle.dumps(Evil(canary), protocol))
    assert canary.exists()


@pytest.fixture
def refusal(tmp_path) -> Callable[[bytes], str]:
    """The reason for which a file of this pickle is refused."""

    def refusal(code: bytes) -> str:
        path = tmp_path / "raw"
        path.write_bytes(b"\x80\x02" + code)
        return refused(path).removeprefix(f"{path} cannot be read as a checkpoint of PyTorch: ")

    return refusal


def test_names_are_shown_short_and_printable(refusal):
    reason = refusal(b"X\x06\x00\x00\x00a\nb\x1b[mX\x01\x00\x00\x00c\x93.")
    assert r"a\nb\x1b[m.c" in reason
    assert len(refusal(b"c" + b"a" * 10_000 + b"\nb\n.")) < 250


@pytest.mark.parametrize(
    "code",
    [
        b"",
        b".",
        b"K\x01",
        b"h\x05.",
        b"0.",
        b"u.",
        b"\x85.",
        b"e.",
        b"}K\x01K\x02K\x03e.",
        b"}(K\x01u.",
        b"}]K\x01s.",
        b"}\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09K\x01s.",
        b"X\xff\xff\xff\x7fabc.",
        b"X\x01\x00\x00\x00\xff.",
        b"\xff.",
        b"ccollections\nOrderedDict\nK\x01\x85R.",
        # Instructions that no checkpoint has: INST, OBJ, NEWOBJ, EXT1, PERSID, DUP.
        b"(icollections\nOrderedDict\n.",
        b"(ccollections\nOrderedDict\no.",
        b"ccollections\nOrderedDict\n)\x81.",
        b"\x82\x01.",
        b"Pabc\n.",
        b"K\x012.",
        # A call of a number type, and of what is no tuple; tuples as keys.
        b"ctorch\nFloatStorage\n)R.",
        b"ccollections\nOrderedDict\nK\x01R.",
        b"}K\x01\x85K\x01s.",
        b"}(K\x01\x85K\x01u.",
        # States of a number and of a function, and a big-endian dtype.
        b"K\x01}b.",
        b"ccollections\nOrderedDict\n}b.",
        b"cnumpy\ndtype\nU\x02f4\x85R(K\x03U\x01>tb.",
    ],
)
def test_damaged_and_foreign_pickles(code, refusal):
    assert "\n" not in refusal(code)


# A pair of the value on top with itself.
PAIR = b"q\x00h\x00\x86"
# The cost is measured from outside, in a process limited to 400 MB and 60 seconds.
BOMBS = {
    # pickle makes room for as many entries as the index says: 16 GB.
    "memo": b"\x80\x02K\x01r\xff\xff\xff\x3f.",
    "deep": b"\x80\x02" + b"(" * 150_000 + b"t" * 150_000 + b".",
    "nested": b"\x80\x02)" + b"\x85" * 300_000 + b".",
    # Hashing the last of these tuples takes 2^60 steps.
    "hash": b"\x80\x02}K\x01" + PAIR * 60 + b"K\x01s.",
    "lists": b"\x80\x02]" + PAIR * 60 + b".",
    "frames": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fK\x01.",
    "text": b"\x80\x02X\xff\xff\xff\x7f" + b"a" * 100,
    "number": b"\x80\x02\x8b\x00\x00\x0f\x00" + b"\x7f" * 0x0F0000 + b".",
}
LIMITED = """
import resource, sys
from fesr_tf.weights.torch_checkpoint import read_checkpoint
from pipelines.common.errors import FailedWork
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
for path in sys.argv[1:]:
    try:
        read_checkpoint(path)
        print("read", path)
    except FailedWork as error:
        print("refused", error)
"""


def test_bombs_cost_neither_memory_nor_time(tmp_path):
    paths = []
    for name, code in BOMBS.items():
        paths.append(tmp_path / f"{name}.legacy")
        paths[-1].write_bytes(code)
        paths.append(
            write_zip(tmp_path / f"{name}.zip", {}, lambda p, c=code: p.update({"data.pkl": c}))
        )
    words = [sys.executable, "-c", LIMITED, *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["refused"] * len(paths)


def test_a_pickle_longer_than_any_checkpoints(tmp_path):
    path = write_zip(tmp_path / "long", {"state_dict": {}, "arch": "a" * LONGEST})
    assert "data.pkl" in refused(path)
    refused(write_legacy(tmp_path / "long", {"arch": "a" * LONGEST}))
