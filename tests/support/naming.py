"""What a message must hold whatever its wording: names, numbers, paths."""

from __future__ import annotations

import re


def naming(*values: object) -> str:
    """A pattern, for `pytest.raises(match=...)` and `re.search`, of every value in any order.

    A number stands for itself alone: 1 is not found in 12, nor in 1.5.
    """
    parts = []
    for value in values:
        text = re.escape(str(value))
        if isinstance(value, (int, float)):
            text = rf"(?<![\w.]){text}(?!\w|\.\d)"
        parts.append(f"(?=.*{text})")
    return "(?s)^" + "".join(parts)
