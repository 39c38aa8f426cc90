"""Error rates by group of people."""

from __future__ import annotations

from fesr_tf.report.material import Material, evaluations
from fesr_tf.report.values import COUNT, PERCENT, Cell, Table
from fesr_tf.results.groups import FEWEST, Rate, rates, sentences

GROUPS = "groups"


def section(m: Material) -> dict:
    """Each variant's share of wrong predictions in each group, and conclusions from them."""
    found = {}
    for variant, results in evaluations(m.sources).items():
        if by_group := rates(results, m.people):
            found[variant] = by_group
    if not found:
        source = "no people.csv, or no evaluation"
        m.book.show(GROUPS, "error rates by group", None, PERCENT, source)
    keys = dict.fromkeys(key for by_group in found.values() for key in by_group)
    tables = []
    for attribute in dict.fromkeys(name for name, _ in keys):
        rows = [_row(m, found, key) for key in keys if key[0] == attribute]
        head = [attribute, "people", "test images", *(f"{v}, % wrong (95 %)" for v in found)]
        tables.append(Table(head, rows, f"Errors by {attribute}"))
    return {
        "database": m.sources.database,
        "has_people": bool(m.people),
        "tables": tables,
        "conclusions": {variant: sentences(by_group) for variant, by_group in found.items()},
        "fewest": FEWEST,
    }


def _row(m: Material, found: dict[str, dict], key: tuple[str, str]) -> list[Cell]:
    item, source = ": ".join(key), "predictions of the runs' evaluations, by people.csv"
    row: list[Cell] = [key[1]]
    for name in ("people", "pictures"):
        most = max(getattr(by_group[key], name) for by_group in found.values() if key in by_group)
        row.append(m.book.show(GROUPS, f"{item}, {name}", most, COUNT, source))
    for variant, by_group in found.items():
        rate: Rate | None = by_group.get(key)
        row.append(
            m.book.show(
                GROUPS, f"{variant}, {item}, wrong", rate.rate if rate else None, PERCENT, source,
                interval=rate.interval if rate else None, n=rate.pictures if rate else None,
                unit="share of pictures",
            )
        )  # fmt: skip
    return row
