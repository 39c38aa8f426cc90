"""The client against the stand-in by gRPC and REST, and against the SavedModel itself.

The stand-in is not TensorFlow Serving: it speaks its protocols over `tf.saved_model.load`.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time

import numpy as np
import pytest

from fesr_tf.client import Client, errors
from fesr_tf.client.connection import Address, parse, pauses
from pipelines.common.errors import BadUse
from pipelines.media import images
from tests.support.naming import naming


def gray(value: int) -> bytes:
    return images.encode_png(np.full((40, 40), value, np.uint8))


FACES = [gray(value) for value in (10, 128, 250)]


def client(server: str, **options) -> Client:
    return Client(server, **{"name": "drawing", "timeout": 20.0, "attempts": 2} | options)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("count", [1, 3])
def test_a_server_answers_as_the_savedmodel_does(server, drawing_folder, count):
    with client(server) as there, Client(model=drawing_folder) as here:
        answers, expected = there.classify(FACES[:count]), here.classify(FACES[:count])
        assert [each.label for each in answers] == ["neutral", "happiness", "surprise"][:count]
        for answer, other in zip(answers, expected, strict=True):
            assert answer.probabilities == pytest.approx(other.probabilities, abs=1e-6)
        np.testing.assert_allclose(there.embed(FACES), here.embed(FACES), atol=1e-6)
        assert there.classes == here.classes == ("neutral", "happiness", "surprise")


def test_a_photographs_faces_come_by_three_lines(server, demo_images):
    photo = sorted((demo_images / "happiness").glob("*.png"))[-1]
    (face,) = client(server).faces(photo)
    light = np.mean(images.to_gray(images.decode(face.chip))) / 255
    scores = np.exp([-10 * abs(light - at) for at in (0, 0.5, 1)])
    assert list(face.probabilities.values()) == pytest.approx(scores / scores.sum(), abs=0.01)


def test_the_exported_model_answers_the_same_behind_both(demo_images, exported_model):
    from tests.support.serving_standin import Models, serve_grpc, serve_rest

    models = Models(exported_model.parent, "fesr")
    photo = sorted((demo_images / "happiness").glob("*.png"))[-1]
    (expected,) = Client(model=exported_model).faces(photo)
    with serve_grpc(models) as one, serve_rest(models) as other:
        for server in (one, other):
            (face,) = Client(server, name="fesr").faces(photo)
            assert (face.box, face.label) == (expected.box, expected.label)
            assert face.probabilities == pytest.approx(expected.probabilities, abs=1e-6)


def test_faces_are_drawn_and_people_sampled(server):
    with client(server) as there:
        assert there.has("synthesize") and there.has("sample")
        darker, same = there.synthesize([gray(150)] * 2, ["happiness"] * 2, [-0.5, 0.0])
        assert darker.ravel()[0] == 100 and same.ravel()[0] == 150
        one, other = there.sample(["neutral", "surprise"], [1.0, -1.0], [7, 9])
        assert (one.ravel()[0], one.ravel()[1]) == (7, 228)
        assert (other.ravel()[0], other.ravel()[1]) == (9, 28)
        with pytest.raises(BadUse, match=naming("'rage'", "neutral", "happiness", "surprise")):
            there.sample(["rage"], [0.0], [1])
        with pytest.raises(BadUse, match=naming(1.5, -1, 1)):
            there.sample(["neutral"], [1.5], [1])


def test_one_bad_picture_costs_only_itself(server, models):
    with client(server) as there:
        before = models.requests
        answers = there._classify([FACES[0], b"\x89PNG\r\n\x1a\nbroken", FACES[2]])
        assert models.requests - before == 4
    assert answers[0].label == "neutral" and answers[2].label == "surprise"
    assert isinstance(answers[1], errors.Refused)
    assert "Invalid PNG" in str(answers[1]) and "\n" not in str(answers[1])  # TensorFlow's words


def test_batches_are_no_larger_than_asked(server, models):
    with client(server, batch=2) as there:
        before = models.requests
        assert len(there.classify(FACES + FACES[:2])) == 5
        assert models.requests - before == 3


def test_a_busy_server_is_asked_again(server, models):
    models.busy = 2
    with client(server, attempts=3) as there:
        began = time.monotonic()
        assert there.classify(FACES[:1])[0].label == "neutral"
        # Two pauses, 0.25 and 0.5 s, each a fifth shorter or longer.
        assert 0.6 <= time.monotonic() - began < 5
        models.busy = 3
        with pytest.raises(errors.ServerDown, match="queue"):
            there.classify(FACES[:1])


def test_pauses_double_up_to_a_limit():
    assert pauses(1) == []
    assert pauses(8) == [0.25, 0.5, 1, 2, 4, 8, 8]


def test_a_model_that_is_loading_is_waited_for(server, models):
    models.state = "LOADING"
    with pytest.raises(errors.NotAvailable) as told:
        client(server)
    assert re.search(naming(1, 3, "drawing"), str(told.value))
    assert str(told.value).count("LOADING") == 2
    timer = threading.Timer(0.4, setattr, (models, "state", "AVAILABLE"))
    timer.start()
    with client(server, attempts=5) as there:
        assert there.classify(FACES[:1])[0].label == "neutral"
    timer.join()


def test_a_model_that_failed_to_load_is_told_with_its_reason(server, models):
    models.state, models.message = "END", "Could not find variable w"
    with pytest.raises(errors.NotAvailable, match=naming("END", "Could not find variable w")):
        client(server, attempts=1)


def test_versions_and_labels(server):
    for version in (1, 3, None, "stable"):
        with client(server, version=version) as there:
            assert there.classify(FACES[:1])[0].label == "neutral"
    with pytest.raises(errors.WrongVersion, match=naming("'2'", 1, 3)):
        client(server, version=2)
    with pytest.raises(errors.WrongVersion, match=naming("'canary'", "Unrecognized")):
        client(server, version="canary")


def test_unknown_models_and_signatures(server):
    with pytest.raises(errors.UnknownModel, match=naming("'other'", "--name")):
        client(server, name="other")
    with pytest.raises(errors.UnknownModel):
        client(server, name="other", version=2)
    with client(server) as there:
        there._backend._signatures.pop("sample")
        assert not there.has("sample")
        with pytest.raises(
            errors.UnknownSignature, match=naming("'sample'", "embed", "synthesize")
        ):
            there.sample(["neutral"], [0.0], [1])


def test_a_signature_that_went_away_is_a_sentence(server, models):
    with client(server) as there:
        kept = {version: each.signatures for version, each in models.versions.items()}
        try:
            for each in models.versions.values():
                each.signatures = {}
            with pytest.raises(errors.UnknownSignature, match="serving_default"):
                there.classify(FACES[:1])
        finally:
            for version, each in models.versions.items():
                each.signatures = kept[version]


def test_a_slow_server_is_given_up_once(server, models):
    with client(server, attempts=3) as there:
        assert there.classify(FACES[:1])
        there._backend._timeout, models.delay, before = 0.3, 2.0, models.requests
        with pytest.raises(errors.TooSlow, match=naming(0.3, "--timeout")):
            there.classify(FACES[:1])
        assert models.requests - before == 1


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_server_that_is_down_is_one_sentence(scheme):
    port, began = free_port(), time.monotonic()
    with pytest.raises(errors.ServerDown) as told:
        Client(f"{scheme}://127.0.0.1:{port}", attempts=2)
    assert 0.2 <= time.monotonic() - began < 20
    assert re.search(naming(8500, port), str(told.value)) and "\n" not in str(told.value)


def test_a_server_that_comes_back_is_found(models):
    from tests.support.serving_standin import serve_grpc, serve_rest

    for serve, scheme in ((serve_grpc, "grpc"), (serve_rest, "http")):
        port, stop = free_port(), threading.Event()

        def later(serve=serve, port=port, stop=stop):
            time.sleep(0.7)
            with serve(models, port):
                stop.wait(60)

        thread = threading.Thread(target=later)
        thread.start()
        try:
            with client(f"{scheme}://127.0.0.1:{port}", attempts=6) as there:
                assert there.classify(FACES[:1])[0].label == "neutral"
        finally:
            stop.set()
            thread.join()


def test_addresses():
    assert parse("host:8500") == Address("gRPC", "host:8500")
    assert parse("host:8501") == Address("REST", "http://host:8501")
    assert parse("grpc://host:8501") == Address("gRPC", "host:8501")
    assert parse("https://host:443") == Address("REST", "https://host:443")
    assert parse("[::1]:8500") == Address("gRPC", "[::1]:8500")
    for wrong in ("host", "ftp://host:21", "http://host:80/path", "host:99999", "", "u@h:1"):
        with pytest.raises(BadUse, match=naming("--server", repr(wrong))):
            parse(wrong)


def test_the_command_takes_both_and_says_what_is_wrong(server, demo_images, tmp_path, capfd):
    from fesr_tf.client.__main__ import main

    words = [str(demo_images / "fear"), "--server", server, "--name", "drawing"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "faces.csv").read_text().count("\n") > 1
    assert main([*words[:-1], "nobody", "--attempts", "1"]) == 2
    error = capfd.readouterr().err
    assert error.count("error: ") == 1 and "'nobody'" in error


def test_a_server_that_dies_in_between_leaves_what_was_done(models, demo_images, tmp_path, capfd):
    from fesr_tf.client.__main__ import main
    from tests.support.serving_standin import serve_rest

    asked = []

    def predict(*arguments):
        asked.append(1)
        if len(asked) > 2:
            models.busy = 100
        return type(models).predict(models, *arguments)

    with serve_rest(models) as address, contextlib.ExitStack() as stack:
        stack.callback(models.__dict__.pop, "predict")
        models.predict = predict
        words = [str(demo_images / "fear"), "--server", address, "--name", "drawing"]
        code = main([*words, "--output", str(tmp_path), "--batch", "1", "--attempts", "2"])
    error = capfd.readouterr().err
    pictures = len(list((demo_images / "fear").iterdir()))
    assert code == 1 and re.search(naming(2, pictures, address), error)
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 3
