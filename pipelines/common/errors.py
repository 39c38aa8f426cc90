"""Errors for users, and the exit codes of commands.

A command fails in two ways: the request is invalid (`BadUse`, exit code 2), or the request is
valid and the work fails (`FailedWork`, exit code 1). Both carry one sentence: what is wrong,
where, and what to do.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import os
import sys
import unicodedata
from collections.abc import Callable


class FesrError(Exception):
    """A failure whose message is written for the user."""

    exit_code = 1


class BadUse(FesrError):
    """The request is invalid: a wrong path, key or option."""

    exit_code = 2


class FailedWork(FesrError):
    """The request was valid and the work failed: damaged data, nothing found, disk full."""


class CutShort(FailedWork):
    """The work was cut short from outside, as by a network: the same command resumes it."""


def plain(text: str, kept: str = "") -> str:
    """`text` with control characters (line breaks, escapes) written out, except those in `kept`:
    file names may come from strangers."""
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


# Signs of our texts that have no decomposition into plainer ones.
_PLAINER = {"×": "x", "–": "-", "—": "-", "−": "-", "→": "->", "≤": "<=", "≥": ">=", "±": "+-",
            "’": "'", "“": '"', "”": '"', "·": "*", "∞": "inf"}  # fmt: skip


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """Replaces characters that a console cannot show: "±" by "+-", "é" by "e", others by "?"."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = []
    for character in error.object[error.start : error.end]:
        letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        shown.append(_PLAINER.get(character) or letters or "?")
    return "".join(shown), error.end


def _print_anywhere() -> None:
    """Lets the console take every text: one of ASCII must not end a command by a traceback."""
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        # A stream that is not a file, as in notebooks, has no encoding to change.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="plainer")


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Turns `main(argv=None)` into a command that prints errors to stderr and returns exit codes.

    `FesrError` prints `error: <sentence>`; so does a file that cannot be read or written
    (1); Ctrl-C gives 130; a closed pipe (`| head`) gives 141. Any other exception is a bug and
    keeps its traceback.
    """

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        _print_anywhere()
        try:
            return main(argv) or 0
        except FesrError as error:
            print("error:", plain(str(error), kept="\n"), file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            reason = error.strerror or error
            print(f"error: cannot read or write{where}: {reason}", file=sys.stderr)
            return FailedWork.exit_code

    return run
