"""TFD's .mat files of both versions and sizes, and what only looks like one."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from upath import UPath

from pipelines.common.errors import BadUse
from pipelines.databases import matlab, open_database
from pipelines.databases.matlab_child import MAX_BYTES
from pipelines.databases.tfd import CLASSES, read
from tests.support.inspection import mentions
from tests.support.miniatures import tfd

NAME = "TFD_48x48.mat"
WRITERS = pytest.mark.parametrize("write", [tfd.write_v5, tfd.write_v73])


def refusal(path: Path) -> str:
    with pytest.raises(BadUse) as caught:
        open_database("tfd", path)
    return str(caught.value)


@WRITERS
@pytest.mark.parametrize("side", [48, 96])
def test_both_versions_and_sizes(tmp_path, write, side):
    values = tfd.arrays(side)
    path = write(tmp_path / f"TFD_{side}x{side}.mat", values)
    for given in (path, tmp_path):
        found = open_database("tfd", given)
        assert (found.channels, found.folds, found.classes) == (1, 5, CLASSES)
        assert [sample.label for sample in found.samples] == [0, 1, 2, 3, 4, 5, 6]
        third = found.samples[2]
        np.testing.assert_array_equal(third.pixels, values["images"][2])
        assert (third.key, third.subject, third.official) == ("000002", "102", (1, 3, 2, 1, 1))
        assert (third.aligned, third.anchors) == (True, None)


def test_one_face_does_not_hold_all_the_others(tmp_path):
    sample = open_database("tfd", tfd.write_v5(tmp_path / NAME, tfd.arrays())).samples[0]
    assert sample.pixels.base is None
    assert sample.pixels.flags.c_contiguous


def test_the_whole_database_is_found_as_published(tmp_path):
    found = open_database("tfd", tfd.full_counts(tmp_path / NAME))
    assert not [each.name for each in found.findings if each.differs]
    counts = {each.name: each.found for each in found.findings}
    assert (counts["images"], counts["labelled images"]) == (102_236, 4_178)
    # 4,178 = 7 · 596 + 6, and = 3 · 1,392 + 2.
    assert [counts[f"{name} images"] for name in CLASSES] == [597] * 6 + [596]
    assert [counts[f"fold 0 {role}"] for role in ("train", "valid", "test")] == [1393, 1393, 1392]


def test_a_miniature_differs_from_the_published_counts(tmp_path):
    found = open_database("tfd", tfd.write_v5(tmp_path / NAME, tfd.arrays()))
    assert [(each.name, each.found, each.expected) for each in found.findings if each.differs] == [
        ("images", 10, 102_236),
        ("labelled images", 7, 4_178),
    ]


def test_people_who_cross_the_official_splits_are_counted_by_fold(tmp_path):
    """Person 105 has two faces: both train in every fold but 1, where one of them tests."""
    notes = open_database("tfd", tfd.write_v5(tmp_path / NAME, tfd.arrays())).notes
    assert mentions(notes, "0, 1, 0, 0, 0")


def test_folds_that_share_nobody_are_not_noted_as_crossing(tmp_path):
    values = tfd.arrays()
    values["labs_id"] = np.arange(10)[:, None]
    notes = open_database("tfd", tfd.write_v5(tmp_path / NAME, values)).notes
    assert mentions(notes, "official") and not mentions(notes, "train")


def test_label_order_is_noted_and_can_be_chosen(tmp_path):
    path = tfd.write_v5(tmp_path / NAME, tfd.arrays())
    assumed = "anger, disgust, fear, happiness, sadness, surprise, neutral"
    [note] = [note for note in open_database("tfd", path).notes if mentions([note], assumed)]
    found = open_database("tfd", path, label_order=tuple(reversed(CLASSES)))
    assert [found.classes[sample.label] for sample in found.samples] == list(reversed(CLASSES))
    backwards = ", ".join(reversed(CLASSES))
    assert mentions(found.notes, backwards)
    # An order that was chosen is not noted as an assumption.
    assert note.replace(assumed, backwards) not in found.notes


@pytest.mark.parametrize("order", [(), CLASSES[:6], (*CLASSES[:6], "anger"), (*CLASSES, "smile")])
def test_a_label_order_that_is_no_permutation(tmp_path, order):
    path = tfd.write_v5(tmp_path / NAME, tfd.arrays())
    with pytest.raises(BadUse, match=", ".join(CLASSES)):
        open_database("tfd", path, label_order=order)


@pytest.mark.parametrize(
    ("side", "anchors"),
    [(48, (10, 10, 37.5, 10, 24, 39)), (96, (20, 20, 75, 20, 48, 78))],
)
def test_warp_hands_on_the_fixed_positions(tmp_path, side, anchors):
    path = tfd.write_v5(tmp_path / f"TFD_{side}x{side}.mat", tfd.arrays(side))
    for sample in open_database("tfd", path, warp=True).samples:
        assert (sample.aligned, sample.anchors) == (False, anchors)


@WRITERS
def test_rows_that_serve_nothing_are_counted(tmp_path, write):
    values = tfd.arrays()
    values["labs_ex"][7] = 0
    values["folds"][8] = 1
    values["folds"][[0, 1]] = 0
    values["labs_id"][3] = -1
    found = open_database("tfd", write(tmp_path / NAME, values))
    assert len(found.samples) == 7
    assert mentions(found.notes, 1, "label 0")
    assert mentions(found.notes, 1, "role", "fold", "label")
    assert mentions(found.notes, 2, "role", "fold")
    assert mentions(found.notes, 1, "labs_id")


def test_a_file_elsewhere_is_read_like_one_here(tmp_path):
    for write in (tfd.write_v5, tfd.write_v73):
        there = UPath("memory://tfd") / NAME
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(write(tmp_path / NAME, tfd.arrays()).read_bytes())
        assert len(read(there.parent).samples) == 7


def test_two_files_in_a_folder_are_refused_by_name(tmp_path):
    tfd.write_v5(tmp_path / NAME, tfd.arrays())
    tfd.write_v5(tmp_path / "TFD_96x96.mat", tfd.arrays(96))
    assert mentions(refusal(tmp_path), "TFD_48x48.mat, TFD_96x96.mat", "--input")


@WRITERS
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"folds": None}, ["'folds'"]),
        ({"images": np.zeros((10, 48, 32), np.uint8)}, ["images", "(10, 48, 32)"]),
        ({"images": np.zeros((10, 32, 32), np.uint8)}, ["images", "(10, 32, 32)"]),
        ({"images": np.zeros((10, 2304), np.uint8)}, ["images", "(10, 2304)"]),
        ({"images": np.zeros((10, 48, 48))}, ["images", "float64"]),
        ({"labs_ex": np.ones((9, 1))}, [10, "labs_ex (9, 1)"]),
        ({"labs_ex": np.ones((5, 2))}, [10, "labs_ex (5, 2)"]),
        ({"folds": np.ones((10, 4))}, ["folds (10, 4)", "(10,5)"]),
        ({"folds": np.ones((5, 10))}, ["folds (5, 10)", "(10,5)"]),
        ({"labs_ex": np.full((10, 1), 8)}, ["labs_ex", -1, 0, "1…7"]),
        ({"labs_ex": np.full((10, 1), 1.5)}, ["labs_ex", -1, 0, "1…7"]),
        ({"labs_ex": np.full((10, 1), np.nan)}, ["labs_ex", -1, 0, "1…7"]),
        ({"folds": np.full((10, 5), 4)}, ["folds", 0, 1, 2, 3]),
        ({"labs_id": np.full((10, 1), np.nan)}, ["labs_id"]),
        ({"labs_id": np.full((10, 1), 1e300)}, ["labs_id"]),
        ({"labs_ex": np.full((10, 1), -1)}, ["'tfd'"]),
        ({"labs_ex": np.full((10, 1), 1j)}, ["labs_ex", "numbers"]),
    ],
)
def test_files_that_are_not_tfd(tmp_path, write, change, named):
    values = {k: v for k, v in {**tfd.arrays(), **change}.items() if v is not None}
    path = write(tmp_path / NAME, values)
    assert mentions(refusal(path).replace(str(tmp_path), ""), *named)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.array([[np.arange(3), "a"]], object), "cell"),
        (scipy.sparse.csc_matrix(np.ones((10, 1))), "sparse"),
        ({"a": 1}, "struct"),
        ("anger", "char"),
    ],
)
def test_v5_arrays_that_are_no_numbers(tmp_path, value, kind):
    path = tfd.write_v5(tmp_path / NAME, {**tfd.arrays(), "labs_ex": value})
    assert mentions(refusal(path), "labs_ex", kind)


@pytest.mark.parametrize("kind", ["group", "text", "soft", "external", "storage", "empty", "huge"])
def test_v73_arrays_that_are_no_numbers_in_the_file(tmp_path, kind):
    path = tfd.write_v73(tmp_path / NAME, tfd.arrays())
    with h5py.File(path, "r+") as file:
        del file["labs_id"]
        if kind == "group":
            file.create_group("labs_id")
        elif kind == "text":
            file["labs_id"] = ["a"] * 10
        elif kind == "soft":
            file["labs_id"] = h5py.SoftLink("/labs_ex")
        elif kind == "external":
            file["labs_id"] = h5py.ExternalLink("/etc/passwd", "/labs_ex")
        elif kind == "storage":
            file.create_dataset("labs_id", (1, 10), "u1", external=[("/etc/passwd", 0, 10)])
        elif kind == "empty":
            file["labs_id"] = h5py.Empty("f8")
        else:
            file.create_dataset("labs_id", (10**6, 10**6), "f8", chunks=(10, 10))
    message = refusal(tfd.with_v73_header(path))
    assert mentions(message, "labs_id")
    # A reader that trusted the shape would need 8 TB.
    assert mentions(message, f"{MAX_BYTES:,}") == (kind == "huge")


def test_a_reader_that_crashes_or_hangs_gives_an_error(tmp_path, monkeypatch):
    path = tfd.write_v5(tmp_path / NAME, tfd.arrays())
    with pytest.raises(BadUse, match="0 seconds"):
        matlab.read_arrays(path, ["images"], time_limit=0.01)
    child = tmp_path / "child.py"
    child.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(matlab, "_CHILD", child)
    with pytest.raises(BadUse, match="SIGSEGV"):
        matlab.read_arrays(path, ["images"])


def test_an_array_that_a_file_holds_twice_is_refused(tmp_path):
    content = tfd.write_v5(tmp_path / NAME, tfd.arrays()).read_bytes()
    (tmp_path / NAME).write_bytes(content + content[128:])
    assert mentions(refusal(tmp_path), "twice")


def declared(name: bytes, shape: tuple[int, ...], kind: int, data: bytes, size: int) -> bytes:
    """One uncompressed array of a v5 file whose data claims to be `size` bytes long."""
    dims = struct.pack(f"<{len(shape)}i", *shape)
    dims += bytes(-len(dims) % 8)
    name = name + bytes(-len(name) % 8)
    body = struct.pack("<IIII", 6, 8, kind, 0) + struct.pack("<II", 5, 4 * len(shape)) + dims
    body += struct.pack("<II", 1, len(name.rstrip(b"\0"))) + name
    body += struct.pack("<II", 2, size) + data
    return struct.pack("<II", 14, len(body)) + body


def as_v5(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


MEASURE = """
import resource, sys
from pipelines.databases import open_database, tfd
from pipelines.common.errors import BadUse
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    open_database("tfd", sys.argv[1])
except BadUse as error:
    own, reader = (resource.getrusage(who).ru_maxrss for who in (0, resource.RUSAGE_CHILDREN))
    print(own - before, reader, error)
