"""What data can show: every figure worked out by hand, every shortcoming said."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf.data import counts as census
from fesr_tf.data.counts import Census
from fesr_tf.own_data import power
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.dataset import manifest as manifests


def shown(*rows: tuple[str, str], folds: int = 2, classes: tuple[str, ...] = ("a", "b")) -> Census:
    """Pictures (class, person); the i-th of the sorted people is tested in fold i mod `folds`."""
    people = sorted({person for _, person in rows})
    home = {person: index % folds for index, person in enumerate(people)}
    return Census(
        classes=classes,
        labels=np.array([classes.index(name) for name, _ in rows]),
        subjects=np.array([person for _, person in rows]),
        splits=np.array([[TEST if home[p] == f else TRAIN for f in range(folds)] for _, p in rows]),
    )


def many(people: int, folds: int = 2) -> Census:
    """Two classes, a picture of each person in each."""
    rows = [(name, f"p{index:03d}") for index in range(people) for name in ("a", "b")]
    return shown(*rows, folds=folds)


def test_the_width_is_wilsons():
    # z = 1.95996: z / (1 + z²/78) · √(0.25/78 + z²/(4·78²)) = 0.1083
    assert power.half_width(39, 78) == pytest.approx(0.1083, abs=5e-5)
    assert "known to ± 10.8 points" in power.of_tests(many(39, folds=5))


def test_so_few_that_even_all_right_might_be_guessed():
    # All of n right: the interval begins at n / (n + z²), 3/6.84 = 0.4385 and 4/7.84 = 0.5101.
    assert power.fewest_right(3, 0.5) is None
    assert power.fewest_right(4, 0.5) == 4
    text = power.of_tests(shown(("a", "p"), ("b", "q")))
    assert "the interval, from 34.2% on" in text and "nothing can be concluded" in text
    assert "nothing can be concluded" not in power.of_tests(many(4))


def test_what_is_above_the_commonest_class_is_said():
    # 78 pictures, half of each class: 48 right is 61.5 %, from 50.4 % on; 47 from 49.1 % on.
    assert "below 61.5% (48 of 78) cannot be told" in power.of_tests(many(39))


def test_two_variants_need_six_pictures_and_six_folds():
    # Exact two-sided: 2 / 2^5 = 0.0625, 2 / 2^6 = 0.031.
    assert power.fewest_apart() == 6
    five, six = power.of_variants(many(12, folds=5)), power.of_variants(many(12, folds=6))
    assert "at least 6 pictures (25.0%)" in five and "no p of 5 folds is below 0.0625" in five
    assert "fold by fold" not in six
    assert "cannot be told apart on 4 test pictures" in power.of_variants(many(2))


def test_a_class_of_one_person_is_neither_trained_nor_tested():
    rows = [("a", "p"), ("a", "q"), ("b", "p"), ("b", "q"), ("c", "q"), ("c", "q")]
    said = power.of_classes(shown(*rows, classes=("a", "b", "c")))
    assert [line.partition(":")[0] for line in said] == ["a", "b", "c"]
    assert "only q shows it" in said[2] and "nothing can be concluded" in said[2]
    # 2 of 2 right: from 2/5.84 = 0.342 on, above a third.
    assert "2 test pictures of 2 people" in said[0] and "nothing" not in said[0]
    assert power.of_folds(shown(*rows, classes=("a", "b", "c"))) == []


def test_a_class_without_a_picture_left():
    said = power.of_classes(shown(("a", "p"), ("b", "q"), classes=("a", "b", "c")))
    assert said[2] == "c: no picture is left, so nothing can learn it: leave the class out"


def test_a_class_that_only_a_folds_test_people_show():
    # p and r are tested in fold 0, and b is theirs.
    known = shown(("a", "p"), ("a", "q"), ("b", "p"), ("b", "r"), ("a", "s"))
    assert power.of_folds(known) == ["b: not a picture of it in the training part of fold 0"]


def test_a_fold_whose_people_were_all_rejected_is_left_out():
    known = Census(
        ("a", "b"), np.array([0, 1]), np.array(["p", "q"]),
        np.array([[TEST, TRAIN, VALID], [TRAIN, TEST, TRAIN]]),
    )  # fmt: skip
    assert known.folds == (0, 1) and known.tests.tolist() == [1, 1]
    assert power.of_folds(known)[0].startswith("fold 2: no picture left to train on, or none to")


def test_pictures_for_training_alone_are_no_tests():
    known = Census(
        ("a", "b"), np.array([0, 1, 1]), np.array(["p", "q", "q"]),
        np.array([[TEST, TRAIN], [TRAIN, TEST], [TRAIN, UNUSED]]),
    )  # fmt: skip
    assert known.tests.tolist() == [1, 1, 0] and known.guess == ("a", 0.5)
    assert known.smallest_training_part == 1


def test_a_name_a_picture_is_doubted():
    assert "every picture is of another person" in power.of_names(shown(("a", "p"), ("b", "q")))[0]
    assert power.of_names(many(3)) == []


def test_a_folder_is_counted_as_its_manifest_counts_it(demo_data, capfd):
    manifest = manifests.load(demo_data)
    known = census.take(demo_data, manifest)
    counts = manifest.counts
    assert known.tests.sum() == sum(part["test"] for part in counts["by_fold"])
    assert known.people(np.ones(len(known.labels), bool)) == len(counts["by_subject"]) == 4
    assert known.smallest_training_part == min(part["train"] for part in counts["by_fold"])
    assert power.main([str(demo_data)]) == 0
    out = capfd.readouterr().out
    assert f"{counts['aligned']} of {counts['read']} pictures are used, of 4 people" in out


def test_a_folder_that_is_no_data_is_one_sentence(tmp_path, capfd):
    assert power.main([str(tmp_path)]) == 2
    assert capfd.readouterr().err.count("\n") == 1
