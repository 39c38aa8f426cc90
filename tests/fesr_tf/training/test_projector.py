"""The projector's files: TensorBoard's own plugin reads them, and the points are R_ext's."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector import ProjectorConfig

from fesr_tf import config, data
from fesr_tf.model import fesr
from fesr_tf.training.monitoring import projector
from fesr_tf.training.monitoring.projector import HELD_OUT, SYNTHETIC, THUMBNAIL, TRAINING

COUNT = 11


@pytest.fixture(scope="module")
def shown(opened_run, demo_data) -> tuple[projector.Points, data.Faces, data.Faces]:
    """Seven faces that trained and four that did not, with as many drawn ones."""
    fold = data.load_fold(demo_data, 0, opened_run.config)
    learnt, unseen = projector.some(fold.train, 7), projector.some(fold.test, COUNT - 7)
    return projector.points(opened_run.fesr, learnt, unseen, batch_size=4), learnt, unseen


@pytest.fixture(scope="module")
def folder(shown, opened_run, tmp_path_factory):
    made = tmp_path_factory.mktemp("projector")
    projector.write_projector(made, shown[0], opened_run.info.classes)
    return made


def read_config(folder) -> ProjectorConfig:
    text = (folder / "projector_config.pbtxt").read_text()
    return text_format.Parse(text, ProjectorConfig())


def test_the_points_are_r_ext_of_the_real_faces(shown, opened_run):
    points, learnt, unseen = shown
    recognizer = opened_run.fesr.recognizer
    for faces, begin in ((learnt, 0), (unseen, 7)):
        end = begin + len(faces)
        expected = recognizer.features(faces.floats()).numpy()
        np.testing.assert_allclose(points.features[begin:end], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(points.labels[begin:end], faces.labels)
        np.testing.assert_array_equal(points.thumbnails[begin:end], faces.images)
    answers = recognizer(learnt.floats()).numpy().argmax(-1)
    np.testing.assert_array_equal(points.predictions[:7], answers)


def test_every_real_face_has_a_generated_one_of_its_class(shown, opened_run):
    points = shown[0]
    assert points.origins.tolist() == [TRAINING] * 7 + [HELD_OUT] * 4 + [SYNTHETIC] * COUNT
    np.testing.assert_array_equal(points.labels[COUNT:], points.labels[:COUNT])
    # The thumbnail is the very face whose features stand beside it, up to its 8 bits.
    drawn = points.thumbnails[COUNT:].astype(np.float32) / 127.5 - 1
    again = opened_run.fesr.recognizer.features(drawn).numpy()
    np.testing.assert_allclose(points.features[COUNT:], again, atol=0.02 * np.abs(again).max())
    assert len({face.tobytes() for face in points.thumbnails[COUNT:]}) == COUNT


def test_the_generated_faces_are_the_same_at_every_call(shown, opened_run):
    points, learnt, unseen = shown
    again = projector.points(opened_run.fesr, learnt, unseen, batch_size=4)
    np.testing.assert_array_equal(points.thumbnails, again.thumbnails)


def test_fesr_real_draws_the_faces_own_people(opened_run, demo_data):
    settings = config.resolve("demo", "FESR_Real", ["image_size=32", "width=0.0625"])
    model = fesr.build(settings, len(opened_run.info.classes))
    fold = data.load_fold(demo_data, 0, settings)
    faces = projector.some(fold.train, 6)
    points = projector.points(model, faces, fold.valid, 64)
    assert points.people.tolist() == faces.subjects.tolist() * 2
    assert set(points.labels[6:].tolist()) != set(faces.labels.tolist())


def test_baseline_has_real_points_alone(opened_run, demo_data):
    settings = config.resolve("demo", "BASELINE", ["image_size=32", "width=0.0625"])
    model = fesr.build(settings, len(opened_run.info.classes))
    faces = projector.some(data.load_fold(demo_data, 0, settings).train, 6)
    points = projector.points(model, faces, faces.of(np.arange(0)))
    assert points.origins.tolist() == [TRAINING] * 6 and len(points.features) == 6


def test_the_files_have_the_sizes_that_the_configuration_states(folder, shown):
    embedding = read_config(folder).embeddings[0]
    features = np.loadtxt(folder / embedding.tensor_path, delimiter="\t")
    assert list(features.shape) == list(embedding.tensor_shape)
    np.testing.assert_allclose(features, shown[0].features, rtol=1e-5, atol=1e-6)
    lines = (folder / embedding.metadata_path).read_text().splitlines()
    assert len(lines) == 1 + len(features)
    assert {line.count("\t") for line in lines} == {4}
    assert lines[0].split("\t")[:2] == ["class", "origin"]
    assert lines[8].split("\t")[1] == HELD_OUT and lines[12].split("\t")[1] == SYNTHETIC


def test_the_sprite_has_a_thumbnail_for_every_point(folder, shown):
    embedding = read_config(folder).embeddings[0]
    assert list(embedding.sprite.single_image_dim) == [THUMBNAIL, THUMBNAIL]
    sheet = np.asarray(Image.open(folder / embedding.sprite.image_path))
    side = math.ceil(math.sqrt(2 * COUNT))
    assert sheet.shape == (side * THUMBNAIL, side * THUMBNAIL, 3)
    # Point 13 of 22, in rows of five: third row, fourth column.
    cell = sheet[2 * THUMBNAIL :, 3 * THUMBNAIL :][:THUMBNAIL, :THUMBNAIL]
    assert tuple(cell[0, 0]) == projector.COLOURS[SYNTHETIC]
    face = Image.fromarray(shown[0].thumbnails[13][..., 0])
    size = THUMBNAIL - 2 * projector.FRAME
    expected = np.asarray(face.resize((size, size), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(cell[3:-3, 3:-3, 0], expected)


def test_names_with_tabs_and_breaks_stay_in_their_cell(shown):
    points = dataclasses.replace(shown[0], people=np.array(["a\tb\nc"] * 2 * COUNT))
    lines = projector.metadata(points, ["x\ty"] * 8).splitlines()
    assert len(lines) == 1 + 2 * COUNT and {line.count("\t") for line in lines} == {4}


def test_a_second_writing_replaces_the_first(folder, shown, opened_run):
    fewer = {name: getattr(shown[0], name)[:5] for name in projector.Points.__dataclass_fields__}
    projector.write_projector(folder, projector.Points(**fewer), opened_run.info.classes)
    assert read_config(folder).embeddings[0].tensor_shape[0] == 5
    assert len(list(folder.iterdir())) == 4
