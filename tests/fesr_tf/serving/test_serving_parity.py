"""A photograph means the same to training and to the server: same pixels, same probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fesr_tf import evaluate
from fesr_tf.client import Client
from fesr_tf.data import Faces
from fesr_tf.data import images as preprocessing
from fesr_tf.serving.cpp_loader import CppSession
from pipelines.common.errors import BadUse
from pipelines.faces.alignment import FaceAligner
from pipelines.media import images
from tests.support.naming import naming

COUNT = 5


@pytest.fixture(scope="module")
def faces(opened_run) -> Faces:
    """Test faces as `pipelines.preprocess` stored and `fesr_tf.data` read them."""
    return evaluate.load_data(opened_run).test.of(np.arange(COUNT))


@pytest.fixture(scope="module")
def photos(demo_images, faces) -> list[Path]:
    """The photographs that they come from."""
    return [demo_images / f"{key}.png" for key in faces.keys]


@pytest.fixture(scope="module")
def chips(photos) -> list[bytes]:
    """The same faces as a client finds them in the photographs."""
    aligner = FaceAligner()
    return [images.encode_png(aligner.find_all(images.read(photo))[0].chip) for photo in photos]


def test_the_client_sends_the_pixels_that_training_saw(faces, chips, opened_run):
    config = opened_run.config
    for chip, image in zip(chips, faces.images, strict=True):
        decoded = preprocessing.decode_image(chip, config.channels)
        sized = preprocessing.to_size(decoded, config.image_size, config.channels)
        np.testing.assert_array_equal(sized, image)


def test_pixels_mean_what_their_file_means(chips, exported_model):
    colour = images.decode(chips[0])
    gray, small = images.to_gray(colour), colour[:100, 5:95]
    faces = [colour, gray, small, colour[:, ::-1]]
    with Client(model=exported_model) as client:
        assert client._request(faces[:2])[0] == "predict_pixels"
        assert client._request(faces)[0] == "serving_default"
        expected = client.classify([images.encode_png(face) for face in faces])
        for places in ([0], [1, 3], [0, 1, 2, 3]):
            answers = client.classify([faces[i] for i in places])
            for i, answer in zip(places, answers, strict=True):
                assert answer.label == expected[i].label
                assert answer.probabilities == pytest.approx(expected[i].probabilities, abs=1e-6)
        assert expected[0].probabilities != pytest.approx(expected[3].probabilities, abs=1e-6)
        as_files = [images.encode_png(face) for face in faces]
        np.testing.assert_array_equal(client.embed(faces), client.embed(as_files))
        drawn = [client.synthesize(each, ["anger"], [1.0])[0] for each in (faces[:1], as_files[:1])]
        np.testing.assert_array_equal(*drawn)
        for single in (colour, gray, as_files[0]):
            with pytest.raises(BadUse):
                client.classify(single)
        with pytest.raises(BadUse, match=r"\bstr\b"):
            client.classify(["face.png"])
        with pytest.raises(BadUse, match="embed"):
            client.embed([])
        with pytest.raises(BadUse, match=naming("uint8", "float32 (128, 128)")):
            client.classify([gray.astype(np.float32)])


def test_a_photograph_has_the_same_probabilities_evaluated_and_served(
    faces, photos, chips, opened_run, exported_model
):
    rows = evaluate.evaluate(opened_run, faces)["predictions"]
    evaluated = np.array([row["probabilities"] for row in rows])
    with Client(model=exported_model) as client:
        shares = [client.faces(photo)[0].probabilities for photo in photos]
    predicted = [[each[name] for name in opened_run.info.classes] for each in shares]
    np.testing.assert_allclose(predicted, evaluated, atol=1e-5)
    with CppSession(exported_model) as session:
        served = session.run("serving_default", {"image_bytes": np.array(chips, object)})
    np.testing.assert_allclose(served["probabilities"], evaluated, atol=1e-5)
