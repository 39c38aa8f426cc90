"""Pictures inside the page: brought to a readable size, and no more than a page can hold."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

from PIL import Image

from pipelines.common.errors import FailedWork

WIDEST = 1100
LIMIT = 8_000_000
"""Bytes of all pictures together, before base64 adds a third."""


class Pictures:
    """Embeds pictures until there is no room; `left_out` names those that there was none for."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.room, self.used, self.count = limit, 0, 0
        self.left_out: list[str] = []

    def figure(self, path: Path, title: str, caption: str = "") -> str:
        """A figure with the picture, or with the reason why it is not there."""
        content = webp(path)
        text = f"<strong>{escape(title)}</strong>" + (f" {escape(caption)}" if caption else "")
        if len(content) > self.room:
            self.left_out.append(str(path))
            body = (
                f'<p class="none">Left out, the page is full: <code>{escape(str(path))}</code></p>'
            )
        else:
            self.room -= len(content)
            self.used, self.count = self.used + len(content), self.count + 1
            source = base64.b64encode(content).decode()
            body = f'<img alt="{escape(title)}" src="data:image/webp;base64,{source}">'
        return f"<figure>{body}<figcaption>{text}</figcaption></figure>"


def webp(path: Path) -> bytes:
    """The picture at most `WIDEST` wide. Raises `FailedWork` where it cannot be read."""
    try:
        with Image.open(path) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise FailedWork(f"{path} is not a picture ({error}): draw it again") from None
    if picture.width > WIDEST:
        height = round(picture.height * WIDEST / picture.width)
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82, method=4)
    return buffer.getvalue()
