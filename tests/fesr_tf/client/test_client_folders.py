"""Folders as people have them: every file is classified, failed or left out, and counted."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fesr_tf.client import Client, sources
from fesr_tf.client.__main__ import main
from pipelines.common.errors import BadUse
from pipelines.media.annotated import copy_name, is_annotated
from tests.support import holiday_folder

FILES = len(holiday_folder.KINDS)


@pytest.fixture(scope="module")
def face(demo_images):
    return sorted((demo_images / "happiness").glob("*.png"))[-1]


@pytest.fixture(scope="module")
def holiday(face, exported_model, tmp_path_factory):
    """A folder of every kind of file, the number of each, and the exit code of the client on it."""
    folder = tmp_path_factory.mktemp("folders") / "holiday"
    kinds = holiday_folder.fill(folder, face, FILES)
    return folder, kinds, main([str(folder), "--model", str(exported_model)])


def test_every_file_is_classified_failed_or_left_out(holiday):
    folder, kinds, code = holiday
    answer = json.loads((folder.with_name("holiday.faces") / "faces.json").read_text())
    assert code == 1 and answer["counts"] == holiday_folder.expected(kinds)
    assert answer["counts"]["files"] == FILES
    reasons = Counter(each["reason"] for each in answer["left_out"])
    assert reasons == {
        sources.HIDDEN: kinds["hidden"] + kinds["in a hidden folder"],
        sources.OTHER: kinds["text"],
        sources.OWN_COPY: kinds["annotated copy"],
        sources.FOLDER_LINK: kinds["link to a folder"],
        sources.DEAD_LINK: kinds["dead link"],
        sources.NO_FILE: kinds["pipe"],
    }


def test_the_table_has_a_row_for_every_file(holiday):
    folder, _, _ = holiday
    with (folder.with_name("holiday.faces") / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = subprocess.run(
        ["find", folder, "-not", "-type", "d"], stdout=subprocess.PIPE, text=True
    )
    assert {row["photo"] for row in rows} == set(found.stdout.splitlines())
    assert all(row["error"] or row["annotated"] for row in rows)


def test_a_film_in_a_folder_has_its_table_and_copy(holiday):
    folder, kinds, _ = holiday
    place = folder.with_name("holiday.faces")
    copies = list(place.rglob("*.annotated.mp4"))
    tables = list(place.rglob("*-*.faces.csv"))
    assert len(copies) == len(tables) == kinds["film"]
    with tables[0].open(newline="") as file:
        assert [row["face"] for row in csv.DictReader(file)] == ["1"] * 3


def test_a_second_run_takes_no_copy_of_the_first(face, exported_model, tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(face.read_bytes())
    assert main([str(photo), "--model", str(exported_model)]) == 0
    assert (tmp_path / "photo.annotated.png").is_file()
    job = sources.plan([str(tmp_path)], None)
    assert [item.path for item in job.images] == [photo]
    assert [each.reason for each in job.left_out] == [sources.OWN_COPY]


def test_names_of_copies():
    assert copy_name("a", ".png") == "a.annotated.png"
    assert copy_name("a", ".mp4", 2) == "a.annotated-2.mp4"
    assert is_annotated("x/a.annotated.png") and is_annotated("a.annotated-2.mp4")
    assert not is_annotated("annotated.png") and not is_annotated("a.annotated.jpg")


def test_a_folder_without_an_image_is_refused_with_the_reasons(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".photo.jpg").touch()
    with pytest.raises(BadUse) as told:
        sources.plan([str(tmp_path)], None)
    assert "notes.txt" in str(told.value) and ".photo.jpg" in str(told.value)


def test_an_empty_name_is_not_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "photo.jpg").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadUse):
        sources.plan([""], None)


def test_a_folder_nested_deeper_than_pythons_calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    Path("photo.jpg").touch()
    os.chdir(tmp_path)
    try:
        assert sources.plan(["."], None).count == 1
    finally:
        # pytest's own removal is recursive.
        subprocess.run(["rm", "-rf", "d"], check=True)


def test_films_of_one_name_get_copies_of_their_own(face, exported_model, tmp_path):
    for name in ("a.mp4", "a.mkv"):
        holiday_folder.write_film(tmp_path / name, face, frames=1)
    assert main([str(tmp_path), "--model", str(exported_model), "--output", str(tmp_path)]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert {"a.annotated.mp4", "a.annotated-2.mp4", "a.faces.csv", "a.faces-2.csv"} <= written


@pytest.mark.parametrize("shape", [(128, 128), (128, 128, 1), (128, 128, 3)])
def test_every_array_that_the_project_makes_is_a_face(exported_model, shape):
    with Client(model=exported_model) as client:
        flat = client.classify([np.full((128, 128), 90, np.uint8)])
        assert client.classify(np.full((1, *shape), 90, np.uint8)) == flat
        assert client.embed(np.full((1, *shape), 90, np.uint8)).shape[0] == 1


def test_faces_as_a_run_loads_and_generates_them_are_classified(
    exported_model, opened_run, demo_data
):
    from fesr_tf.runs import load_data

    faces = load_data(opened_run, demo_data).test.images[:2]
    generated = opened_run.synthesize(faces, opened_run.info.classes[0])
    assert faces.shape[-1] == generated.shape[-1] == 1
    with Client(model=exported_model) as client:
        answers = client.classify([*faces, *generated])
    assert [set(each.probabilities) for each in answers] == [set(opened_run.info.classes)] * 4
