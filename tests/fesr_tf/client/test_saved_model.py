"""The model in this process: single faces by TensorFlow Lite, with the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf.client import Client, one_face, saved_model
from fesr_tf.data import images


@pytest.fixture
def faces():
    return np.random.default_rng(4).integers(0, 256, (3, 128, 128, 3), np.uint8)


def shares(answers):
    return [list(answer.probabilities.values()) for answer in answers]


def test_single_faces_get_the_same_answers_from_their_own_copy(exported_model, faces):
    with Client(model=exported_model) as client:
        before = client.classify(faces)
        assert client._backend._one_face is None
        client._backend._single = saved_model.SINGLE
        client.classify(faces[:1])
        assert client._backend._one_face is not None
        after = [client.classify(faces[i : i + 1])[0] for i in range(3)]
    assert [answer.label for answer in before] == [answer.label for answer in after]
    np.testing.assert_allclose(shares(after), shares(before), atol=1e-5)


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (128, 1), (96, 3), (48, 1)])
def test_faces_are_scaled_as_in_training(faces, size, channels):
    taps = one_face.scaling(size)
    for face in faces:
        ours = one_face.to_model(face[None], taps, channels)
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, images.to_model(face[None], size, channels))


def test_a_copy_that_answers_otherwise_is_not_used(exported_model, faces):
    backend = saved_model.SavedModel(exported_model)
    answer = backend.run("predict_pixels", {"pixels": faces[:1]})
    assert backend._converted(faces[:1], answer) is not None
    answer["probabilities"] = np.eye(answer["probabilities"].shape[1], dtype=np.float32)[:1]
    assert backend._converted(faces[:1], answer) is None


def test_a_large_model_keeps_all_threads(exported_model, tmp_path):
    assert one_face.is_small(exported_model)
    (tmp_path / "variables").mkdir()
    with (tmp_path / "variables" / "variables.data-00000-of-00001").open("wb") as file:
        file.truncate(2**24 + 1)
    assert not one_face.is_small(tmp_path)
