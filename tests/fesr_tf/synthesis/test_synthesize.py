"""The drawn pictures: the codes that they stand for, and the same again for a seed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config, evaluate, synthesize
from fesr_tf.data.images import from_model
from fesr_tf.plots import image_grids
from fesr_tf.synthesis import generation, sheets


@pytest.fixture(scope="module")
def faces(opened_run):
    return evaluate.load_data(opened_run).test


def test_one_picture_a_person_chosen_by_the_seed(faces):
    rows = sheets.choose_people(faces, 10, seed=4)
    assert sorted(faces.subjects[rows]) == sorted(set(faces.subjects))
    np.testing.assert_array_equal(rows, sheets.choose_people(faces, 10, seed=4))
    assert len(sheets.choose_people(faces, 1, seed=4)) == 1
    assert len(set(faces.labels[rows])) == len(rows)


def test_a_row_is_input_reconstruction_and_each_class_at_full_intensity(opened_run, faces):
    fesgan, some = opened_run.fesr.fesgan, faces.of(np.array([3, 0]))
    rows = generation.expression_rows(fesgan, some)
    face_codes = fesgan.encode(some.floats())
    for i, row in enumerate(rows):
        assert len(row) == 2 + len(opened_run.info.classes)
        np.testing.assert_array_equal(row[0], some.images[i])
        np.testing.assert_array_equal(row[1], row[2 + some.labels[i]])
        for k, drawn in enumerate(row[2:]):
            code = np.full((1, fesgan.num_classes), -1, np.float32)
            code[0, k] = 1
            expected = from_model(fesgan.decode(face_codes[i : i + 1], tf.constant(code)))[0]
            assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_the_sweep_ends_at_full_intensity_and_begins_where_all_classes_are_alike(opened_run, faces):
    fesgan = opened_run.fesr.fesgan
    image = faces.floats()[0]
    rows = generation.intensity_rows(fesgan, image, np.linspace(-1, 1, 3))
    full = generation.every_expression(fesgan, image[tf.newaxis])[0]
    for k, row in enumerate(rows):
        assert np.abs(row[0].astype(int) - rows[0][0]).max() <= 1
        assert np.abs(row[2].astype(int) - full[k]).max() <= 1


def test_new_identities_follow_the_seed(opened_run):
    fesgan = opened_run.fesr.fesgan
    first, again, other = (generation.new_identity_rows(fesgan, 2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (np.array(first) != np.array(other)).any()
    assert np.shape(first)[:2] == (2, fesgan.num_classes)


def test_the_command_writes_three_readable_pictures_the_same_each_time(
    tiny_run, opened_run, faces, tmp_path, capfd
):
    assert synthesize.main([str(tiny_run), "--output", str(tmp_path), "--people", "2"]) == 0
    again = sheets.sheets(opened_run, faces, people=2, seed=0)
    assert set(again) == {"expressions.png", "intensity.png", "new_identities.png"}
    for name, sheet in again.items():
        assert (tmp_path / name).read_bytes() == image_grids.png(sheet)
        assert sheet.shape[1] > 8 * 128
    assert str(tmp_path / "intensity.png") in capfd.readouterr().out


def test_a_run_without_a_generator_is_refused(run_copy, capfd):
    saved = config.load(run_copy / "config.yaml")
    for path in (run_copy, *run_copy.glob("checkpoints/step-*")):
        saved.model_copy(update={"synthetic": "none"}).save(path / "config.yaml")
    info = json.loads((run_copy / "run.json").read_text())
    (run_copy / "run.json").write_text(json.dumps(info | {"variant": "BASELINE"}))
    assert synthesize.main([str(run_copy)]) == 2
    error = capfd.readouterr().err
    assert str(run_copy) in error and "BASELINE" in error


def test_no_people_is_bad_use(tiny_run, capfd):
    assert synthesize.main([str(tiny_run), "--people", "0"]) == 2
