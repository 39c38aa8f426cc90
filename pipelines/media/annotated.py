"""Names of annotated copies, which lie beside the photographs and films that they were made of.

A search for inputs leaves them out, so that a second run does not classify the first one's copies.
"""

from __future__ import annotations

import re
from pathlib import Path

_COPY = re.compile(r".+\.annotated(-\d+)?\.(png|mp4)", re.IGNORECASE)


def copy_name(stem: str, suffix: str, number: int = 1) -> str:
    """`photo.annotated.png`, or `photo.annotated-2.png` for the second of that name."""
    return f"{stem}.annotated{f'-{number}' if number > 1 else ''}{suffix}"


def is_annotated(path: str | Path) -> bool:
    """Whether a file has the name of an annotated copy."""
    return _COPY.fullmatch(Path(path).name) is not None