"""


@pytest.mark.parametrize("kind", ["shape", "data", "bomb"])
def test_a_small_file_that_declares_much_takes_no_memory(tmp_path, kind):
    if kind == "shape":
        elements = [declared(b"images", (10**6, 1000, 1000), 9, bytes(8), 8)]
    elif kind == "data":
        elements = [declared(b"images", (10, 48, 48), 9, bytes(8), 2**32 - 8)]
    else:
        # Three gigabytes of zeros in three megabytes.
        block, packer = bytes(2**24), zlib.compressobj(1)
        packed = packer.compress(declared(b"images", (10, 48, 48), 9, b"", 3 * 2**30))
        packed += b"".join(packer.compress(block) for _ in range(3 * 2**6)) + packer.flush()
        elements = [struct.pack("<II", 15, len(packed)) + packed]
    others = {k: v for k, v in tfd.arrays().items() if k != "images"}
    rest = tfd.write_v5(tmp_path / "rest.mat", others).read_bytes()[128:]
    path = tmp_path / NAME
    path.write_bytes(as_v5(*elements) + rest)
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    own, reader, message = done.stdout.split(" ", 2)
    assert str(path) in message
    assert mentions(message, f"{MAX_BYTES:,}") == (kind == "shape")
    assert int(own) < 50_000
    # Kilobytes; three or more gigabytes are declared.
    assert int(reader) < 2**20


@WRITERS
def test_files_cut_or_flipped_anywhere_give_faces_or_an_error(tmp_path, write):
    whole = write(tmp_path / NAME, tfd.arrays()).read_bytes()
    rng = np.random.default_rng(4)
    cuts = [whole[:length] for length in range(0, len(whole), max(64, len(whole) // 12))]
    flips = []
    for k in range(16):
        damaged = bytearray(whole)
        # Every second one near the headers, where lengths and types are.
        at = int(rng.integers(0, 600 if k % 2 else len(whole)))
        damaged[at] ^= 1 << int(rng.integers(8))
        flips.append(bytes(damaged))
    refused = 0
    for content in cuts + flips:
        (tmp_path / NAME).write_bytes(content)
        try:
            found = open_database("tfd", tmp_path)
        except BadUse as error:
            refused += 1
            assert str(tmp_path) in str(error)
        else:
            assert all(sample.pixels.shape == (48, 48) for sample in found.samples)
    assert refused >= len(cuts) - 2


def test_paths_that_hold_no_matlab_file(tmp_path):
    assert mentions(refusal(tmp_path / "nowhere"), tmp_path / "nowhere", "exist")
    assert mentions(refusal(tmp_path), tmp_path, "file")
    path = tmp_path / NAME
    for content in (b"", b"MATLAB 5.0 but not really", bytes(4000), b"\x89HDF\r\n\x1a\n" * 40):
        path.write_bytes(content)
        assert mentions(refusal(path), path)
    scipy.io.savemat(path, {"images": np.zeros((10, 48))}, format="4")
    assert mentions(refusal(path), path, "v5", "v7.3")
