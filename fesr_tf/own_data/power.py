"""`python -m fesr_tf.own_data.power DATA`: the statistical power of a preprocessed folder.

Prints, before any training, which results the data can support. No threshold is chosen here:
everything follows from the numbers of images, subjects, classes and folds, by the intervals and
tests that the results are reported with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from fesr_tf.data.counts import ClassCounts, count_classes
from fesr_tf.metrics.classification import wilson_interval
from fesr_tf.metrics.inference import CONFIDENCE, mcnemar
from pipelines.common.errors import command
from pipelines.common.roles import TRAIN
from pipelines.common.subjects import of_people, shown
from pipelines.common.text import listed
from pipelines.dataset import manifest as manifests
from pipelines.dataset import subjects
from pipelines.dataset.manifest import Manifest

NAMED = 3


def half_width(right: float, total: int) -> float:
    """Half of the 95 % interval (Wilson) of `right` of `total`, 0 to 0.5."""
    low, high = wilson_interval(right, total)
    return (high - low) / 2


def fewest_right(total: int, chance: float) -> int | None:
    """The fewest right answers of `total` whose 95 % interval (Wilson) lies above `chance`.

    None where even `total` right answers are too few.
    """
    above = (k for k in range(total + 1) if wilson_interval(k, total)[0] > chance)
    return next(above, None)


def fewest_discordant() -> int:
    """The fewest discordant images, all in favour of one variant, for a significant McNemar test
    (exact)."""
    count = 1
    while mcnemar(np.ones(count, bool), np.zeros(count, bool))[2] > 1 - CONFIDENCE:
        count += 1
    return count


def used_images(manifest: Manifest) -> str:
    """'78 of 80 images of 40 people are used; 2 rejected: no face found (2)'."""
    counts = manifest.counts
    people, unknown = subjects.counted(manifest)
    text = (
        f"{counts['aligned']} of {_many(counts['read'], 'image')}{of_people(people, unknown)}"
        f"{',' * bool(unknown)} are used"
    )
    if manifest.dropped:
        count = len(manifest.dropped)
        text += f"; {count} do not train or validate where a copy of them is in another part"
    reasons = manifest.reasons()
    if not reasons:
        return f"{text}; none was rejected"
    named = listed([f"{reason} ({n})" for reason, n in reasons], NAMED, "other reasons")
    lost = sorted(set(counts["rejected_by_subject"]) - set(counts["by_subject"]))
    gone = f"; no image is left of {listed(lost, NAMED)}" if lost else ""
    return f"{text}; {counts['rejected']} rejected: {named}{gone}"


def accuracy_power(counts: ClassCounts) -> str:
    """The precision of an accuracy, and the least one above the majority-class baseline."""
    total = int(counts.tests.sum())
    name, share = counts.majority
    half, most = (100 * half_width(accuracy * total, total) for accuracy in (0.5, 0.9))
    text = (
        f"{_many(total, 'test image')} in {_many(len(counts.folds), 'fold')}: the 95 % interval is "
        f"± {half:.1f} points at an accuracy of 50 % and ± {most:.1f} at 90 %"
    )
    baseline = f"the majority-class baseline ({name!r}, {share:.1%})"
    least = fewest_right(total, share)
    if least is None:
        low, _ = wilson_interval(total, total)
        return (
            f"{text}; even with every answer right the interval starts at {low:.1%} and includes "
            f"{baseline}: nothing can be concluded from so few images"
        )
    return (
        f"{text}; an accuracy below {least / total:.1%} ({least} of {total}) is not significantly "
        f"above {baseline}"
    )


def comparison_power(counts: ClassCounts) -> str:
    """The smallest difference between two variants that can be significant."""
    total, least = int(counts.tests.sum()), fewest_discordant()
    if total < least:
        return (
            f"no difference between two variants can be significant on "
            f"{_many(total, 'test image')}: one variant alone has to be right on at least {least}"
        )
    return (
        f"two variants can differ significantly only if one is right on at least {least} images "
        f"({least / total:.1%}) on which the other is wrong"
    )


def class_power(counts: ClassCounts) -> list[str]:
    """One sentence per class: the precision of its recall."""
    present = len(np.unique(counts.labels))
    sentences = []
    for label, name in enumerate(counts.classes):
        chosen = counts.labels == label
        units, tests = counts.units(chosen), int(counts.tests[chosen].sum())
        if not chosen.any():
            text = "no image is left, so it cannot be learnt; remove the class"
        elif units == 1:
            text = (
                f"only {shown(counts.subjects[chosen][0])} shows it, so no fold both trains and "
                "tests it: nothing can be concluded"
            )
        elif not tests:
            text = f"{_many(int(chosen.sum()), 'image')}, none of them in a test part"
        else:
            text = (
                f"{_many(tests, 'test image')}{counts.of_people(chosen)}; the 95 % interval is "
                f"± {100 * half_width(tests / 2, tests):.1f} points at a recall of 50 %"
            )
            if fewest_right(tests, 1 / present) is None:
                text += (
                    f", and even a recall of 100 % is not significantly above chance "
                    f"({1 / present:.1%}): nothing can be concluded"
                )
        sentences.append(f"{name}: {text}")
    return sentences


def fold_gaps(counts: ClassCounts) -> list[str]:
    """The folds without training or test images, and the classes missing in a training part."""
    sentences = []
    left_out = sorted(set(range(counts.splits.shape[1])) - set(counts.folds))
    if left_out:
        word = "fold" if len(left_out) == 1 else "folds"
        sentences.append(
            f"{word} {listed(left_out, NAMED)}: left out, without training images or without test "
            "images"
        )
    for label, name in enumerate(counts.classes):
        chosen = counts.labels == label
        if counts.units(chosen) < 2:
            continue  # `class_power` reports it
        without = [fold for fold in counts.folds if not (chosen & counts.part(fold, TRAIN)).any()]
        if without:
            sentences.append(
                f"{name}: no image in the training part of fold {listed(without, NAMED)}"
            )
    return sentences


def sentences(manifest: Manifest, counts: ClassCounts) -> list[str]:
    """Everything above, in order."""
    return [
        used_images(manifest),
        accuracy_power(counts),
        comparison_power(counts),
        *class_power(counts),
        *fold_gaps(counts),
        *subjects.cautions(manifest),
    ]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else f'{noun}s'}"


@command
def main(argv: list[str] | None = None) -> int:
    """Prints the sentences; exit code 0, or 2 where nothing can be trained and tested."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.own_data.power",
        description="Prints which results a preprocessed folder can support.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of pipelines.preprocess")
    folder = parser.parse_args(argv).data
    manifest = manifests.load(folder)
    for sentence in sentences(manifest, count_classes(folder, manifest)):
        print(f"- {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
