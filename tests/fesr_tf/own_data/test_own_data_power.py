"""The statistical power of a data folder: values calculated by hand, and each shortcoming."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fesr_tf.data.counts import ClassCounts, count_classes
from fesr_tf.own_data import power
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.common.subjects import unit
from pipelines.dataset import manifest as manifests
from tests.support.naming import naming


def shown(
    *rows: tuple[str, str], folds: int = 2, classes: tuple[str, ...] = ("a", "b")
) -> ClassCounts:
    """Images (class, person); the i-th of the sorted people is tested in fold i mod `folds`."""
    people = sorted({person for _, person in rows})
    home = {person: index % folds for index, person in enumerate(people)}
    return ClassCounts(
        classes=classes,
        labels=np.array([classes.index(name) for name, _ in rows]),
        subjects=np.array([person for _, person in rows]),
        splits=np.array([[TEST if home[p] == f else TRAIN for f in range(folds)] for _, p in rows]),
    )


def many(people: int, folds: int = 2) -> ClassCounts:
    """Two classes, with one image of each person in each."""
    rows = [(name, f"p{index:03d}") for index in range(people) for name in ("a", "b")]
    return shown(*rows, folds=folds)


def test_half_width_is_that_of_wilsons_interval():
    # z = 1.95996: z / (1 + z²/78) · √(0.25/78 + z²/(4·78²)) = 0.1083
    assert power.half_width(39, 78) == pytest.approx(0.1083, abs=5e-5)
    assert "± 10.8" in power.accuracy_power(many(39, folds=5))


def test_too_few_images_for_any_accuracy_above_the_baseline():
    # All of n right: the interval begins at n / (n + z²), 3/6.84 = 0.4385 and 4/7.84 = 0.5101.
    assert power.fewest_right(3, 0.5) is None
    assert power.fewest_right(4, 0.5) == 4
    text = power.accuracy_power(shown(("a", "p"), ("b", "q")))
    assert re.search(naming("34.2%", "50.0%", "'a'"), text)
    assert not re.search(r"\d of \d", text)  # no number of right answers would do
    assert re.search(r"\b7 of 8\b", power.accuracy_power(many(4)))


def test_least_accuracy_above_the_majority_class():
    # 78 pictures, half of each class: 48 right is 61.5 %, from 50.4 % on; 47 from 49.1 % on.
    assert re.search(naming("61.5%", "48 of 78"), power.accuracy_power(many(39)))


def test_two_variants_need_six_pictures():
    # Exact two-sided: 2 / 2^5 = 0.0625, 2 / 2^6 = 0.031.
    assert power.fewest_discordant() == 6
    assert re.search(naming(6, "25.0%"), power.comparison_power(many(12, folds=5)))
    few = power.comparison_power(many(2))
    assert re.search(naming(4, 6), few) and "%" not in few


def test_a_class_of_one_person_is_neither_trained_nor_tested():
    rows = [("a", "p"), ("a", "q"), ("b", "p"), ("b", "q"), ("c", "q"), ("c", "q")]
    sentences = power.class_power(shown(*rows, classes=("a", "b", "c")))
    assert [line.partition(":")[0] for line in sentences] == ["a", "b", "c"]
    assert re.search(naming("q"), sentences[2])  # the only person of the class
    assert "±" not in sentences[2]
    # 2 of 2 right: from 2/5.84 = 0.342 on, above a third, which would be named.
    assert re.search(naming(2, "±"), sentences[0]) and "33.3%" not in sentences[0]
    assert power.fold_gaps(shown(*rows, classes=("a", "b", "c"))) == []


def test_a_class_without_images():
    sentences = power.class_power(shown(("a", "p"), ("b", "q"), classes=("a", "b", "c")))
    assert sentences[2].startswith("c: ") and not re.search(r"\d", sentences[2])


def test_a_class_missing_in_a_training_part():
    # p and r are tested in fold 0, and b is theirs.
    known = shown(("a", "p"), ("a", "q"), ("b", "p"), ("b", "r"), ("a", "s"))
    (sentence,) = power.fold_gaps(known)
    assert sentence.startswith("b: ") and re.findall(r"\d+", sentence) == ["0"]


def test_a_fold_without_test_images_is_left_out():
    known = ClassCounts(
        ("a", "b"), np.array([0, 1]), np.array(["p", "q"]),
        np.array([[TEST, TRAIN, VALID], [TRAIN, TEST, TRAIN]]),
    )  # fmt: skip
    assert known.folds == (0, 1) and known.tests.tolist() == [1, 1]
    assert re.findall(r"\d+", power.fold_gaps(known)[0]) == ["2"]


def test_images_for_training_only_are_not_tested():
    known = ClassCounts(
        ("a", "b"), np.array([0, 1, 1]), np.array(["p", "q", "q"]),
        np.array([[TEST, TRAIN], [TRAIN, TEST], [TRAIN, UNUSED]]),
    )  # fmt: skip
    assert known.tests.tolist() == [1, 1, 0] and known.majority == ("a", 0.5)
    assert known.smallest_training_part == 1


def test_unknown_subjects_are_counted_as_images():
    known = shown(("a", unit("", "1")), ("a", unit("", "2")), ("b", unit("", "3")))
    assert known.units(known.labels == 0) == 2 and not known.known
    assert "subjects unknown" in power.class_power(known)[0]
    assert not any("people" in text or "person" in text for text in power.class_power(known))


def test_a_folder_is_counted_as_its_manifest_counts_it(demo_data, capfd):
    manifest = manifests.load(demo_data)
    known = count_classes(demo_data, manifest)
    counts = manifest.counts
    assert known.tests.sum() == sum(part["test"] for part in counts["by_fold"])
    assert known.units(np.ones(len(known.labels), bool)) == len(counts["by_subject"]) == 4
    assert known.smallest_training_part == min(part["train"] for part in counts["by_fold"])
    assert power.main([str(demo_data)]) == 0
    out = capfd.readouterr().out
    assert f"{counts['aligned']} of {counts['read']} " in out.splitlines()[0]
    assert re.search(naming(4), out.splitlines()[0])


def test_a_folder_without_a_manifest_is_one_sentence(tmp_path, capfd):
    assert power.main([str(tmp_path)]) == 2
    assert capfd.readouterr().err.count("\n") == 1
