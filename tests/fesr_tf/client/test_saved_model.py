"""The model in this process: single faces on one thread, with the same answers."""

from __future__ import annotations

import os

import numpy as np

from fesr_tf.client import Client, one_thread, saved_model


def test_single_faces_get_the_same_answers_on_one_thread(exported_model):
    faces = list(np.random.default_rng(4).integers(0, 255, (3, 128, 128, 3), np.uint8))
    with Client(model=exported_model) as client:
        before = [client.classify([face])[0] for face in faces]
        assert client._backend._one_thread is None
        for _ in range(saved_model.SINGLE):
            client.classify(faces[:1])
        assert client._backend._one_thread is not None
        after = [client.classify([face])[0] for face in faces]
        together = client.classify(faces)
        for answers in (after, together):
            for old, new in zip(before, answers, strict=True):
                assert old.label == new.label
                np.testing.assert_allclose(
                    list(old.probabilities.values()), list(new.probabilities.values()), atol=1e-5
                )
        np.testing.assert_allclose(client.embed(faces[:1]), client.embed(faces)[:1], atol=1e-4)


def test_a_large_model_keeps_all_threads(exported_model, tmp_path):
    assert one_thread.is_small(exported_model)
    (tmp_path / "variables").mkdir()
    with (tmp_path / "variables" / "variables.data-00000-of-00001").open("wb") as file:
        file.truncate(2**24 + 1)
    assert not one_thread.is_small(tmp_path)


def test_an_application_keeps_its_own_setting_of_the_pools(monkeypatch):
    monkeypatch.setenv("TF_OVERRIDE_GLOBAL_THREADPOOL", "0")
    one_thread.own_pools()
    assert os.environ["TF_OVERRIDE_GLOBAL_THREADPOOL"] == "0"
