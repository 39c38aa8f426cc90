"""What every benchmark prints first: the command, the commit and the machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def heading(module: str, argv: Sequence[str] | None) -> str:
    """Two lines: `command: …` and `commit: …; host: …`; argv as `main` was given it."""
    words = sys.argv[1:] if argv is None else argv
    return (
        f"command: {shlex.join(['python', '-m', module, *words])}\n"
        f"commit: {_commit()}; host: {os.cpu_count()} cores, {_processor()}, Python "
        f"{platform.python_version()}"
    )


def _commit() -> str:
    """The commit, with a plus where files differ from it."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
