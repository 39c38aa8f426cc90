"""Images inside the page, reduced to a readable size and limited to what a page can hold."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipelines.common.errors import FailedWork

WIDEST = 1100
LIMIT = 8_000_000
"""Bytes of all images together, before base64 adds a third."""


@dataclass(frozen=True)
class Embedded:
    """An image of the page. source: its data URI, '' if there was no room for it."""

    path: str
    title: str
    caption: str
    source: str


class Images:
    """Embeds images while there is room; `left_out` names the others. used: bytes so far."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.used, self.count = limit, 0, 0
        self.left_out: list[str] = []

    def embed(self, path: Path, title: str, caption: str = "") -> Embedded:
        """Raises `FailedWork` if the image cannot be read."""
        content = webp(path)
        if self.used + len(content) > self.limit:
            self.left_out.append(str(path))
            return Embedded(str(path), title, caption, "")
        self.used, self.count = self.used + len(content), self.count + 1
        source = "data:image/webp;base64," + base64.b64encode(content).decode()
        return Embedded(str(path), title, caption, source)


def webp(path: Path) -> bytes:
    """The image as WebP, at most `WIDEST` pixels wide. Raises `FailedWork` if it cannot be read."""
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise FailedWork(f"{path} is not an image ({error}); create it again") from None
    if image.width > WIDEST:
        height = round(image.height * WIDEST / image.width)
        image = image.resize((WIDEST, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=82, method=4)
    return buffer.getvalue()
