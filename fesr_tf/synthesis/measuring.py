"""From an opened run and its fold to every figure of `synthesis.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fesr_tf import pictures
from fesr_tf.data import Faces, Fold
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.runs import Run
from fesr_tf.synthesis import drawing, expression, fidelity, identity, kid, novelty, pairs


@dataclass(frozen=True)
class Network:
    """A face network that judges; `in_loss`: the generator was trained against it (L_id)."""

    name: str
    network: FaceNetwork
    in_loss: bool


@dataclass(frozen=True)
class Judge:
    """A trained BASELINE and the test part of its fold: people whom it never learnt from."""

    run: Run
    train_subjects: np.ndarray
    test: Faces


@dataclass(frozen=True)
class Drawn:
    """What the generator draws: `translated` uint8 (N,K,S,S,c) of the N test pictures, `new`
    uint8 (M,S,S,c) of as many z, with the classes `new_labels` int (M,)."""

    translated: np.ndarray
    new: np.ndarray
    new_labels: np.ndarray


def draw(run: Run, test: Faces, count: int, seed: int) -> Drawn:
    """Everything that is drawn of a run, once."""
    fesgan = run.fesr.fesgan
    return Drawn(
        drawing.translations(fesgan, test.images), *drawing.new_identities(fesgan, count, seed)
    )


def measure_fidelity(fold: Fold, drawn: Drawn, folder: Path, seed: int) -> dict:
    """Table III: `translated`, and what to read it by.

    `input`: the input itself in place of the translation. `mean_face`: the mean training face with
    the target's expression, whoever is shown. `reconstruction`: x_rec of the target, as well as the
    generator can draw that picture when it is shown it. `two_real_frames`: two pictures of one
    person and expression of equal intensity, in any part of the fold.
    """
    test = fold.test
    images, labels, people = test.images, test.labels, test.subjects
    first, second = found = pairs.translation_pairs(labels, people, pairs.yaws(folder, test))
    translated = fidelity.compare(images[second], drawn.translated[first, labels[second]])
    means = _mean_faces(fold.train, len(fold.classes))
    own = drawn.translated[np.arange(len(test)), labels]
    everybody = Faces(
        *(
            np.concatenate([getattr(part, name) for part in (fold.train, fold.valid, test)])
            for name in Faces.__dataclass_fields__
        )
    )
    one, again = pairs.repeated_pairs(everybody, pairs.yaws(folder, everybody))
    rows = {
        "translated": (translated, people[first]),
        "reconstruction": (fidelity.compare(images, own), people),
        "input": (fidelity.compare(images[second], images[first]), people[first]),
        "mean_face": (fidelity.compare(images[second], means[labels[second]]), people[first]),
        "two_real_frames": (
            fidelity.compare(everybody.images[one], everybody.images[again]),
            everybody.subjects[one],
        ),
    }
    names = np.array(fold.classes)
    missing = pairs.missing_targets(labels, found, len(names))
    return {
        **{name: fidelity.summarise(*row, seed) for name, row in rows.items()},
        "by_class": fidelity.by_group(translated, names[labels[second]]),
        "by_person": fidelity.by_group(translated, people[first]),
        "pictures": len(test),
        "pictures_without_target": {
            str(name): int(count) for name, count in zip(names, missing, strict=True) if count
        },
        "classes_without_pairs": sorted(set(names) - set(names[labels[second]])),
    }


def measure_verification(fold: Fold, embeddings: dict[str, np.ndarray], seed: int) -> dict | None:
    """Table IV by one network: `drawn` (the paper's pairs), `real` (the same with real pictures
    only), and the `threshold` with what it was chosen on. `embeddings`: `train_peaks`, `test`,
    `translated` (N,K,E). None where no training person shows two expressions."""
    chosen = fold.train.of(pairs.peaks(fold.train))
    train, train_same = pairs.real_pairs(chosen.labels, chosen.subjects, seed)
    if not len(train_same):
        return None
    of_train, of_test = embeddings["train_peaks"], embeddings["test"]
    scores = identity.cosine(of_train[train.first], of_train[train.second])
    threshold = identity.best_threshold(scores, train_same)
    test = fold.test
    drawn = pairs.verification_pairs(test.subjects, len(fold.classes), seed)
    real, real_same = pairs.real_pairs(test.labels, test.subjects, seed)
    return {
        "threshold": {
            "value": threshold,
            "pairs": len(train_same),
            "people": len(np.unique(chosen.subjects)),
            "rate_on_them": identity.rate(scores, train_same, threshold),
        },
        "drawn": identity.verify(
            identity.cosine(
                of_test[drawn.real], embeddings["translated"][drawn.source, drawn.label]
            ),
            drawn.same,
            test.subjects[drawn.real],
            threshold,
            seed,
        ),
        "real": identity.verify(
            identity.cosine(of_test[real.first], of_test[real.second]),
            real_same,
            test.subjects[real.first],
            threshold,
            seed,
        ),
    }


def measure_network(network: Network, fold: Fold, drawn: Drawn, seed: int) -> dict:
    """Everything that one face network says: `verification`, `memorisation`, `diversity`, `kid`;
    under `nearest` the pictures behind memorisation, by the training pictures' keys."""
    train, test, classes = fold.train, fold.test, len(fold.classes)
    count = len(test)
    flat = drawn.translated.reshape(-1, *drawn.translated.shape[2:])
    of_train = drawing.embed(network.network, train.images)
    of_test = drawing.embed(network.network, test.images)
    of_new = drawing.embed(network.network, drawn.new)
    translated = drawing.embed(network.network, flat).reshape(count, classes, -1)
    rows = pairs.peaks(train)
    learnt = novelty.People(of_train, train.labels, train.subjects)
    unseen = novelty.People(of_test, test.labels, test.subjects)
    nobody = np.array([f"new {i}" for i in range(len(drawn.new))])
    new = novelty.People(of_new, drawn.new_labels, nobody)
    memorised = novelty.memorisation(new, learnt, unseen, seed)
    nearest_rows = np.array(memorised.pop("nearest_row"))
    peaks_of_test = unseen.of(pairs.peaks(test))
    samples = (
        kid.Sample(each.embeddings, each.subjects) for each in (new, learnt.of(rows), peaks_of_test)
    )
    return {
        "in_loss": network.in_loss,
        "embedding_size": int(of_test.shape[1]),
        "verification": measure_verification(
            fold,
            {"train_peaks": of_train[rows], "test": of_test, "translated": translated},
            seed,
        ),
        "memorisation": memorised,
        "diversity": novelty.diversity(new, learnt.of(rows), peaks_of_test, classes, seed),
        "kid": kid.kids(*samples, seed),
        "nearest": {
            "keys": train.keys[nearest_rows].tolist(),
            "distance": memorised.pop("nearest_distance"),
        },
    }


