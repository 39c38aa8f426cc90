"""Are the new identities as different from each other as people are?"""

from __future__ import annotations

import numpy as np

from fesr_tf.synthesis.quality.embeddings import People, distances, normalized
from fesr_tf.synthesis.quality.estimates import Statistic, estimate, half_sample_interval


def mean_distance(people: People, seed: int) -> dict:
    """The mean cosine distance of two images of different people."""
    distance = distances(people.embeddings, people.embeddings)
    apart = people.subjects[:, None] != people.subjects

    def on(rows: np.ndarray) -> float:
        chosen = np.ix_(rows, rows)
        pairs = apart[chosen].sum()
        return (distance[chosen] * apart[chosen]).sum() / pairs if pairs else float("nan")

    return _estimate(on, people, "diversity", seed)


def intra_class_variance(people: People, classes: int, seed: int) -> dict:
    """The mean over classes of the embeddings' variance in a class, with `by_class`.

    Of embeddings of length 1, summed over their entries, n - 1 in the denominator: which is the
    mean distance of two images of the class. Classes of fewer than two images have none.
    """
    rows = normalized(people.embeddings)

    def by_class(chosen: np.ndarray) -> list[float | None]:
        own = [rows[chosen][people.labels[chosen] == k] for k in range(classes)]
        return [float(r.var(0, ddof=1).sum()) if len(r) > 1 else None for r in own]

    def on(chosen: np.ndarray) -> float:
        known = [value for value in by_class(chosen) if value is not None]
        return float(np.mean(known)) if known else float("nan")

    more = {"by_class": by_class(np.arange(len(rows)))}
    return _estimate(on, people, "intra_class_variance", seed, **more)


def diversity(new: People, train: People, test: People, classes: int, seed: int) -> dict:
    """`mean_distance` and `intra_class_variance` of new, training and test people. `train` and
    `test` hold one image for each person and class."""
    sets = {"new": new, "train": train, "test": test}
    return {
        "mean_distance": {name: mean_distance(some, seed) for name, some in sets.items()},
        "intra_class_variance": {
            name: intra_class_variance(some, classes, seed) for name, some in sets.items()
        },
    }


def _estimate(on: Statistic, people: People, protocol: str, seed: int, **more: object) -> dict:
    return estimate(
        on(np.arange(len(people.subjects))),
        len(people.subjects),
        "images",
        protocol,
        half_sample_interval(on, (people.subjects,), seed),
        people=len(np.unique(people.subjects)),
        **more,
    )
