"""Tables and lists as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.common.errors import plain

_WIDEST = 120


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns set to width, numbers to the right, two spaces apart; long cells are cut."""
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    right = [all(_is_number(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join("  " + line for line in lines)


def listed(items: Iterable[object], shown: int = 5, noun: str = "more") -> str:
    """`a, b and 3 more`: the first `shown` items and the number of the others, with `noun`."""
    items = list(items)
    texts = [plain(str(item)) for item in items[:shown]]
    rest = len(items) - shown
    return ", ".join(texts) + (f" and {rest} {noun}" if rest > 0 else "")


def _cell(value: object) -> str:
    text = plain(str(value))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _is_number(value: object) -> bool:
    """Also "1,234", "+5.0" and "-" (no value)."""
    text = str(value).replace(",", "").replace(".", "").lstrip("+-")
    return isinstance(value, int) or text.isdecimal() or value == "-"
