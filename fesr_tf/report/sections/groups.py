"""Error rates by group of people."""

from __future__ import annotations

from fesr_tf.report.html import Section, bullets, details, paragraph, table
from fesr_tf.report.material import Material, evaluations
from fesr_tf.report.values import COUNT, PERCENT
from fesr_tf.results.groups import FEWEST, Rate, rates, sentences

GROUPS = "groups"


def section(m: Material) -> Section:
    """Each variant's share of wrong answers on each group, with what may be said of it."""
    found = {variant: rates(each, m.people) for variant, each in evaluations(m.sources).items()}
    found = {variant: each for variant, each in found.items() if each}
    if not found:
        return Section(GROUPS, "Error rates by group", _silent(m))
    names = list(dict.fromkeys(key for each in found.values() for key in each))
    parts = [paragraph(_lead(m))]
    for attribute in dict.fromkeys(name for name, _ in names):
        groups = [group for name, group in names if name == attribute]
        rows = [_row(m, found, attribute, group) for group in groups]
        head = [attribute, "people", "test pictures", *(f"{v}, % wrong (95 %)" for v in found)]
        parts.append(table(head, rows, range(1, len(head)), f"Errors by {attribute}"))
    for index, (variant, each) in enumerate(found.items()):
        parts.append(details(f"What these say of {variant}", bullets(sentences(each)), index == 0))
    note = (
        "The interval is Wilson's over pictures; a person has several, so it is too narrow, the "
        f"more so the fewer people. Below {FEWEST} people a rate is not to be read as a group's. "
        "Groups are looked at one by one, not crossed."
    )
    return Section(GROUPS, "Error rates by group", "".join(parts) + paragraph(note, "note"))


def _silent(m: Material) -> str:
    m.book.show(GROUPS, "error rates by group", None, PERCENT, "no people.csv, or no evaluation")
    if m.people:
        return paragraph("Not run: no run was evaluated.", "none")
    return paragraph(
        "Not run: of these people nothing is known but their names. The demo database notes sex, "
        "age and skin in the data folder's people.csv when it is preprocessed; of another one give "
        "such a table (subject, then a column an attribute) by --people FILE.",
        "none",
    )


def _lead(m: Material) -> str:
    if m.sources.database == "demo":
        return (
            "Rendered people are drawn with a sex (a female or male shape), an age and a skin "
            "tone; age and skin are cut into thirds of the renderer's range. These are parameters "
            "of a renderer: a recogniser's errors on them say nothing of its errors on groups of "
            "real people."
        )
    return "Groups are those of the table of people that was given."


def _row(m: Material, found: dict[str, dict], attribute: str, group: str) -> list:
    key = (attribute, group)
    item = f"{attribute}: {group}"
    source = "predictions of the runs' evaluations, by people.csv"
    most = {name: max(getattr(each[key], name) for each in found.values() if key in each)
            for name in ("people", "pictures")}  # fmt: skip
    row: list = [group]
    row += [m.book.show(GROUPS, f"{item}, {name}", most[name], COUNT, source) for name in most]
    for variant, each in found.items():
        rate: Rate | None = each.get(key)
        row.append(
            m.book.show(
                GROUPS, f"{variant}, {item}, wrong", rate.rate if rate else None, PERCENT, source,
                interval=rate.interval if rate else None, n=rate.pictures if rate else None,
                unit="share of pictures",
            )
        )  # fmt: skip
    return row
