"""What can go wrong between a client and a model: one class a cause, one sentence each."""

from __future__ import annotations

import re

from pipelines.common.errors import BadUse, FailedWork, plain


class ServerDown(FailedWork):
    """Nothing answers at the address, or what answers is no TensorFlow Serving."""


class TooSlow(FailedWork):
    """No answer within the time that it was given."""


class NotAvailable(FailedWork):
    """The server knows the model, but no version of it that could answer is AVAILABLE."""


class UnknownModel(BadUse):
    """The server has no model of this name."""


class WrongVersion(BadUse):
    """The server has the model, but not in this version or under this label."""


class UnknownSignature(BadUse):
    """The model does not have the signature that was asked for."""


class TooLarge(FailedWork):
    """A request or an answer of more bytes than one side takes."""


class Refused(FailedWork):
    """The model could not work on what it was given: a picture that it cannot decode."""


class BadAnswer(FailedWork):
    """An answer that is not what the model's contract promises."""


PER_PICTURE = (Refused, TooLarge)
"""A batch that fails like this is asked again picture by picture."""


def server_down(where: str, reason: object) -> ServerDown:
    return ServerDown(
        f"nothing answers at {where} ({short(reason)}): is the server up, and the port right? "
        "TensorFlow Serving has gRPC at 8500 and REST at 8501"
    )


def too_slow(where: str, seconds: float) -> TooSlow:
    return TooSlow(
        f"no answer from {where} within {seconds:g} s: the first request to a model without "
        "warm-up is slow; give more time by --timeout, or fewer faces at a time by --batch"
    )


def not_available(where: str, name: str, states: str) -> NotAvailable:
    return NotAvailable(
        f"the model {name!r} at {where} is not AVAILABLE ({short(states)}): wait until it has "
        "loaded, or read the server's log for the reason"
    )


def unknown_model(where: str, name: str) -> UnknownModel:
    return UnknownModel(f"the server at {where} has no model {name!r}: give its name by --name")


def wrong_version(where: str, name: str, version: str, there: str) -> WrongVersion:
    return WrongVersion(
        f"the model {name!r} at {where} has no version {version!r} ({short(there)}): give another "
        "--version, or none for the newest"
    )


def too_large(where: str, size: int, reason: object) -> TooLarge:
    return TooLarge(
        f"the request of {size:,} bytes, or its answer, is too large for {where} "
        f"({short(reason)}): send fewer faces at a time by --batch"
    )


def refused(where: str, reason: object) -> Refused:
    # TensorFlow's own reason stands before the node that it names; first come stack traces.
    found = re.search(r"([^\n]+?)\s*\[\[\{\{node", str(reason))
    said = short(found[1] if found else reason)
    return Refused(f"the model at {where} refused the picture: {said}")


def bad_answer(where: str, reason: object) -> BadAnswer:
    return BadAnswer(
        f"{where} gave an answer that no model of fesr_tf.export gives: {short(reason)}"
    )


def names_signature(details: str) -> bool:
    """Whether a server's words say that it lacks a signature."""
    words = short(details).lower()
    return "signature" in words and "not found" in words


def short(reason: object, limit: int = 200) -> str:
    """The first line of what a server or a library said, fit for a terminal."""
    nothing = type(reason).__name__ if isinstance(reason, BaseException) else ""
    lines = str(reason).strip().splitlines() or [nothing]
    return plain(lines[0])[:limit]
