"""Are new identities new, and as different from each other as people are?

Distances are 1 - cosine similarity of a face network's embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesr_tf.metrics.classification import wilson_interval
from fesr_tf.synthesis.quality.estimates import figure, half_sample_interval, share_interval
from fesr_tf.synthesis.quality.identity import unit

QUANTILE = 0.05
"""Of real pictures, how many may lie below the threshold of being known."""


@dataclass(frozen=True)
class People:
    """Embeddings float (N,E), expression int (N,) and person (N,) of real or drawn pictures."""

    embeddings: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray

    def of(self, rows: np.ndarray) -> People:
        return People(self.embeddings[rows], self.labels[rows], self.subjects[rows])


@dataclass(frozen=True)
class Nearest:
    """For each of N pictures the training picture nearest to it: `row` int (N,), `distance`
    float (N,); nan, and row -1, where none qualifies."""

    row: np.ndarray
    distance: np.ndarray


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine distance of embeddings (M,E), (N,E) -> (M,N) in [0,2]."""
    return np.clip(1 - unit(first) @ unit(second).T, 0, 2)


def nearest(distance: np.ndarray, allowed: np.ndarray | None = None) -> Nearest:
    """The nearest column of each row of (M,N), among those that `allowed` (M,N) marks."""
    masked = distance if allowed is None else np.where(allowed, distance, np.inf)
    row = masked.argmin(1)
    found = masked[np.arange(len(row)), row]
    none = ~np.isfinite(found)
    return Nearest(np.where(none, -1, row), np.where(none, np.nan, found))


def nearest_by_person(known: People, train: People) -> tuple[Nearest, Nearest]:
    """For each picture of a training person the nearest training picture of another person, and
    the nearest one of its own person with another expression."""
    distance = distances(known.embeddings, train.embeddings)
    own = known.subjects[:, None] == train.subjects
    other_expression = known.labels[:, None] != train.labels
    return nearest(distance, ~own), nearest(distance, own & other_expression)


def spread(values: np.ndarray) -> dict:
    """What a distribution of distances is told by: n, mean, and the 5, 25, 50, 75, 95 % points."""
    kept = values[np.isfinite(values)]
    points = np.percentile(kept, (5, 25, 50, 75, 95)).tolist() if len(kept) else None
    return {"n": len(kept), "mean": float(kept.mean()) if len(kept) else None, "points": points}


def known_share(new: Nearest, known: People, unseen: People, train: People, seed: int) -> dict:
    """Which share of drawn faces shows somebody whom the generator learnt from.

    A face counts as known where its nearest training picture is nearer than all but `QUANTILE` of
    the pictures `known`, of training people, are to the nearest training picture of another person.
    Beside the share of drawn faces (`new`): that of pictures of unseen people (the false alarms),
    and that of the pictures `known` by their own person's other expressions (what the measure finds
    of known people).
    """
    other, own = nearest_by_person(known, train)
    threshold = float(np.nanquantile(other.distance, QUANTILE))

    def share(distance: np.ndarray, people: np.ndarray, unit: str) -> dict:
        kept = np.isfinite(distance)
        below, groups = distance[kept] < threshold, people[kept]
        alone = len(np.unique(groups)) == len(groups)
        return figure(
            below.mean() if len(below) else None,
            len(below),
            unit,
            "memorisation",
            wilson_interval(int(below.sum()), len(below))
            if alone
            else share_interval(below, groups, seed),
            people=len(np.unique(groups)),
        )

    of_unseen = nearest(distances(unseen.embeddings, train.embeddings))
    return {
        "threshold": threshold,
        "new": share(new.distance, np.arange(len(new.distance)), "drawn identities"),
        "unseen_people": share(of_unseen.distance, unseen.subjects, "pictures"),
        "known_people": share(own.distance, known.subjects, "pictures"),
        "distances": {
            "new": spread(new.distance),
            "unseen_people": spread(of_unseen.distance),
            "known_to_others": spread(other.distance),
            "known_to_themselves": spread(own.distance),
        },
    }


def memorisation(
    new: People,
    train: People,
    test: People,
    redrawn_train: People,
    redrawn_test: People,
    seed: int,
) -> dict:
    """`known_share` of new identities, by two thresholds.

    `real` takes it from the real training pictures. What a generator draws may be far from every
    photograph for its blur alone; `redrawn` therefore takes it from training pictures that the
    generator reconstructed (x_rec, eq. 11), which are as blurred. `nearest_row` lists each drawn
    face's nearest training picture; `nearest_people` how many training people are among them.
    """
    found = nearest(distances(new.embeddings, train.embeddings))
    names, counts = np.unique(train.subjects[found.row], return_counts=True)
    return {
        "real": known_share(found, train, test, train, seed),
        "redrawn": known_share(found, redrawn_train, redrawn_test, train, seed),
        "nearest_people": {
            "people": len(names),
            "of": len(np.unique(train.subjects)),
            "largest_share": float(counts.max() / counts.sum()),
            "largest": str(names[counts.argmax()]),
        },
        "nearest_row": found.row.tolist(),
        "nearest_distance": [round(float(d), 6) for d in found.distance],
    }


def mean_distance(people: People, seed: int) -> dict:
    """Diversity: the mean distance of two pictures of different people."""
    distance = distances(people.embeddings, people.embeddings)
    apart = people.subjects[:, None] != people.subjects

    def on(rows: np.ndarray) -> float:
        chosen = np.ix_(rows, rows)
        pairs = apart[chosen].sum()
        return (distance[chosen] * apart[chosen]).sum() / pairs if pairs else float("nan")

    return figure(
        on(np.arange(len(distance))),
        len(distance),
        "pictures",
        "diversity",
        half_sample_interval(on, (people.subjects,), seed),
        people=len(np.unique(people.subjects)),
    )


def intra_class_variance(people: People, classes: int, seed: int) -> dict:
    """The mean over classes of the embeddings' variance in a class, with `by_class`.

    Of embeddings of length 1, summed over their entries, n - 1 in the denominator: which is the
    mean distance of two pictures of the class. Classes of fewer than two pictures have none.
    """
    rows = unit(people.embeddings)

    def each(chosen: np.ndarray) -> list[float]:
        of = [rows[chosen][people.labels[chosen] == k] for k in range(classes)]
        return [float(r.var(0, ddof=1).sum()) if len(r) > 1 else float("nan") for r in of]

    def on(chosen: np.ndarray) -> float:
        finite = [value for value in each(chosen) if np.isfinite(value)]
        return float(np.mean(finite)) if finite else float("nan")

    whole = np.arange(len(rows))
    by_class = [value if np.isfinite(value) else None for value in each(whole)]
    return figure(
        on(whole),
        len(rows),
        "pictures",
        "intra_class_variance",
        half_sample_interval(on, (people.subjects,), seed),
        people=len(np.unique(people.subjects)),
        by_class=by_class,
    )


def diversity(new: People, train: People, test: People, classes: int, seed: int) -> dict:
    """`mean_distance` and `intra_class_variance` of drawn, training and test people. `train` and
    `test` hold one picture a person and class."""
    sets = {"new": new, "train": train, "test": test}
    return {
        "mean_distance": {name: mean_distance(each, seed) for name, each in sets.items()},
        "intra_class_variance": {
            name: intra_class_variance(each, classes, seed) for name, each in sets.items()
        },
    }
