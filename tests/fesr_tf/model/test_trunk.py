"""R's trunk from another face network than F_id's."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from fesr_tf import config
from fesr_tf.data import Faces
from fesr_tf.model.fesr import FESR
from fesr_tf.model.frozen_features import cached_bytes, frozen_features
from fesr_tf.networks.face_networks import FaceNetwork, load_face_network
from tests.fesr_tf.model.test_fesr import CLASSES, TINY, batch

DEMO = "light_cnn_demo"


def demo() -> FaceNetwork:
    return load_face_network(DEMO, random_seed=0)


@pytest.fixture(scope="module")
def photo() -> FaceNetwork:
    return load_face_network("light_cnn_photo", random_seed=1)


def build(trunk: FaceNetwork | None) -> FESR:
    keras.utils.set_random_seed(0)
    model = FESR(config.resolve("demo", overrides=TINY), CLASSES, demo(), trunk)
    model.compile()
    return model


def losses(model: FESR) -> dict[str, float]:
    step = tf.function(model.train_step, autograph=False)
    return {name: float(value) for name, value in step(batch()).items()}


@pytest.fixture(scope="module")
def plain() -> dict[str, float]:
    return losses(build(None))


def test_the_same_network_named_twice_gives_the_same_losses(plain):
    assert losses(build(demo())) == pytest.approx(plain, rel=1e-4, abs=1e-5)


def test_r_reads_its_trunk_and_l_id_the_other_network(photo, plain):
    model = build(photo)
    image = batch()[0]
    features = model.recognizer.extract(photo.trunk(image))
    np.testing.assert_allclose(model(image), model.recognizer.classify(features), rtol=1e-5)
    assert model.recognizer.convolutions[0].kernel.shape[2] == 80
    found = losses(model)
    assert found["L_id"] == pytest.approx(plain["L_id"], rel=1e-5)
    assert found["L_R"] != plain["L_R"]


def test_the_cache_holds_maps_of_the_one_and_embeddings_of_the_other(photo):
    settings = config.resolve("demo", overrides=TINY)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), np.uint8)
    names = np.array(["a", "b", "c"])
    faces = Faces(images, np.array([0, 2, 3]), names, names, np.ones(3, np.float32))
    known = frozen_features(demo(), faces, settings, False, trunk_network=photo)
    image = faces.floats(np.arange(3))
    np.testing.assert_allclose(known.maps, photo.trunk(image), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(known.embeddings, demo().embed(image), rtol=1e-5, atol=1e-5)
    assert cached_bytes(demo(), settings, 3, photo) == 3 * 4 * (8 * 8 * 80 + 128)
