"""Errors that a person reads, and the one way in which a command ends.

A command fails in two ways: it was asked for something that cannot be (`BadUse`,
exit code 2) or it was asked properly and the work failed (`FailedWork`, exit code 1).
Both carry one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

_BREAK = "\n"


class FesrError(Exception):
    """A failure whose message is written for the person at the keyboard."""

    exit_code = 1


class BadUse(FesrError):
    """The request cannot be carried out as written: a wrong path, key or option."""

    exit_code = 2


class FailedWork(FesrError):
    """The request was sound and the work failed: damaged data, nothing found, no room."""

    exit_code = 1


def plain(text: str, kept: str = "") -> str:
    """`text` with every character that a terminal would act on (line breaks, escapes) written
    out, but those in `kept`: file names come from strangers."""
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Turns `main(argv=None)` into a command: sentences to stderr, exit codes back.

    `FesrError` prints `error: <sentence>`; so does a file that cannot be read or written
    (1); Ctrl-C gives 130; a reader that went away (`| head`) gives 141. Any other exception
    is a bug and keeps its traceback.
    """

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        try:
            return main(argv) or 0
        except FesrError as error:
            print(f"error: {plain(str(error), kept=_BREAK)}", file=sys.stderr)
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
