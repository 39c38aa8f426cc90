"""Servers that lie: what they answer is refused in a sentence, in bounded memory."""

from __future__ import annotations

import base64
import contextlib
import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from fesr_tf.client import Client, errors, rest_backend, signatures
from pipelines.common.errors import FesrError
from pipelines.media import images
from tests.support.corpus.pictures import bombs
from tests.support.naming import naming

FACE = images.encode_png(np.full((40, 40), 90, np.uint8))
GOOD = {"probabilities": [[0.25, 0.75]], "label": ["b"], "classes": [["a", "b"]]}
NAMES = {"inputs": {"image_bytes": {}}, "outputs": {key: {} for key in GOOD}}
DRAWN = {"inputs": {key: {} for key in ["expression", "intensity", "seed"]},
         "outputs": {"image_bytes": {}}}  # fmt: skip


@contextlib.contextmanager
def rest(answer: bytes, status: int = 200, location: str | None = None):
    """A REST server that is in order but for its predictions."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith("/metadata"):
                held = {"serving_default": NAMES, "sample": DRAWN}
                found = {"metadata": {"signature_def": {"signature_def": held}}}
            else:
                found = {"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}
            self.send(200, json.dumps(found).encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send(status, answer)

        def send(self, code, data):
            self.send_response(code)
            if location and code != 200:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def columns(**changes) -> bytes:
    return json.dumps({"outputs": GOOD | changes}).encode()


LIES = {
    "nan": columns(probabilities=[[float("nan"), 1.0]]),
    "too many": columns(probabilities=[[0.25, 0.75]] * 2),
    "ragged": columns(probabilities=[[0.25], [0.5, 0.5]]),
    "no distribution": columns(probabilities=[[5.0, -4.0]]),
    "text for numbers": columns(probabilities=[["x", "y"]]),
    "a label that is no class": columns(label=["c"]),
    "an escape in a class": columns(classes=[["\u001b[2J", "b"]]),
    "a long class": columns(classes=[["a" * 10_000, "b"]]),
    "classes twice": columns(classes=[["b", "b"]]),
    "one missing": json.dumps({"outputs": {"label": ["b"]}}).encode(),
    "no outputs": b"{}",
    "deep": b'{"outputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no JSON": b"<html>hello</html>",
    "long": b'{"outputs": "' + b"a" * (rest_backend.MAX_JSON + 1) + b'"}',
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_a_sentence(name):
    with (
        rest(LIES[name]) as server,
        Client(server, name="x", attempts=1) as client,
        pytest.raises(FesrError) as told,
    ):
        client.classify([FACE])
    assert isinstance(told.value, (errors.BadAnswer, errors.ServerDown))
    assert "\n" not in str(told.value) and len(str(told.value)) < 500


def test_the_same_server_without_a_lie_is_believed():
    with rest(columns()) as server, Client(server, name="x") as client:
        (answer,) = client.classify([FACE])
        assert answer.label == "b" and answer.probabilities == {"a": 0.25, "b": 0.75}


def test_a_redirect_is_not_followed():
    with rest(columns()) as other, rest(b'{"error": "moved"}', 307, f"{other}/x:predict") as server:
        with Client(other, name="x") as client:
            assert client.classify([FACE])[0].label == "b"
        with (
            Client(server, name="x", attempts=1) as client,
            pytest.raises(errors.BadAnswer, match="307"),
        ):
            client.classify([FACE])


@contextlib.contextmanager
def dripping(head: bytes):
    """A server that sends `head`, then a blank ten times a second, and never ends an answer."""
    stop = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                self.request.sendall(head)
                while not stop.wait(0.1):
                    self.request.sendall(b" ")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            stop.set()
            server.shutdown()


@pytest.mark.parametrize(
    ("scheme", "head"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\n"),
        ("http", b""),
        ("grpc", b""),
    ],
)
def test_a_server_that_drips_ends_at_the_timeout(scheme, head):
    with dripping(head) as address:
        began = time.monotonic()
        with pytest.raises((errors.TooSlow, errors.ServerDown)):
            Client(f"{scheme}://{address}", name="x", attempts=1, timeout=0.6)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("bomb", ["real_12000.png", "header_60000.png", "strip.tif", "canvas.webp"])
def test_a_bomb_for_a_drawn_picture_is_not_decoded(bomb, monkeypatch):
    from PIL import Image, ImageFile

    def load(self):
        raise AssertionError("decoded")

    data = dict(bombs())[bomb]
    packed = json.dumps({"outputs": [{"b64": base64.b64encode(data).decode()}]})
    with rest(packed.encode()) as server, Client(server, name="x", attempts=1) as client:
        client._classes = ("a", "b")
        monkeypatch.setattr(ImageFile.ImageFile, "load", load)
        monkeypatch.setattr(Image.Image, "load", load)
        with pytest.raises(errors.BadAnswer):
            client.sample(["a"], [0.0], [1])


def test_a_declared_size_allocates_nothing():
    for shape in ([2**40], [2**20, 2**20], [1, -1], [1, 1, 1, 1]):
        with pytest.raises(errors.BadAnswer, match=naming("probabilities", *shape)):
            signatures.check_shape("there", "probabilities", shape)


def test_a_tensor_that_declares_more_than_it_holds(models):
    """gRPC: sixteen bytes that mean four terabytes."""
    import tensorflow as tf

    from tests.support.serving_standin import over_grpc

    def lying(array):
        proto = tf.make_tensor_proto(array)
        if array.dtype == np.float32:
            proto.Clear()
            proto.dtype = 1
            proto.float_val.append(0.5)
            proto.tensor_shape.dim.add().size = 2**40
        return proto

    class Lying:
        def __getattr__(self, name):
            return getattr(tf, name)

        make_tensor_proto = staticmethod(lying)

    with (
        pytest.MonkeyPatch.context() as patch,
        over_grpc.serve_grpc(models) as server,
        Client(server, name="drawing", attempts=1) as client,
    ):
        patch.setattr(over_grpc, "tf", Lying())
        with pytest.raises(errors.BadAnswer, match=str(2**40)):
            client.classify([FACE])