def measure_expression(run: Run, fold: Fold, drawn: Drawn, judge: Judge, seed: int) -> dict:
    """What one judge sees: in `translated` test faces of its own fold (y' other than y), in the
    `real` pictures that those were drawn from, and in `new` identities.

    The judge never learnt from the people translated; of how many the generator did is said.
    """
    real, classes = judge.test, judge.run.info.classes
    if judge.run.info.fold == run.info.fold:
        translated = drawn.translated
    else:
        translated = drawing.translations(run.fesr.fesgan, real.images)
    picture, target = np.nonzero(real.labels[:, None] != np.arange(len(classes)))
    learnt = set(fold.train.subjects.tolist())
    judges_people = set(judge.train_subjects.tolist())
    fesr = judge.run.fesr

    def share(images, labels, groups, unit) -> dict:
        seen = drawing.answers(fesr, images)
        return expression.accuracy(labels, seen, groups, classes, unit, seed)

    return {
        "judge": str(judge.run.folder),
        "judge_fold": judge.run.info.fold,
        "judge_step": judge.run.step,
        "judge_people": len(judges_people),
        "people_of_both": len(judges_people & learnt),
        "translated_people_of_generator": len(set(real.subjects.tolist()) & learnt),
        "chance": 1 / len(classes),
        "translated": share(
            translated[picture, target], target, real.subjects[picture], "drawn pictures"
        ),
        "real": share(real.images, real.labels, real.subjects, "real pictures"),
        "new": share(drawn.new, drawn.new_labels, np.arange(len(drawn.new)), "drawn identities"),
    }


def nearest_sheet(
    network: Network, fold: Fold, drawn: Drawn, title: str, rows: int = 5, columns: int = 3
) -> np.ndarray:
    """Drawn faces beside the nearest picture of each of the `columns` nearest training people:
    uint8 (H,W,3). The `rows` nearest of all, then `rows` from the nearest to the farthest."""
    train, count = fold.train, len(drawn.new)
    of_train = drawing.embed(network.network, train.images)
    distance = novelty.distances(drawing.embed(network.network, drawn.new), of_train)
    order = distance.min(1).argsort(kind="stable")
    ranks = [*range(min(rows, count)), *np.linspace(0, count - 1, rows).round().astype(int)]
    sheet, labels = [], []
    for rank in ranks:
        i = order[rank]
        near = distance[i].argsort(kind="stable")
        _, first = np.unique(train.subjects[near], return_index=True)
        beside = near[np.sort(first)[:columns]]
        sheet.append([drawn.new[i], *train.images[beside], *[None] * (columns - len(beside))])
        labels.append(
            f"{fold.classes[drawn.new_labels[i]]}, nearest {rank + 1} of {count}: "
            f"{distance[i, beside[0]]:.3f} to {train.subjects[beside[0]]}"
        )
    heads = ["drawn", "nearest", *(f"person {k + 2}" for k in range(columns - 1))]
    return pictures.grid(sheet, heads, labels, title)


def measure(
    run: Run,
    fold: Fold,
    folder: Path,
    networks: Sequence[Network],
    judges: Sequence[Judge],
    count: int,
    seed: int,
) -> tuple[dict, Drawn]:
    """`fidelity`, `networks` and `expression` of a run, ready for JSON, and what was drawn.

    `folder` holds the run's data; `count` new identities are drawn.
    """
    drawn = draw(run, fold.test, count, seed)
    return {
        "fidelity": measure_fidelity(fold, drawn, folder, seed),
        "networks": {
            network.name: measure_network(network, fold, drawn, seed) for network in networks
        },
        "expression": [measure_expression(run, fold, drawn, judge, seed) for judge in judges],
    }, drawn


def _mean_faces(train: Faces, classes: int) -> np.ndarray:
    """uint8 (K,S,S,c): each class's mean training peak; that of all where it has none."""
    peaks = train.of(pairs.peaks(train))
    means = []
    for k in range(classes):
        of = peaks.images[peaks.labels == k]
        means.append((of if len(of) else peaks.images).mean(0))
    return np.rint(means).astype(np.uint8)
