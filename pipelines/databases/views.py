"""Databases of posed people photographed from several views: KDEF and RaFD."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding
from pipelines.databases.base import Database, Sample, listed_names
from pipelines.databases.sequences import Walk


def database_of_views(
    name: str,
    classes: tuple[str, ...],
    samples: list[Sample],
    others: Counter[str],
    walk: Walk,
    *,
    view: str,
    views: Sequence[str],
    of_all: int,
    subjects: int,
    takes: int,
    people: dict[str, dict[str, str]],
    layout: str,
    notes: Sequence[str] = (),
) -> Database:
    """The images of the wanted `views`, with their counts beside the published ones.

    others: how many images each other view has; view: the option's word ("angle"); of_all: the
    number of views; subjects: published people; takes: published images of a person, class and
    view. Raises `BadUse` where there is no image.
    """
    if not samples:
        seen = f" from the {view}s {', '.join(views)}" if others else ""
        raise BadUse(f"{walk.root} holds no image of {name.upper()}{seen}; --input takes {layout}")
    by_class = Counter(sample.label for sample in samples)
    a_class = subjects * takes
    a_view = a_class * len(classes)
    left_out = f"other {view}s, not used (--{view}s): {listed_names(others.elements())}"
    return Database(
        name,
        classes,
        samples,
        channels=3,
        root=walk.root,
        folds=10,
        findings=[
            Finding("subjects", len(people), subjects),
            Finding(f"images of all {view}s", len(samples) + others.total(), of_all * a_view),
            Finding(f"images, {view}s {', '.join(views)}", len(samples), a_view * len(views)),
            *(
                Finding(text, by_class[label], a_class * len(views))
                for label, text in enumerate(classes)
            ),
        ],
        notes=[*notes, *([left_out] if others else []), *walk.notes()],
        people=people,
    )
