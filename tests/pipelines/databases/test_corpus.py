"""Broken, careless and hostile input: no crash, no hang, bounded memory, nothing lost."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.media import images
from tests.support.corpus import Case, folder, matlab, measure, tables, trials, write
from tests.support.corpus.pictures import saved, scans, stored


@pytest.fixture(scope="module")
def faces(demo_people) -> list[np.ndarray]:
    """24 faces, 192×192: each of three people with each of eight expressions."""
    paths = sorted(demo_people.glob("*/*_01.png"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def check(trial: trials.Trial) -> None:
    assert not trial.wrong, "\n".join(trial.wrong[:20])
    lost = [row for row in trial.rows if row.must != "stray" and row.noted]
    assert not lost


def test_an_eighth_of_the_damaged_folder(faces, tmp_path):
    check(trials.in_a_folder(faces, tmp_path, every=8))


@pytest.mark.slow
def test_the_whole_folder(faces, tmp_path):
    trial = trials.in_a_folder(faces, tmp_path)
    check(trial)
    assert sum(row.made for row in trial.rows) >= 1000


def test_a_table_with_hostile_rows(faces, tmp_path):
    check(trials.in_a_table(faces, tmp_path))


def test_ckplus_with_nonsense_in_labels_and_landmarks(faces, tmp_path):
    check(trials.in_ckplus(faces, tmp_path))


def test_mmi_with_films_that_break_off(faces, tmp_path):
    check(trials.in_mmi(faces, tmp_path))


@pytest.mark.slow
def test_matlab_files_and_tables_that_cannot_be_used(tmp_path):
    check(trials.refused(tmp_path))


@pytest.mark.slow
def test_the_corpus_is_the_same_each_time(faces):
    def digest() -> str:
        found = hashlib.sha256()
        for case in folder.cases(faces, huge=False):
            found.update(repr((case.kind, case.shown, case.verdict, case.link)).encode())
            found.update(case.data or b"")
        found.update(tables.rows("/outside.png")[0])
        found.update(b"".join(data for _, _, data in matlab.files()))
        return found.hexdigest()

    assert digest() == digest()


def test_a_name_with_a_line_break_stays_in_its_line_of_the_report(faces, tmp_path):
    names = ("fear/p0_1", "fear/p1_1", "neutral/p0_2", "neutral/p1_2")
    cases = [
        Case("", f"{name}.png", "keep", stored(face, "png"))
        for name, face in zip(names, faces, strict=False)
    ]
    torn = Case("", "fear/p1_torn\n\x1b[31m.png", "reject", b"torn")
    write([*cases, torn], tmp_path / "in")
    source, output = tmp_path / "in", tmp_path / "out"
    given = ("--db", "images", "--input", source, "--output", output, "--folds", 2)
    outcome = measure.run(["-m", "pipelines.preprocess", *given], tmp_path / "log", 60)
    assert outcome.code == 0
    assert "p1_torn\\n\\x1b[31m.png" in outcome.out
    assert "\x1b" not in outcome.out


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_picture_lies_as_its_orientation_says(faces, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    image = Image.fromarray(faces[0][:, :150])
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = saved(image, kind, exif=exif, **options)
        expected = image.copy()
        expected.getexif()[0x0112] = turned
        expected = np.asarray(ImageOps.exif_transpose(expected))
        np.testing.assert_array_equal(images.decode(data), expected)


def test_a_hundred_scans_are_decoded_and_more_are_refused():
    assert images.decode(scans(64, 80)).shape == (64, 64)
    with pytest.raises(images.UnreadableImage, match=r"\bscans\b.*\b100\b"):
        images.decode(scans(64, 101))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("pipe", "file"), ("/dev/zero", "file"), (".", "file"), ("hole", f"{2**40:,}")],
)
def test_what_would_never_end_is_not_read(tmp_path, name, reason):
    endless = [Case("", "pipe", "reject", fifo=True), Case("", "hole", "reject", hole=2**40)]
    write(endless, tmp_path)
    with pytest.raises(images.UnreadableImage, match=reason):
        images.read(tmp_path / name)
