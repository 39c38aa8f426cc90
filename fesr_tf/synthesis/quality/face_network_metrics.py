"""What one face network says of drawn faces: verification, memorisation, diversity, KID."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesr_tf.data import Fold
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.plots import image_grids
from fesr_tf.synthesis.quality import identity, kid, novelty, pairs
from fesr_tf.synthesis.quality.generation import Drawn, embed
from fesr_tf.synthesis.quality.novelty import People


@dataclass(frozen=True)
class Network:
    """A face network that judges; `in_loss`: the generator was trained against it (L_id)."""

    name: str
    network: FaceNetwork
    in_loss: bool


@dataclass(frozen=True)
class Embedded:
    """A network's embeddings of all training and test pictures and of everything drawn:
    float32 (T,E), (N,E), (N,K,E), (P,E), (M,E)."""

    train: np.ndarray
    test: np.ndarray
    translated: np.ndarray
    redrawn: np.ndarray
    new: np.ndarray


def embed_all(network: FaceNetwork, fold: Fold, drawn: Drawn) -> Embedded:
    count, classes = drawn.translated.shape[:2]
    flat = drawn.translated.reshape(count * classes, *drawn.translated.shape[2:])
    return Embedded(
        train=embed(network, fold.train.images),
        test=embed(network, fold.test.images),
        translated=embed(network, flat).reshape(count, classes, -1),
        redrawn=embed(network, drawn.redrawn),
        new=embed(network, drawn.new),
    )


def measure_network(
    network: Network, embedded: Embedded, fold: Fold, drawn: Drawn, seed: int
) -> dict:
    """Everything that one face network says, and under `nearest` the pictures behind
    memorisation, by the training pictures' keys."""
    train, test, classes = fold.train, fold.test, len(fold.classes)
    nobody = np.array([f"new {i}" for i in range(len(drawn.new))])
    new = People(embedded.new, drawn.new_labels, nobody)
    learnt = People(embedded.train, train.labels, train.subjects)
    unseen = People(embedded.test, test.labels, test.subjects)
    # One picture a person and class: frames of one sequence are nearly the same picture.
    some, others = learnt.of(pairs.peaks(train)), unseen.of(pairs.peaks(test))
    redrawn = People(embedded.redrawn, some.labels, some.subjects)
    own = embedded.translated[np.arange(len(test)), test.labels]
    redrawn_test = People(own, test.labels, test.subjects)
    memorised = novelty.memorisation(new, learnt, unseen, redrawn, redrawn_test, seed)
    nearest = memorised.pop("nearest_row"), memorised.pop("nearest_distance")
    samples = (kid.Sample(each.embeddings, each.subjects) for each in (new, some, others))
    return {
        "in_loss": network.in_loss,
        "embedding_size": int(embedded.test.shape[1]),
        "verification": measure_verification(some, unseen, embedded.translated, seed),
        "memorisation": memorised,
        "diversity": novelty.diversity(new, some, others, classes, seed),
        "kid": kid.kids(*samples, seed),
        "nearest": {"keys": train.keys[nearest[0]].tolist(), "distance": nearest[1]},
    }


def measure_verification(
    train: People, test: People, translated: np.ndarray, seed: int
) -> dict | None:
    """Table IV by one network: `drawn` (the paper's pairs), `real` (the same with real pictures
    only), and the `threshold` with what it was chosen on, pairs of the real people of `train`.

    `translated` (N,K,E) are the N test pictures with every expression. None where no person of
    `train` shows two expressions.
    """
    chosen, chosen_same = pairs.real_pairs(train.labels, train.subjects, seed)
    if not len(chosen_same):
        return None
    scores = identity.cosine(train.embeddings[chosen.first], train.embeddings[chosen.second])
    threshold = identity.best_threshold(scores, chosen_same)
    drawn = pairs.verification_pairs(test.subjects, translated.shape[1], seed)
    real, real_same = pairs.real_pairs(test.labels, test.subjects, seed)

    def verified(first: np.ndarray, beside: np.ndarray, same: np.ndarray) -> dict:
        of = identity.cosine(test.embeddings[first], beside)
        return identity.verify(of, same, test.subjects[first], threshold, seed)

    return {
        "threshold": {
            "value": threshold,
            "pairs": len(chosen_same),
            "people": len(np.unique(train.subjects)),
            "rate_on_them": identity.rate(scores, chosen_same, threshold),
        },
        "drawn": verified(drawn.real, translated[drawn.source, drawn.label], drawn.same),
        "real": verified(real.first, test.embeddings[real.second], real_same),
    }


def nearest_sheet(
    embedded: Embedded, fold: Fold, drawn: Drawn, title: str, rows: int = 5, columns: int = 3
) -> np.ndarray:
    """Drawn faces beside the nearest picture of each of the `columns` nearest training people:
    uint8 (H,W,3). The `rows` nearest of all, then `rows` spread to the farthest."""
    train, count = fold.train, len(drawn.new)
    distance = novelty.distances(embedded.new, embedded.train)
    order = distance.min(1).argsort(kind="stable")
    first = min(rows, count)
    rest = np.linspace(first - 1, count - 1, rows + 1)[1:].round().astype(int)
    ranks = sorted({*range(first), *rest.tolist()})
    sheet, labels = [], []
    for rank in ranks:
        i = order[rank]
        near = distance[i].argsort(kind="stable")
        _, places = np.unique(train.subjects[near], return_index=True)
        beside = near[np.sort(places)[:columns]]
        sheet.append([drawn.new[i], *train.images[beside], *[None] * (columns - len(beside))])
        labels.append(
            f"{fold.classes[drawn.new_labels[i]]}, nearest {rank + 1} of {count}: "
            f"{distance[i, beside[0]]:.3f} to {train.subjects[beside[0]]}"
        )
    heads = ["drawn", "nearest", *(f"person {k + 2}" for k in range(columns - 1))]
    return image_grids.grid(sheet, heads, labels, title)
