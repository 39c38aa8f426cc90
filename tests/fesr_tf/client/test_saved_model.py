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
        for _ in range(saved_model.SINGLE + 1):
            client.classify(faces[:1])
        assert client._backend._one_face is not None
        after = [client.classify(faces[i : i + 1])[0] for i in range(3)]
    assert [answer.label for answer in before] == [answer.label for answer in after]
    np.testing.assert_allclose(shares(after), shares(before), atol=1e-3)


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (128, 1), (96, 3)])
def test_faces_are_scaled_as_in_training(faces, size, channels):
    weights = one_face.scaling(size)
    for face in faces:
        ours = one_face.to_model(face[None], weights, channels)
        trained = images.to_model(face[None], size, channels).numpy()
        assert ours.dtype == np.float32 and ours.shape == trained.shape
        wrong = np.abs(ours - trained)
        # Sums that end in a half are rounded either way: by one level of 127.5.
        assert wrong.max() < 1 / 127 and (wrong > 1e-6).mean() < 1e-3


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
