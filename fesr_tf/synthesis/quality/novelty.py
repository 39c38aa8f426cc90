"""Are the new identities new, or people from the training set?

Distances are cosine distances of a face network's embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesr_tf.data import Fold
from fesr_tf.plots import image_grids
from fesr_tf.synthesis.quality.embeddings import Embedded, People, distances
from fesr_tf.synthesis.quality.estimates import share
from fesr_tf.synthesis.quality.generation import Generated

QUANTILE = 0.05
"""The share of real images that lies below the threshold of being known."""


@dataclass(frozen=True)
class Nearest:
    """For each of N images the training image nearest to it: `row` int (N,), `distance`
    float (N,); nan, and row -1, where none qualifies."""

    row: np.ndarray
    distance: np.ndarray


def nearest(distance: np.ndarray, allowed: np.ndarray | None = None) -> Nearest:
    """The nearest column of each row of (M,N), among those that `allowed` (M,N) marks."""
    masked = distance if allowed is None else np.where(allowed, distance, np.inf)
    row = masked.argmin(1)
    lowest = masked[np.arange(len(row)), row]
    none = ~np.isfinite(lowest)
    return Nearest(np.where(none, -1, row), np.where(none, np.nan, lowest))


def nearest_by_person(known: People, train: People) -> tuple[Nearest, Nearest]:
    """For each image of a training person the nearest training image of another person, and the
    nearest one of the same person with another expression."""
    distance = distances(known.embeddings, train.embeddings)
    own = known.subjects[:, None] == train.subjects
    other_expression = known.labels[:, None] != train.labels
    return nearest(distance, ~own), nearest(distance, own & other_expression)


def spread(values: np.ndarray) -> dict:
    """A distribution of distances: n, mean, and the 5, 25, 50, 75, 95 % points."""
    kept = values[np.isfinite(values)]
    points = np.percentile(kept, (5, 25, 50, 75, 95)).tolist() if len(kept) else None
    return {"n": len(kept), "mean": float(kept.mean()) if len(kept) else None, "points": points}


def known_share(new: Nearest, known: People, held_out: People, train: People, seed: int) -> dict:
    """The share of generated faces that show a person from the training set.

    A face counts as known where its nearest training image is nearer than all but `QUANTILE` of
    the images `known`, of training people, are to the nearest training image of another person.
    Beside the share of generated faces (`new`): that of images of held-out subjects (the false
    alarms), and that of the images `known` by their own person's other expressions (the share of
    known people that the measure detects).
    """
    other, own = nearest_by_person(known, train)
    threshold = float(np.nanquantile(other.distance, QUANTILE))
    of_held_out = nearest(distances(held_out.embeddings, train.embeddings))

    def below(distance: np.ndarray, people: np.ndarray, unit: str) -> dict:
        kept = np.isfinite(distance)
        return share(distance[kept] < threshold, people[kept], unit, "memorisation", seed)

    return {
        "threshold": threshold,
        "new": below(new.distance, np.arange(len(new.distance)), "new identities"),
        "unseen_people": below(of_held_out.distance, held_out.subjects, "images"),
        "known_people": below(own.distance, known.subjects, "images"),
        "distances": {
            "new": spread(new.distance),
            "unseen_people": spread(of_held_out.distance),
            "known_to_others": spread(other.distance),
            "known_to_themselves": spread(own.distance),
        },
    }


def memorisation(
    new: People,
    train: People,
    test: People,
    reconstructed_train: People,
    reconstructed_test: People,
    seed: int,
) -> tuple[dict, Nearest]:
    """`known_share` of new identities, by two thresholds, and their nearest training images.

    `real` takes the threshold from the real training images. Generated images may be far from
    every photograph for their blur alone; `redrawn` therefore takes it from training images that
    the generator reconstructed (x_rec, eq. 11), which are as blurred. `nearest_people` counts the
    training people among the nearest images.
    """
    found = nearest(distances(new.embeddings, train.embeddings))
    names, counts = np.unique(train.subjects[found.row], return_counts=True)
    return {
        "real": known_share(found, train, test, train, seed),
        "redrawn": known_share(found, reconstructed_train, reconstructed_test, train, seed),
        "nearest_people": {
            "people": len(names),
            "of": len(np.unique(train.subjects)),
            "largest_share": float(counts.max() / counts.sum()),
            "largest": str(names[counts.argmax()]),
        },
    }, found


def nearest_sheet(
    embedded: Embedded,
    fold: Fold,
    generated: Generated,
    title: str,
    rows: int = 5,
    columns: int = 3,
) -> np.ndarray:
    """New identities beside the nearest image of each of the `columns` nearest training people:
    uint8 (H,W,3). The `rows` nearest of all, then `rows` spread to the farthest."""
    train, count = fold.train, len(generated.new)
    distance = distances(embedded.new, embedded.train)
    order = distance.min(1).argsort(kind="stable")
    first = min(rows, count)
    rest = np.linspace(first - 1, count - 1, rows + 1)[1:].round().astype(int)
    sheet, labels = [], []
    for rank in sorted({*range(first), *rest.tolist()}):
        i = order[rank]
        near = distance[i].argsort(kind="stable")
        _, places = np.unique(train.subjects[near], return_index=True)
        beside = near[np.sort(places)[:columns]]
        sheet.append([generated.new[i], *train.images[beside], *[None] * (columns - len(beside))])
        labels.append(
            f"{fold.classes[generated.new_labels[i]]}, nearest {rank + 1} of {count}: "
            f"{distance[i, beside[0]]:.3f} to {train.subjects[beside[0]]}"
        )
    heads = ["generated", "nearest", *(f"person {k + 2}" for k in range(columns - 1))]
    return image_grids.grid(sheet, heads, labels, title)
