"""`python -m fesr_tf.own_data.power DATA`: what a preprocessed folder can show before training.

No threshold is chosen here. Whether something could be concluded is worked out from the numbers of
pictures, people, classes and folds, with the intervals and tests that the results come with.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fesr_tf.data.counts import Census, take
from fesr_tf.metrics.classification import wilson_interval
from fesr_tf.metrics.comparison import CONFIDENCE, mcnemar
from pipelines.common.errors import command
from pipelines.common.roles import TRAIN
from pipelines.dataset import manifest as manifests
from pipelines.dataset.manifest import Manifest

NAMED = 3


def half_width(right: float, total: int) -> float:
    """Half of the 95 % interval (Wilson) of `right` of `total`."""
    low, high = wilson_interval(right, total)
    return (high - low) / 2


def fewest_right(total: int, chance: float) -> int | None:
    """The fewest right answers of `total` whose 95 % interval (Wilson) lies above `chance`; None
    where not even all of them would do."""
    enough = (k for k in range(total + 1) if wilson_interval(k, total)[0] > chance)
    return next(enough, None)


def fewest_apart() -> int:
    """The fewest pictures that only one of two variants gets right, and the other none alone, at
    which McNemar's exact test tells them apart."""
    count = 1
    while mcnemar(np.ones(count, bool), np.zeros(count, bool))[2] > 1 - CONFIDENCE:
        count += 1
    return count


def of_pictures(manifest: Manifest) -> str:
    """'78 of 80 pictures are used, of 40 people; 2 were rejected: no face found (2)'."""
    counts = manifest.counts
    text = (
        f"{counts['aligned']} of {_many(counts['read'], 'picture')} are used, of "
        f"{_many(len(counts['by_subject']), 'person')}"
    )
    reasons = Counter(reject.reason for reject in manifest.rejects).most_common()
    if not reasons:
        return f"{text}; none was rejected"
    named = ", ".join(f"{reason} ({count})" for reason, count in reasons[:NAMED])
    more = f" and {len(reasons) - NAMED} other reasons" if len(reasons) > NAMED else ""
    lost = sorted(set(manifest.counts["rejected_by_subject"]) - set(counts["by_subject"]))
    gone = f"; no picture is left of {_listed(lost)}" if lost else ""
    return f"{text}; {counts['rejected']} rejected: {named}{more}{gone}"


def of_tests(known: Census) -> str:
    """How well an accuracy would be known, and from where on it would be more than a guess."""
    total = int(known.tests.sum())
    name, share = known.guess
    half, most = (100 * half_width(each * total, total) for each in (0.5, 0.9))
    text = (
        f"{_many(total, 'test picture')} in {_many(len(known.folds), 'fold')}: an accuracy near "
        f"50 % would be known to ± {half:.1f} points and one near 90 % to ± {most:.1f} (95 % "
        "intervals)"
    )
    least = fewest_right(total, share)
    if least is None:
        low, _ = wilson_interval(total, total)
        return (
            f"{text}; even with all of them right the interval, from {low:.1%} on, would hold the "
            f"{share:.1%} of always answering {name!r}: nothing can be concluded from so few"
        )
    return (
        f"{text}; always answering {name!r} is right for {share:.1%}, and what is below "
        f"{least / total:.1%} ({least} of {total}) cannot be told from that"
    )


def of_variants(known: Census) -> str:
    """From where on two variants could be told apart."""
    total, least, folds = int(known.tests.sum()), fewest_apart(), len(known.folds)
    if total < least:
        return (
            f"two variants cannot be told apart on {_many(total, 'test picture')}, whatever they "
            f"answer: it takes {least} that only one of them gets right"
        )
    lowest = 2 / 2**folds
    by_fold = (
        f"; fold by fold they cannot be, as no p of {_many(folds, 'fold')} is below {lowest:.3g}"
        if lowest > 1 - CONFIDENCE
        else ""
    )
    return (
        f"two variants can be told apart only if one gets at least {least} pictures "
        f"({least / total:.1%}) right that the other does not{by_fold}"
    )


def of_classes(known: Census) -> list[str]:
    """A sentence a class: how well the share of it that is found would be known."""
    present = len(np.unique(known.labels))
    said = []
    for label, name in enumerate(known.classes):
        chosen = known.labels == label
        people, tests = known.people(chosen), int(known.tests[chosen].sum())
        if not chosen.any():
            said.append(f"{name}: no picture is left, so nothing can learn it: leave the class out")
        elif people == 1:
            said.append(
                f"{name}: only {known.subjects[chosen][0]} shows it, so that no fold both trains "
                "and tests it: nothing can be concluded"
            )
        elif not tests:
            said.append(f"{name}: {_many(int(chosen.sum()), 'picture')}, none of them for a test")
        else:
            text = (
                f"{name}: {_many(tests, 'test picture')} of {people} people, half of them right "
                f"would be known to ± {100 * half_width(tests / 2, tests):.1f} points"
            )
            if fewest_right(tests, 1 / present) is None:
                text += (
                    f", and not even all right could be told from guessing ({1 / present:.1%}): "
                    "nothing can be concluded"
                )
            said.append(text)
    return said


def of_folds(known: Census) -> list[str]:
    """What a fold lacks: somebody to train on or test, or a class to learn."""
    said = []
    left_out = sorted(set(range(known.splits.shape[1])) - set(known.folds))
    if left_out:
        word = "fold" if len(left_out) == 1 else "folds"
        said.append(
            f"{word} {_listed(map(str, left_out))}: no picture left to train on, or none to test, "
            "and so left out"
        )
    for label, name in enumerate(known.classes):
        chosen = known.labels == label
        if known.people(chosen) < 2:
            continue  # said of the class
        without = [fold for fold in known.folds if not (chosen & known.part(fold, TRAIN)).any()]
        if without:
            folds = _listed(map(str, without))
            said.append(f"{name}: not a picture of it in the training part of fold {folds}")
    return said


def of_names(known: Census) -> list[str]:
    """A doubt about the people's names, where there is one."""
    count = len(known.labels)
    if known.people(np.ones(count, bool)) < count:
        return []
    return [
        "every picture is of another person, by the names: if some are of the same, people are "
        "both trained on and tested and every accuracy is too high (a file's name up to its first "
        "_ is the person, or the CSV's column subject)"
    ]


def sentences(manifest: Manifest, known: Census) -> list[str]:
    """Everything above, in order."""
    return [
        of_pictures(manifest),
        of_tests(known),
        of_variants(known),
        *of_classes(known),
        *of_folds(known),
        *of_names(known),
    ]


def _many(count: int, thing: str) -> str:
    plural = "people" if thing == "person" else f"{thing}s"
    return f"{count} {thing if count == 1 else plural}"


def _listed(names: Iterable[str]) -> str:
    names: Sequence[str] = list(names)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


@command
def main(argv: list[str] | None = None) -> int:
    """Says what the data can show; exit code 0, or 2 where they can show nothing at all."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.own_data.power",
        description="Says what can be concluded from a preprocessed folder, and what cannot.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of pipelines.preprocess")
    folder = parser.parse_args(argv).data
    manifest = manifests.load(folder)
    for sentence in sentences(manifest, take(folder, manifest)):
        print(f"- {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
