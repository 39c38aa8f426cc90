"""Whether a server has the wanted model, in a version that answers."""

from __future__ import annotations

from collections.abc import Mapping

from fesr_tf.client import errors
from fesr_tf.client.connection import Wanted

AVAILABLE = "AVAILABLE"


def require_available(where: str, wanted: Wanted, states: Mapping[str, tuple[str, str]]) -> None:
    """Raises `WrongVersion` where a version is wanted by its number and not there, and
    `NotAvailable` where none that is asked for is AVAILABLE.

    states: the versions that the server has of the model -> (state, its message).
    """
    if isinstance(wanted.version, int):
        number = str(wanted.version)
        if number not in states:
            there = f"it has {', '.join(states)}"
            raise errors.wrong_version(where, wanted.name, number, there)
        states = {number: states[number]}
    if all(state != AVAILABLE for state, _ in states.values()):
        said = "; ".join(
            f"version {number}: {state} {message}".strip()
            for number, (state, message) in states.items()
        )
        raise errors.not_available(where, wanted.name, said or "it has no version")
