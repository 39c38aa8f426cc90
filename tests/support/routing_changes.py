"""In what two routings of `benchmarks.routing` differ, as data and not as sentences."""

from __future__ import annotations

from tests.support.routing import Routing

Change = tuple[object, ...]


def changes(base: Routing, other: Routing) -> set[Change]:
    """What `other` has in place of what `base` has, whatever the stage.

    ("no stage", stage), ("no loss", loss) and ("new loss", loss); (loss, "weight", its weight
    in `other`), (loss, "update", the update that it is a term of there); (loss, "moves" or
    "reads", network or tensor, the mark of `benchmarks.recorded_step` there).
    """
    found: set[Change] = {("no stage", stage) for stage in base.keys() - other.keys()}
    for stage in base.keys() & other.keys():
        before, after = base[stage], other[stage]
        found |= {("no loss", loss) for loss in before.keys() - after.keys()}
        found |= {("new loss", loss) for loss in after.keys() - before.keys()}
        for loss in before.keys() & after.keys():
            old, new = before[loss], after[loss]
            for name in ("weight", "update"):
                if getattr(old, name) != getattr(new, name):
                    found.add((loss, name, getattr(new, name)))
            for name in ("moves", "reads"):
                marks = getattr(new, name).items() - getattr(old, name).items()
                found |= {(loss, name, *mark) for mark in marks}
    return found


def marked(loss: str, verb: str, names: str, mark: str) -> set[Change]:
    """The changes of one loss to the same mark; names apart by spaces."""
    return {(loss, verb, name, mark) for name in names.split()}
