"""Connections to TensorFlow Serving: addresses, retries, and what gRPC and REST have in common."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from fesr_tf.client import errors
from fesr_tf.client.signatures import Signature
from fesr_tf.data.origin import Origin
from pipelines.common.errors import BadUse, FesrError

T = TypeVar("T")

GRPC, REST = "gRPC", "REST"
_REST_PORT = 8501
_SCHEMES = {"grpc": GRPC, "http": REST, "https": REST}
AVAILABLE = "AVAILABLE"
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0


@dataclass(frozen=True)
class Address:
    """protocol: GRPC or REST; target: `host:port` for gRPC, `http[s]://host:port` for REST."""

    protocol: str
    target: str


def parse(text: str) -> Address:
    """`http://host:port` and `https://…` are REST, `grpc://host:port` is gRPC; without a scheme
    port 8501 is REST and every other one gRPC, TensorFlow Serving's defaults. Raises `BadUse`.
    """
    scheme, separator, rest = text.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    extra = parts.path.strip("/") or parts.query or parts.username if host else None
    if not host or port is None or extra or (separator and scheme not in _SCHEMES):
        raise BadUse(
            f"--server takes host:port (gRPC, or REST at {_REST_PORT}), grpc://host:port or "
            f"http://host:port, not {text!r}"
        )
    protocol = _SCHEMES[scheme] if separator else (REST if port == _REST_PORT else GRPC)
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    secure = scheme if separator and protocol == REST else "http"
    return Address(protocol, f"{secure}://{name}" if protocol == REST else name)


def pauses(attempts: int) -> list[float]:
    """Seconds between `attempts` attempts: doubling from `FIRST_PAUSE` to `LONGEST_PAUSE`."""
    return [min(FIRST_PAUSE * 2**i, LONGEST_PAUSE) for i in range(attempts - 1)]


def retrying(call: Callable[[], T], attempts: int) -> T:
    """The result of `call`, tried up to `attempts` times while the server is down or loading; its
    last error after that. Any other error ends it at once: a retry would not help, and a request
    that timed out would only add to the server's load."""
    for pause in pauses(attempts):
        try:
            return call()
        except (errors.ServerDown, errors.NotAvailable):
            # Jitter, so that many clients do not return at the same moment.
            time.sleep(pause * random.uniform(0.8, 1.2))
    return call()


@dataclass(frozen=True)
class Wanted:
    """The requested model: its name, and its version: a number, a label such as "stable", or None
    for the newest."""

    name: str
    version: int | str | None = None


class ServerBackend(ABC):
    """The part of a `Backend` that gRPC and REST share. where: the server's address; timeout:
    seconds for one attempt; attempts: how often to try a server that is down or loading.

    A server does not pass on the record of the training data. Connects on creation; raises the
    classes of `errors` where the server or the model is missing.
    """

    origin: Origin | None = None

    def __init__(self, where: str, wanted: Wanted, timeout: float, attempts: int) -> None:
        self.where, self._wanted = where, wanted
        self._timeout, self._attempts = timeout, attempts
        try:
            retrying(self._require_available, attempts)
            self._signatures = retrying(self._read_signatures, attempts)
        except BaseException:
            self.close()
            raise

    def signatures(self) -> Mapping[str, Signature]:
        """The model's signatures, as read on connecting."""
        return self._signatures

    @abstractmethod
    def close(self) -> None:
        """Ends the connection."""

    @abstractmethod
    def _states(self) -> dict[str, tuple[str, str]]:
        """The model's versions on the server -> (state, message)."""

    @abstractmethod
    def _read_signatures(self) -> dict[str, Signature]: ...

    def _require_available(self) -> None:
        """Raises `WrongVersion` where a version wanted by number is missing, and `NotAvailable`
        where no wanted version is AVAILABLE."""
        states, wanted = self._states(), self._wanted
        if isinstance(wanted.version, int):
            number = str(wanted.version)
            if number not in states:
                reason = f"it has {', '.join(states)}"
                raise errors.WrongVersion(self.where, wanted.name, number, reason)
            states = {number: states[number]}
        if all(state != AVAILABLE for state, _ in states.values()):
            listed = "; ".join(
                f"version {number}: {state} {message}".strip()
                for number, (state, message) in states.items()
            )
            raise errors.NotAvailable(self.where, wanted.name, listed or "it has no version")

    def _failure(
        self, cause: type[FesrError] | None, message: str, size: int, version: int | str | None
    ) -> FesrError:
        """The error for a failed request of `size` bytes for `version`; cause: the class that its
        status stands for, None for any other status."""
        if cause is errors.TooSlow:
            return errors.TooSlow(self.where, self._timeout)
        if cause is errors.TooLarge:
            return errors.TooLarge(self.where, size, message)
        if cause is not errors.ServerDown:
            if cause is errors.WrongVersion or "version label" in message:
                if version is None:
                    return errors.UnknownModel(self.where, self._wanted.name)
                return errors.WrongVersion(self.where, self._wanted.name, version, message)
            words = errors.short(message).lower()
            if "signature" in words and "not found" in words:
                return errors.UnknownSignature(
                    f"the model at {self.where}: {errors.short(message)}"
                )
        return (cause or errors.BadAnswer)(self.where, message)
