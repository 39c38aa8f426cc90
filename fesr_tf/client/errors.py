"""The errors between a client and a model: one class per cause, each with its sentence."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.common.errors import BadUse, FailedWork, plain


class ServerDown(FailedWork):
    """Nothing answers at the address, or something other than TensorFlow Serving does."""

    def __init__(self, where: str, reason: object) -> None:
        super().__init__(
            f"nothing answers at {where} ({short(reason)}): check that the server is up and the "
            "port is right; TensorFlow Serving has gRPC at 8500 and REST at 8501"
        )


class TooSlow(FailedWork):
    """No answer within the timeout."""

    def __init__(self, where: str, seconds: float) -> None:
        super().__init__(
            f"no answer from {where} within {seconds:g} s: the first request to a model without "
            "warm-up is slow; increase --timeout, or send fewer faces per request by --batch"
        )


class NotAvailable(FailedWork):
    """The server has the model, but no requested version of it is AVAILABLE."""

    def __init__(self, where: str, name: str, states: str) -> None:
        super().__init__(
            f"the model {name!r} at {where} is not AVAILABLE ({short(states)}): wait until it has "
            "loaded, or read the server's log for the reason"
        )


class UnknownModel(BadUse):
    """The server has no model of this name."""

    def __init__(self, where: str, name: str) -> None:
        super().__init__(f"the server at {where} has no model {name!r}: give its name by --name")


class WrongVersion(BadUse):
    """The server has the model, but not in this version or under this label."""

    def __init__(self, where: str, name: str, version: object, reason: str) -> None:
        super().__init__(
            f"the model {name!r} at {where} has no version {str(version)!r} ({short(reason)}): "
            "give another --version, or none for the newest"
        )


class UnknownSignature(BadUse):
    """The model does not have the requested signature."""


class TooLarge(FailedWork):
    """A request or an answer exceeds the size limit of one side."""

    def __init__(self, where: str, size: int, reason: object) -> None:
        super().__init__(
            f"the request of {size:,} bytes, or its answer, is too large for {where} "
            f"({short(reason)}): send fewer faces per request by --batch"
        )


class Refused(FailedWork):
    """The model refused its input: an image that it cannot decode."""

    def __init__(self, where: str, reason: object) -> None:
        # TensorFlow's reason precedes the node's name; stack traces may come before both.
        match = re.search(r"([^\n]+?)\s*\[\[\{\{node", str(reason))
        super().__init__(
            f"the model at {where} refused the image: {short(match[1] if match else reason)}"
        )


class BadAnswer(FailedWork):
    """An answer that breaks the model's contract."""

    def __init__(self, where: str, reason: object) -> None:
        super().__init__(f"{where} returned what no model of fesr_tf.export does: {short(reason)}")


class Unwritable(FailedWork):
    """A result cannot be written."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"cannot write {path} ({error.strerror or error}); choose a folder by --output"
        )


PER_IMAGE = (Refused, TooLarge)
"""A batch that fails with one of these is sent again image by image."""


def short(reason: object, limit: int = 200) -> str:
    """The first line of a server's or a library's message, safe for a terminal."""
    fallback = type(reason).__name__ if isinstance(reason, BaseException) else ""
    return plain((str(reason).strip().splitlines() or [fallback])[0])[:limit]
