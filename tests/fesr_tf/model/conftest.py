"""Images and a face network for the settings beyond the paper."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf.data import Faces
from fesr_tf.networks.face_networks import FaceNetwork, load_face_network


@pytest.fixture(scope="module")
def faces() -> Faces:
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 1), np.uint8)
    names = np.array(list("abcdefgh"))
    votes = np.random.default_rng(1).dirichlet(np.ones(3), 8).astype(np.float32)
    labels = np.array([0, 0, 0, 0, 0, 0, 2, 2], np.int32)
    return Faces(images, labels, names, names, np.ones(8, np.float32), votes=votes)


@pytest.fixture(scope="module")
def demo() -> FaceNetwork:
    return load_face_network("light_cnn_demo", random_seed=0)
