"""The first lines of every benchmark: its command, the date, the commit and the machine."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from fesr_tf.runs import machine


def heading(parser: ArgumentParser, argv: Sequence[str] | None) -> str:
    """Two lines: `command: …` and `date: …; commit: …; host: …`; argv as `main` received it."""
    words = shlex.join(sys.argv[1:] if argv is None else argv)
    return (
        f"command: {parser.prog} {words}".rstrip() + "\n"
        f"date: {datetime.date.today()}; commit: {machine.commit() or 'unknown'}; host: "
        f"{os.cpu_count()} cores, {machine.processor()}, Python {platform.python_version()}"
    )


def parser(module: str, description: str) -> ArgumentParser:
    """The parser of the command `python -m {module}`; the description is printed as it stands."""
    form = RawDescriptionHelpFormatter
    return ArgumentParser(f"python -m {module}", description=description, formatter_class=form)
