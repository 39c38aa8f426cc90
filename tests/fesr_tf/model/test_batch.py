"""A dataset that does not fit is named by its types and shapes, not by a traceback's depths."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import config
from fesr_tf.model import fesr
from fesr_tf.model.batch import unpack
from pipelines.common.errors import BadUse

TINY = config.resolve("demo", "FESR_JL", ["image_size=32", "width=0.0625", "batch_size=2"])
IMAGE, LABEL = np.zeros((4, 32, 32, 1), np.float32), np.zeros(4, np.int32)
WANTED = r"\(image, positive, label\).*float32 \(B, 32, 32, 1\).*"


@pytest.fixture(scope="module")
def model() -> fesr.FESR:
    return fesr.build(TINY, 4)


@pytest.mark.parametrize(
    ("members", "given"),
    [
        ((IMAGE, LABEL), r"\(float32 \(B, 32, 32, 1\), int32 \(B,\)\)"),
        (IMAGE, r"float32 \(B, 32, 32, 1\)"),
        ({"image": IMAGE}, r"\{image: float32 \(B, 32, 32, 1\)\}"),
        ((IMAGE.astype(np.uint8), IMAGE, LABEL), r"\(uint8 \(B, 32, 32, 1\), float32"),
        ((IMAGE[:, :16], IMAGE, LABEL), r"\(float32 \(B, 16, 32, 1\), float32"),
        ((IMAGE, IMAGE[..., 0], LABEL), r"float32 \(B, 32, 32\), int32"),
        ((IMAGE, IMAGE, np.eye(4, dtype=np.float32)), r"float32 \(B, 4\)\)"),
    ],
)
def test_a_dataset_of_another_structure_is_refused_by_its_structure(members, given, model):
    dataset = tf.data.Dataset.from_tensor_slices(members).batch(2)
    with pytest.raises(BadUse, match=f"{WANTED}.*{given}"):
        model.fit(dataset, epochs=1, verbose=0)


def test_a_batch_that_fits_is_handed_out():
    members = tuple(map(tf.constant, (IMAGE, IMAGE + 1, LABEL)))
    image, positive, label, known = unpack(members, TINY)
    assert image is members[0] and positive is members[1] and label is members[2] and known == {}
    known = {"map": tf.zeros((4, 1))}
    assert unpack((*members, known), TINY)[3] is known
