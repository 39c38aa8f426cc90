"""From an opened run and its fold to every figure of `synthesis.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fesr_tf.data import Faces, Fold
from fesr_tf.runs import Run
from fesr_tf.synthesis.quality import expression, fidelity, generation, pairs
from fesr_tf.synthesis.quality.face_network_metrics import (
    Network,
    embed_all,
    measure_network,
    nearest_sheet,
)
from fesr_tf.synthesis.quality.generation import Drawn, draw


@dataclass(frozen=True)
class Judge:
    """A trained BASELINE and the test part of its fold: people whom it never learnt from."""

    run: Run
    train_subjects: np.ndarray
    test: Faces


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


def measure_expression(run: Run, fold: Fold, drawn: Drawn, judge: Judge, seed: int) -> dict:
    """What one judge sees: in `translated` test faces of its own fold (y' other than y), in the
    `real` pictures that those were drawn from, and in `new` identities.

    The judge never learnt from the people translated; of how many the generator did is said.
    """
    real, classes = judge.test, judge.run.info.classes
    if judge.run.info.fold == run.info.fold:
        translated = drawn.translated
    else:
        translated = generation.translations(run.fesr.fesgan, real.images)
    picture, target = np.nonzero(real.labels[:, None] != np.arange(len(classes)))
    learnt = set(fold.train.subjects.tolist())
    judges_people = set(judge.train_subjects.tolist())
    fesr = judge.run.fesr

    def share(images, labels, groups, unit) -> dict:
        seen = generation.answers(fesr, images)
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


def measure(
    run: Run,
    fold: Fold,
    folder: Path,
    networks: Sequence[Network],
    judges: Sequence[Judge],
    count: int,
    seed: int,
) -> tuple[dict, np.ndarray]:
    """`fidelity`, `networks` and `expression` of a run, ready for JSON, and `nearest_sheet` by the
    last of the networks.

    `folder` holds the run's data; `count` new identities are drawn.
    """
    drawn = draw(run.fesr.fesgan, fold, count, seed)
    found = {"fidelity": measure_fidelity(fold, drawn, folder, seed), "networks": {}}
    for network in networks:
        embedded = embed_all(network.network, fold, drawn)
        found["networks"][network.name] = measure_network(network, embedded, fold, drawn, seed)
    found["expression"] = [measure_expression(run, fold, drawn, judge, seed) for judge in judges]
    info = run.info
    title = f"Nearest by {network.name}: {info.variant} on {info.database}, fold {info.fold}"
    return found, nearest_sheet(embedded, fold, drawn, title)


def _mean_faces(train: Faces, classes: int) -> np.ndarray:
    """uint8 (K,S,S,c): each class's mean training peak; that of all where it has none."""
    peaks = train.of(pairs.peaks(train))
    means = []
    for k in range(classes):
        of = peaks.images[peaks.labels == k]
        means.append((of if len(of) else peaks.images).mean(0))
    return np.rint(means).astype(np.uint8)
