"""TensorFlow Serving's REST port: status, metadata and predict, in rows or columns."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tests.support.serving_standin.models import Models, Problem

_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<what>/metadata|:predict)?"
)
_STATUS = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "UNAVAILABLE": 503}


@contextlib.contextmanager
def serve_rest(models: Models, port: int = 0) -> Iterator[str]:
    """Serves while the block runs; yields `http://host:port`. Port 0 takes a free one."""
    handler = type("Handler", (_Handler,), {"models": models})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    models: Models
    protocol_version = "HTTP/1.1"
    # Head and body go out in two packets; without this the second waits for the first.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, body: bytes | None) -> None:
        try:
            status, answer = 200, self._found(body)
        except Problem as problem:
            status, answer = _STATUS[problem.code], {"error": problem.words}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _found(self, body: bytes | None) -> dict[str, Any]:
        path = _PATH.fullmatch(self.path)
        if path is None or (body is None) == (path["what"] == ":predict"):
            raise Problem("INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}")
        name, version = path["name"], int(path["version"]) if path["version"] else None
        if path["what"] is None:
            states = self.models.states(name, version)
            return {"model_version_status": [
                {"version": str(number), "state": state, "status":
                 {"error_code": "OK", "error_message": message}}
                for number, state, message in states
            ]}  # fmt: skip
        version = self.models.choose(name, version, path["label"])
        definitions = self.models.definitions(version)
        if path["what"] == "/metadata":
            held = {key: json_format.MessageToDict(each, preserving_proto_field_name=True)
                    for key, each in definitions.items()}  # fmt: skip
            return {
                "model_spec": {"name": name, "signature_name": "", "version": str(version)},
                "metadata": {"signature_def": {"signature_def": held}},
            }
        return self._predict(version, body)

    def _predict(self, version: int, body: bytes) -> dict[str, Any]:
        try:
            request = json.loads(body)
        except ValueError:
            raise Problem("INVALID_ARGUMENT", "JSON Parse error") from None
        signature = request.get("signature_name", "serving_default")
        rows = "instances" in request
        if rows == ("inputs" in request):
            raise Problem("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")
        definition = self.models.definitions(version).get(signature)
        kinds = {key: each.dtype for key, each in definition.inputs.items()} if definition else {}
        inputs = _from_rows(request["instances"], kinds) if rows else request["inputs"]
        if not isinstance(inputs, dict):
            inputs = {next(iter(kinds), ""): inputs}
        tensors = {key: tf.constant(_decoded(each), kinds.get(key)) for key, each in inputs.items()}
        answer = self.models.predict(version, signature, tensors)
        columns = {key: _encoded(key, array) for key, array in answer.items()}
        # A single output loses its name, in rows and in columns.
        if rows:
            listed = [dict(zip(columns, row, strict=True))
                      for row in zip(*columns.values(), strict=True)]  # fmt: skip
            single = len(columns) == 1
            return {"predictions": next(iter(columns.values())) if single else listed}
        return {"outputs": next(iter(columns.values())) if len(columns) == 1 else columns}


def _from_rows(rows: list, kinds: dict[str, int]) -> dict[str, list]:
    names = list(kinds)
    named = [row if _is_named(row) else {names[0]: row} for row in rows]
    return {name: [row[name] for row in named] for name in named[0]}


def _is_named(row: Any) -> bool:
    return isinstance(row, dict) and set(row) != {"b64"}


def _decoded(value: Any) -> Any:
    """Base64 objects to bytes, through lists."""
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if isinstance(value, dict):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (KeyError, binascii.Error):
            raise Problem("INVALID_ARGUMENT", "Unable to base64 decode") from None
    return value


def _encoded(name: str, array: np.ndarray) -> list:
    """A tensor as JSON: bytes as base64 where the name says so, other strings as text."""
    if array.dtype != object:
        return array.tolist()
    as_bytes = name.endswith("_bytes")

    def one(value: bytes) -> Any:
        return {"b64": base64.b64encode(value).decode()} if as_bytes else value.decode()

    return [_encoded(name, each) if isinstance(each, np.ndarray) else one(each) for each in array]
