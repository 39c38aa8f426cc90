"""`--server`: which way of asking an address means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from pipelines.common.errors import BadUse

GRPC, REST = "gRPC", "REST"
_REST_PORT = 8501
_SCHEMES = {"grpc": GRPC, "http": REST, "https": REST}


@dataclass(frozen=True)
class Address:
    """protocol: GRPC or REST; target: `host:port` for gRPC, `http[s]://host:port` for REST."""

    protocol: str
    target: str


def parse(text: str) -> Address:
    """`http://host:port` and `https://…` are REST, `grpc://host:port` is gRPC; without a scheme
    port 8501 is REST and every other one gRPC, as TensorFlow Serving has them. Raises `BadUse`.
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


@dataclass(frozen=True)
class Wanted:
    """The model that is asked for: its name, and its version: a number, a label such as
    "stable", or None for the newest."""

    name: str
    version: int | str | None = None
