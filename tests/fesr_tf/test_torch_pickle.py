"""Pickles in the place of PyTorch's: code is not run, nonsense is damage, bombs cost nothing."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from fesr_tf.weights.torch_pickle import LONGEST, BadPickle, run_pickle

# isort: split
from torch_refusal import refused
from torch_writer import WRITERS, Call, Name, state, write_legacy, write_zip


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


def raw(code: bytes) -> str:
    with pytest.raises(BadPickle) as caught:
        run_pickle(io.BytesIO(b"\x80\x02" + code), {"permitted.function": len, "a.number": 7})
    return str(caught.value)


def test_instructions_that_no_checkpoint_has():
    assert "INST" in raw(b"(ipermitted\nfunction\n.")
    assert "EXT1" in raw(b"\x82\x01.")
    assert "PERSID" in raw(b"Pabc\n.")
    # A call of a number and one with a list for its arguments; a state for a number.
    for code in (b"ca\nnumber\n)R.", b"cpermitted\nfunction\n]R.", b"K\x01}b."):
        raw(code)
    # A name is shown short and on one line, without what a terminal would act on.
    said = raw(b"X\x06\x00\x00\x00a\nb\x1b[mX\x01\x00\x00\x00c\x93.")
    assert r"a\nb\x1b[m.c" in said
    assert len(raw(b"c" + b"a" * 10_000 + b"\nb\n.")) < 250


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
        b"cpermitted\nfunction\n)R.",
        b"cpermitted\nfunction",
    ],
)
def test_nonsense_is_damage(code):
    assert "\n" not in raw(code)


# A pair of the value on top with itself.
PAIR = b"q\x00h\x00\x86"
# What it costs is judged from outside, by a process that may have 400 MB and 20 seconds.
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
from fesr_tf.weights.torch_files import read_checkpoint
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
