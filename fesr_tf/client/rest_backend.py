"""The model behind TensorFlow Serving's REST port: JSON, pictures as standard base64."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import requests

from fesr_tf.client import errors
from fesr_tf.client.availability import require_available
from fesr_tf.client.connection import Wanted
from fesr_tf.client.retries import retrying
from fesr_tf.client.signatures import CONTRACT, NUMBERS, Signature, check_shape
from pipelines.common.errors import FesrError

_BLOCK = 2**16
MAX_JSON = 2**24
"""Bytes of one answer. Python's lists of what is in it take up to twenty times as much."""


class Rest:
    """A `Backend`. target: `http://host:port`; timeout: seconds for one attempt; attempts: how
    often a server that is down or loading is asked. Raises what `errors` has."""

    # As JSON they are six times as long as a PNG in base64.
    takes_pixels = False

    def __init__(self, target: str, wanted: Wanted, timeout: float, attempts: int) -> None:
        self.where, self._wanted = target, wanted
        self._timeout, self._attempts = timeout, attempts
        self._model = f"/v1/models/{quote(wanted.name, safe='')}"
        version = wanted.version
        kind = "versions" if isinstance(version, int) else "labels"
        self._path = self._model
        if version is not None:
            self._path += f"/{kind}/{quote(str(version), safe='')}"
        self._session = requests.Session()
        try:
            retrying(self._require_available, attempts)
            self._signatures = retrying(self._read_signatures, attempts)
        except BaseException:
            self.close()
            raise

    def signatures(self) -> dict[str, Signature]:
        """What the model has."""
        return self._signatures

    def ask(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature."""
        columns = {
            name: [{"b64": base64.b64encode(each).decode()} for each in array]
            if name.endswith("_bytes")
            else [each.decode() for each in array]
            if array.dtype == object
            else array.tolist()
            for name, array in inputs.items()
        }
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        answer = retrying(lambda: self._call("POST", f"{self._path}:predict", body), self._attempts)
        outputs = answer.get("outputs")
        expected = CONTRACT[signature].outputs
        # A single output comes without its name.
        if len(self._signatures[signature].outputs) == 1 and not isinstance(outputs, dict):
            outputs = dict.fromkeys(expected, outputs)
        if not isinstance(outputs, dict):
            raise errors.bad_answer(self.where, "it has no 'outputs'")
        return {name: self._array(name, outputs[name]) for name in expected if name in outputs}

    def close(self) -> None:
        """Ends the connection."""
        self._session.close()

    def _array(self, name: str, values: Any) -> np.ndarray:
        try:
            if name.endswith("_bytes"):
                data = [base64.b64decode(each["b64"], validate=True) for each in values]
                array = np.empty(len(data), object)
                array[:] = data
                return array
            if name in NUMBERS:
                array = np.array(values, NUMBERS[name])
            else:
                # Of objects: in numpy's own text arrays each element takes as much as the longest.
                array = np.array(values, object)
                check_shape(self.where, name, array.shape)
                flat = [each.encode() for each in array.ravel()]
                array = np.array(flat, object).reshape(array.shape)
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            raise errors.bad_answer(self.where, f"{name!r}: {errors.short(error)}") from None
        check_shape(self.where, name, array.shape)
        return array

    def _require_available(self) -> None:
        # The status is 200 whatever the state.
        require_available(self.where, self._wanted, self._states())

    def _states(self) -> dict[str, tuple[str, str]]:
        """Version -> (state, message)."""
        answer = self._call("GET", self._model)
        try:
            return {
                errors.short(each["version"]): (
                    errors.short(each["state"]),
                    errors.short(each.get("status", {}).get("error_message", "")),
                )
                for each in answer["model_version_status"]
            }
        except (TypeError, LookupError, AttributeError) as error:
            raise errors.bad_answer(self.where, f"its model status lacks {error}") from None

    def _read_signatures(self) -> dict[str, Signature]:
        answer = self._call("GET", f"{self._path}/metadata")
        try:
            found = answer["metadata"]["signature_def"]["signature_def"]
            return {
                str(name): Signature(
                    frozenset(each.get("inputs") or ()), frozenset(each.get("outputs") or ())
                )
                for name, each in found.items()
            }
        except (TypeError, LookupError, AttributeError) as error:
            raise errors.bad_answer(self.where, f"its metadata lack {error}") from None

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        deadline = time.monotonic() + self._timeout
        try:
            with self._session.request(
                method,
                self.where + path,
                data=body,
                # As it is: a packed answer may be a thousand times as large as it weighs.
                headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
                timeout=self._timeout,
                stream=True,
                # A server does not choose where pictures of people are sent.
                allow_redirects=False,
            ) as response:
                data = self._read(response, deadline)
                status = response.status_code
        except requests.exceptions.ReadTimeout:
            raise errors.too_slow(self.where, self._timeout) from None
        except requests.exceptions.RequestException as error:
            raise self._unreachable(error) from None
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise errors.server_down(
                self.where, f"HTTP {status} without the JSON of TensorFlow Serving"
            )
        if status != 200 or "error" in answer:
            raise self._told(path, status, str(answer.get("error", "")), len(body or b""))
        return answer

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        """The body, as long as neither its size nor its time is over the limit."""
        parts, size = [], 0
        for part in response.iter_content(_BLOCK):
            size += len(part)
            if size > MAX_JSON:
                raise errors.bad_answer(self.where, f"it is longer than {MAX_JSON:,} bytes")
            if time.monotonic() > deadline:
                raise errors.too_slow(self.where, self._timeout)
            parts.append(part)
        return b"".join(parts)

    def _unreachable(self, error: requests.exceptions.RequestException) -> FesrError:
        # The innermost reason is the system's ("Connection refused"); around it is urllib3's.
        reason: BaseException = error
        while isinstance(reason.args[0] if reason.args else None, BaseException):
            reason = reason.args[0]
        inner = getattr(reason, "reason", None) or reason
        if "timed out" in str(inner) and not isinstance(error, requests.exceptions.ConnectTimeout):
            return errors.too_slow(self.where, self._timeout)
        return errors.server_down(self.where, str(inner).rpartition(": ")[2] or inner)

    def _told(self, path: str, status: int, message: str, size: int) -> FesrError:
        """The sentence for the HTTP status of a request to `path`."""
        where = self.where
        if status == 413:
            return errors.too_large(where, size, message)
        if status in (408, 504):
            return errors.too_slow(where, self._timeout)
        if status in (429, 502, 503):
            return errors.server_down(where, f"HTTP {status}: {message}")
        if status == 404 or "version label" in message:
            name, version = self._wanted.name, self._wanted.version
            # What is asked for without a version is the list of all of them.
            if version is None or path == self._model:
                return errors.unknown_model(where, name)
            return errors.wrong_version(where, name, str(version), message)
        if errors.names_signature(message):
            return errors.UnknownSignature(f"the model at {where}: {errors.short(message)}")
        if status in (400, 412):
            return errors.refused(where, message)
        return errors.bad_answer(where, f"HTTP {status}: {message}")
