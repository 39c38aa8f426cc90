"""The readers, on folders and files as their owners hold them."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from pipelines.databases import open_database
from pipelines.errors import BadUse

HEADER = ["path", "label", "subject", "frame", "intensity", "yaw"]


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def table(path: Path, rows: list[list], header: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_subject_is_the_name_up_to_the_first_underscore(tmp_path):
    touch(tmp_path, "sad/p1_a_b.png", "sad/p2.JPG", "glad/p1.webp", "glad/_x.png")
    found = open_database("images", tmp_path)
    assert found.classes == ("glad", "sad")
    assert [(s.key, s.subject, s.label) for s in found.samples] == [
        ("glad/_x", "_x", 0),
        ("glad/p1", "p1", 0),
        ("sad/p1_a_b", "p1", 1),
        ("sad/p2", "p2", 1),
    ]
    assert all(sample.train and sample.test for sample in found.samples)


def test_strays_are_counted_not_lost(tmp_path):
    touch(tmp_path, "a/p1.png", "b/p1.png", "a/.DS_Store", "b/.DS_Store", "b/notes.txt")
    touch(tmp_path, "README.md", "empty/.DS_Store", "__MACOSX/a/p1.png", "a/more/p2.png")
    found = open_database("images", tmp_path)
    assert len(found.samples) == 2
    notes = " | ".join(found.notes)
    for name in (".DS_Store (3)", "notes.txt", "README.md", "__MACOSX", "more/", "'empty'"):
        assert name in notes


def test_a_class_of_one_image_is_mentioned(tmp_path):
    touch(tmp_path, "a/p1.png", "b/p1.png", "b/p2.png")
    assert any("'a' has only one image" in note for note in open_database("images", tmp_path).notes)


def test_two_files_of_one_name_are_an_error(tmp_path):
    touch(tmp_path, "a/p1.png", "a/p1.jpg", "b/p1.png")
    with pytest.raises(BadUse, match=r"a/p1\.jpg and a/p1\.png are both the sample 'a/p1'"):
        open_database("images", tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "is empty"),
        (["p1.png"], "no class folder with pictures"),
        (["a/readme.txt"], "no class folder with pictures"),
        (["a/p1.png", "a/p2.png"], "only the class 'a'"),
    ],
)
def test_folders_that_are_no_database(tmp_path, files, said):
    with pytest.raises(BadUse, match=said):
        open_database("images", touch(tmp_path, *files))


def test_a_missing_folder_and_a_file_instead(tmp_path):
    with pytest.raises(BadUse, match="does not exist"):
        open_database("images", tmp_path / "nowhere")
    touch(tmp_path, "photo.png")
    with pytest.raises(BadUse, match="is a file"):
        open_database("images", tmp_path / "photo.png")
    with pytest.raises(BadUse, match="no database is called 'ckp'"):
        open_database("ckp", tmp_path)


def test_csv_roles_folds_and_refused_rows(tmp_path):
    rows = [
        ["x/1.png", "glad", "p1", "train", "0"],
        ["x/2.png", "calm", "p1", "TEST", "0"],
        ["y/3.png", "calm", "p2", "", "1"],
        ["../4.png", "calm", "p2", "", "1"],
        ["y/5.png", "", "p2", "", "1"],
        ["y/6.png", "calm", "p2", "teach", "1"],
        ["y/7\0.png", "calm", "p2", "", "1"],
    ]
    path = table(tmp_path / "d" / "list.csv", rows, ["path", "label", "subject", "role", "fold"])
    found = open_database("images", path)
    assert found.classes == ("calm", "glad")
    assert [(s.key, s.train, s.test, s.fold) for s in found.samples] == [
        ("x/1", True, False, 0),
        ("x/2", False, True, 0),
        ("y/3", True, True, 1),
    ]
    reasons = [(reject.source, reject.reason) for reject in found.rejects]
    assert reasons == [
        ("list.csv, line 5", "its path leads out of the folder of the CSV file"),
        ("list.csv, line 6", "its label is empty"),
        ("list.csv, line 7", "its role 'teach' is none of train, test, both"),
        ("list.csv, line 8", "its path holds a zero byte"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"path,label\nx.png,a\n", "no column 'subject'"),
        (b"path,label,subject\n", "no rows"),
        (b"", "no column 'path'"),
        (b"\xff\xfe\x00path", "UTF-8"),
        (b"path,label,subject,fold\nx,a,p,one\ny,b,q,2\n", "fold is 'one', not a whole number"),
        (b"path,label,subject\nx.png,a,p\nx.png,b,p\n", "both the sample 'x'"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, said):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(BadUse, match=said):
        open_database("images", path)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xef\xbb\xbfpath,label,subject\r\nx.png,a,p\r\ny.png,b,q\r\n")
    assert len(open_database("images", path).samples) == 2


def test_demo_frames_train_late_and_test_last(tmp_path):
    rows = [
        [f"fear/p000_{i:02d}.png", "fear", "p000", i, i / 4, -12.5] for i in (3, 0, 4, 1, 2)
    ] + [[f"neutral/p000_{i:02d}.png", "neutral", "p000", i, 0, 0] for i in range(5)]
    table(tmp_path / "faces.csv", rows, HEADER)
    found = open_database("demo", tmp_path)
    assert found.classes[0] == "neutral"
    assert found.classes[1:] == tuple(sorted(found.classes[1:]))
    fear = [sample for sample in found.samples if sample.key.startswith("fear")]
    assert [sample.train for sample in fear] == [False, False, True, True, True]
    assert [sample.test for sample in fear] == [False, False, False, False, True]
    assert [sample.intensity for sample in fear] == [0, 0.25, 0.5, 0.75, 1]
    assert fear[0].yaw == -12.5
    neutral = [sample for sample in found.samples if sample.key.startswith("neutral")]
    assert [sample.train for sample in neutral] == [True] * 5
    assert [sample.test for sample in neutral] == [False] * 4 + [True]


def test_demo_needs_its_table(tmp_path):
    touch(tmp_path, "fear/p000_00.png")
    with pytest.raises(BadUse, match=r"no faces\.csv"):
        open_database("demo", tmp_path)
    table(tmp_path / "faces.csv", [["x.png", "bliss", "p0", 0, 0, 0]], HEADER)
    with pytest.raises(BadUse, match="line 2: 'bliss' is not a class"):
        open_database("demo", tmp_path)


@pytest.fixture
def tfd_arrays():
    """Ten faces: seven labelled, two of the folds telling them apart."""
    rng = np.random.default_rng(5)
    labels = np.array([1, 2, 3, 4, 5, 6, 7, -1, -1, -1], np.int16)[:, None]
    folds = np.tile([[1, 3, 2, 1, 1]], (10, 1)).astype(np.uint8)
    folds[7:] = 0
    return {
        "images": rng.integers(0, 256, (10, 48, 48), np.uint8),
        "labs_ex": labels,
        "labs_id": np.arange(100, 110, dtype=np.int16)[:, None],
        "folds": folds,
    }


def check_tfd(path: Path, arrays: dict[str, np.ndarray]) -> None:
    found = open_database("tfd", path)
    assert found.channels == 1
    assert found.folds == 5
    assert [found.classes[sample.label] for sample in found.samples] == list(found.classes)
    assert found.classes[0] == "anger"
    assert found.classes[6] == "neutral"
    third = found.samples[2]
    np.testing.assert_array_equal(third.pixels, arrays["images"][2])
    assert (third.subject, third.official, third.aligned) == ("102", (1, 3, 2, 1, 1), True)
    assert [(each.name, each.found, each.expected) for each in found.findings] == [
        ("images", 10, 102_236),
        ("labelled images", 7, 4_178),
    ]


def test_tfd_of_matlab_5(tmp_path, tfd_arrays):
    scipy.io.savemat(tmp_path / "TFD_48x48.mat", tfd_arrays)
    check_tfd(tmp_path, tfd_arrays)
    check_tfd(tmp_path / "TFD_48x48.mat", tfd_arrays)


def test_tfd_of_matlab_73(tmp_path, tfd_arrays):
    with h5py.File(tmp_path / "TFD_48x48.mat", "w", userblock_size=512) as file:
        for name, values in tfd_arrays.items():
            file[name] = values.T
    with (tmp_path / "TFD_48x48.mat").open("r+b") as file:
        # MATLAB's own header before the HDF5 part: text, then version 2.0 and byte order.
        file.write(b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM")
    check_tfd(tmp_path, tfd_arrays)


def test_tfd_of_96_pixels_and_both_at_once(tmp_path, tfd_arrays):
    large = {**tfd_arrays, "images": np.zeros((10, 96, 96), np.uint8)}
    scipy.io.savemat(tmp_path / "TFD_96x96.mat", large)
    assert open_database("tfd", tmp_path).samples[0].pixels.shape == (96, 96)
    scipy.io.savemat(tmp_path / "TFD_48x48.mat", tfd_arrays)
    with pytest.raises(BadUse, match=r"TFD_48x48\.mat, TFD_96x96\.mat; name the one"):
        open_database("tfd", tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"folds": None}, "no array 'folds'"),
        ({"images": np.zeros((10, 48, 32), np.uint8)}, r"images has shape \(10, 48, 32\)"),
        ({"images": np.zeros((10, 48, 48))}, "float64"),
        ({"labs_ex": np.ones((9, 1))}, "10 images but labs_ex"),
        ({"labs_ex": np.full((10, 1), 8)}, "other than -1 and 1…7"),
        ({"folds": np.full((10, 5), 4)}, "other than 0, 1, 2 and 3"),
        ({"labs_ex": np.full((10, 1), -1)}, "no usable sample"),
    ],
)
def test_tfd_files_that_are_not_tfd(tmp_path, tfd_arrays, change, said):
    arrays = {k: v for k, v in {**tfd_arrays, **change}.items() if v is not None}
    scipy.io.savemat(tmp_path / "TFD_48x48.mat", arrays)
    with pytest.raises(BadUse, match=said):
        open_database("tfd", tmp_path)


def test_tfd_that_is_no_matlab_file(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(BadUse, match=r"no TFD \.mat file"):
        open_database("tfd", tmp_path)
    (tmp_path / "TFD_48x48.mat").write_bytes(b"MATLAB 5.0 but not really")
    with pytest.raises(BadUse, match="cannot be read as a MATLAB file"):
        open_database("tfd", tmp_path)
