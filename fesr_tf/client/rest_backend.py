"""The model behind TensorFlow Serving's REST port: JSON, images as standard base64."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import requests

from fesr_tf.client import errors
from fesr_tf.client.connection import ServerBackend, Wanted, retrying
from fesr_tf.client.inputs import objects
from fesr_tf.client.signatures import CONTRACT, NUMBERS, Signature, check_shape
from pipelines.common.errors import FesrError

T = TypeVar("T")

_BLOCK = 2**16
MAX_JSON = 2**24
"""Bytes of one answer; as Python lists they take up to twenty times as much."""
_CAUSES = {
    400: errors.Refused,
    404: errors.WrongVersion,
    408: errors.TooSlow,
    412: errors.Refused,
    413: errors.TooLarge,
    429: errors.ServerDown,
    502: errors.ServerDown,
    503: errors.ServerDown,
    504: errors.TooSlow,
}


class Rest(ServerBackend):
    """A `Backend` for a server at `http://host:port`; see `ServerBackend`."""

    # As JSON, pixels take six times the bytes of a PNG in base64.
    takes_pixels = False

    def __init__(self, where: str, wanted: Wanted, timeout: float, attempts: int) -> None:
        self._model = self._path = f"/v1/models/{quote(wanted.name, safe='')}"
        if wanted.version is not None:
            kind = "versions" if isinstance(wanted.version, int) else "labels"
            self._path += f"/{kind}/{quote(str(wanted.version), safe='')}"
        self._session = requests.Session()
        super().__init__(where, wanted, timeout, attempts)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature."""
        columns = {
            name: [{"b64": base64.b64encode(data).decode()} for data in array]
            if name.endswith("_bytes")
            else [text.decode() for text in array]
            if array.dtype == object
            else array.tolist()
            for name, array in inputs.items()
        }
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        answer = retrying(lambda: self._call("POST", f"{self._path}:predict", body), self._attempts)
        outputs, expected = answer.get("outputs"), CONTRACT[signature].outputs
        # A single output comes without its name.
        if len(self._signatures[signature].outputs) == 1 and not isinstance(outputs, dict):
            outputs = dict.fromkeys(expected, outputs)
        if not isinstance(outputs, dict):
            raise errors.BadAnswer(self.where, "it has no 'outputs'")
        return {name: self._array(name, outputs[name]) for name in expected if name in outputs}

    def close(self) -> None:
        """Ends the connection."""
        self._session.close()

    def _array(self, name: str, values: Any) -> np.ndarray:
        try:
            if name.endswith("_bytes"):
                return objects([base64.b64decode(v["b64"], validate=True) for v in values])
            # Strings as objects: each element of a text array takes as much as the longest.
            array = np.array(values, NUMBERS.get(name, object))
            check_shape(self.where, name, array.shape)
            if name in NUMBERS:
                return array
            return objects([text.encode() for text in array.ravel()]).reshape(array.shape)
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            raise errors.BadAnswer(self.where, f"{name!r}: {errors.short(error)}") from None

    def _states(self) -> dict[str, tuple[str, str]]:
        answer = self._call("GET", self._model)
        try:
            return {
                errors.short(version["version"]): (
                    errors.short(version["state"]),
                    errors.short(version.get("status", {}).get("error_message", "")),
                )
                for version in answer["model_version_status"]
            }
        except (TypeError, LookupError, AttributeError) as error:
            raise errors.BadAnswer(self.where, f"its model status lacks {error}") from None

    def _read_signatures(self) -> dict[str, Signature]:
        answer = self._call("GET", f"{self._path}/metadata")
        try:
            definitions = answer["metadata"]["signature_def"]["signature_def"]
            return {
                str(name): Signature.of(each.get("inputs") or (), each.get("outputs") or ())
                for name, each in definitions.items()
            }
        except (TypeError, LookupError, AttributeError) as error:
            raise errors.BadAnswer(self.where, f"its metadata lack {error}") from None

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        try:
            status, data = self._within_timeout(lambda: self._exchange(method, path, body))
        except requests.exceptions.ReadTimeout:
            raise errors.TooSlow(self.where, self._timeout) from None
        except requests.exceptions.RequestException as error:
            raise self._unreachable(error) from None
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise errors.ServerDown(
                self.where, f"HTTP {status} without the JSON of TensorFlow Serving"
            )
        if status == 200 and "error" not in answer:
            return answer
        cause, message = _CAUSES.get(status), str(answer.get("error", ""))
        if cause in (None, errors.ServerDown):
            message = f"HTTP {status}: {message}"
        # The status of a model lists all versions, whichever is wanted.
        version = None if path == self._model else self._wanted.version
        raise self._failure(cause, message, len(body or b""), version)

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """The status and body of the answer to one request, within the limit of size."""
        deadline = time.monotonic() + self._timeout
        with self._session.request(
            method,
            self.where + path,
            data=body,
            # Uncompressed: a packed answer may expand a thousandfold.
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            timeout=self._timeout,
            stream=True,
            # A server does not choose where images of people are sent.
            allow_redirects=False,
        ) as response:
            parts, size = [], 0
            for part in response.iter_content(_BLOCK):
                size += len(part)
                if size > MAX_JSON:
                    raise errors.BadAnswer(self.where, f"it is longer than {MAX_JSON:,} bytes")
                if time.monotonic() > deadline:
                    raise errors.TooSlow(self.where, self._timeout)
                parts.append(part)
            return response.status_code, b"".join(parts)

    def _within_timeout(self, call: Callable[[], T]) -> T:
        """The result or error of `call`; raises `TooSlow` if it takes longer than the timeout.

        The timeout of a socket starts again with every byte, and a server may send one byte at a
        time. `call` is then left to a thread that does not outlive this process.
        """
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(call())
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            return done.result(self._timeout)
        except TimeoutError:
            raise errors.TooSlow(self.where, self._timeout) from None

    def _unreachable(self, error: requests.exceptions.RequestException) -> FesrError:
        # The innermost reason is the system's ("Connection refused"), wrapped by urllib3's.
        reason: BaseException = error
        while isinstance(reason.args[0] if reason.args else None, BaseException):
            reason = reason.args[0]
        inner = getattr(reason, "reason", None) or reason
        if "timed out" in str(inner) and not isinstance(error, requests.exceptions.ConnectTimeout):
            return errors.TooSlow(self.where, self._timeout)
        return errors.ServerDown(self.where, str(inner).rpartition(": ")[2] or inner)
