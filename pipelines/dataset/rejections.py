"""Which classes and which people lost pictures on the way, and what share of them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Loss(NamedTuple):
    """One class's or one person's pictures: read = aligned + rejected; share = rejected / read."""

    name: str
    read: int
    aligned: int
    rejected: int
    share: float


def losses(counts: dict[str, Any], what: str) -> list[Loss]:
    """The losses of every "class" or "subject", from a manifest's counts; worst first."""
    aligned, rejected = counts[f"by_{what}"], counts[f"rejected_by_{what}"]
    found = []
    for name in aligned | rejected:
        kept, lost = aligned.get(name, 0), rejected.get(name, 0)
        share = lost / (kept + lost) if kept + lost else 0.0
        found.append(Loss(name, kept + lost, kept, lost, share))
    return sorted(found, key=lambda each: (-each.share, -each.rejected, each.name))
