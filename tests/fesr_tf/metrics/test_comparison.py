"""Statistics of a cross-validation against cases worked by hand, scipy and brute force."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import stats

from fesr_tf.metrics import comparison, inference
from fesr_tf.metrics.comparison import Answers
from tests.support.naming import naming


def answers(right, folds, seeds=None, subjects=None, keys=None) -> Answers:
    """Answers of class 0 that are right or wrong as `right` says."""
    count = len(right)
    return Answers(
        seeds=np.array(seeds if seeds is not None else [0] * count),
        folds=np.array(folds),
        keys=np.array(keys if keys is not None else [f"k{i:03d}" for i in range(count)]),
        subjects=np.array(subjects if subjects is not None else [f"s{i}" for i in range(count)]),
        labels=np.zeros(count, int),
        predictions=1 - np.array(right, int),
        yaws=np.zeros(count),
    )


def test_mean_and_sd_are_of_the_folds_with_n_minus_1():
    # 0.5, 0.7, 0.9: mean 0.7, squares 0.04 + 0 + 0.04 over 2.
    mean, sd = inference.mean_and_sd([0.5, 0.7, 0.9])
    assert (mean, sd) == pytest.approx((0.7, 0.2))
    assert inference.mean_and_sd([0.5]) == (0.5, None)
    assert inference.mean_and_sd([]) == (None, None)


def test_folds_of_other_sizes_weigh_the_same_in_the_mean_and_by_images_in_the_pool():
    right, folds = np.array([1.0, 1, 1, 0, 1, 0]), np.array([0, 0, 0, 0, 1, 1])
    assert comparison.by_fold(right, folds) == {0: 0.75, 1: 0.5}
    assert comparison.proportion(right)["accuracy"] == pytest.approx(4 / 6)


def test_several_seeds_do_not_add_images():
    """Two seeds, three pictures: 1, 1/2 and 0 right are 1.5 of 3, and Wilson's interval is of 3."""
    both = answers([1, 1, 0, 1, 0, 0], [0] * 6, seeds=[0, 0, 0, 1, 1, 1], keys=["a", "b", "c"] * 2)
    images = comparison.by_image(both)
    assert images.keys.tolist() == ["a", "b", "c"] and images.right.tolist() == [1, 0.5, 0]
    found = comparison.proportion(images.right)
    assert (found["right"], found["pictures"], found["accuracy"]) == (1.5, 3, 0.5)
    wilson = stats.binomtest(3, 6).proportion_ci(method="wilson")  # half of six: a narrower one
    low, high = found["interval"]
    assert low < wilson.low and high > wilson.high


def test_the_pooled_interval_is_wilson_s():
    found = comparison.proportion(np.repeat([1.0, 0.0], [37, 13]))
    reference = stats.binomtest(37, 50).proportion_ci(method="wilson")
    assert found["interval"] == pytest.approx([reference.low, reference.high])


def test_groups_come_in_order_with_their_own_counts():
    found = comparison.by_group(np.array([1.0, 0, 1, 1]), np.array([45.0, -45, 45, 0]))
    assert list(found) == [-45.0, 0.0, 45.0]
    assert (found[45.0]["right"], found[45.0]["pictures"]) == (2, 2)
    assert found[-45.0]["accuracy"] == 0


def test_mcnemar_by_hand():
    """1 against 6 of 7: two tails of (1 + 7) / 128 each."""
    first = np.array([1] * 10 + [1] + [0] * 6 + [0] * 3, bool)
    second = np.array([1] * 10 + [0] + [1] * 6 + [0] * 3, bool)
    assert inference.mcnemar(first, second) == (1, 6, pytest.approx(16 / 128))
    assert inference.mcnemar(second, first)[2] == pytest.approx(16 / 128)
    assert inference.mcnemar(first, first) == (0, 0, 1.0)
    with pytest.raises(ValueError, match=naming(20, 3)):
        inference.mcnemar(first, second[:3])


def test_sign_flips_by_hand():
    """All five better: only the pattern itself and its mirror are as far out, 2 of 32."""
    assert inference.sign_flip([0.1, 0.2, 0.1, 0.3, 0.05]) == 0.0625
    # 1, 2, -3 of means 0: every one of the 8 patterns is at least as far out.
    assert inference.sign_flip([1, 2, -3]) == 1.0
    # 3, 1, 1 (5 of the mean): 2 of 8. 3, 1, -1: sums of +-3 +-1 +-1 are +-5, +-3 (4 times), +-1.
    assert inference.sign_flip([3, 1, -1]) == 6 / 8
    assert inference.sign_flip([0.1]) is None
    assert inference.sign_flip([0.0, 0.0]) == 1.0


def test_sign_flips_of_ten_folds_are_all_1024():
    values = np.random.default_rng(3).normal(0.02, 0.03, 10)
    patterns = np.array(list(itertools.product([1, -1], repeat=10)))
    means = np.abs((patterns * values).mean(1))
    expected = float((means >= abs(values.mean()) - 1e-12).mean())
    assert inference.sign_flip(values) == pytest.approx(expected, abs=1e-12)


def test_of_many_folds_patterns_are_sampled_reproducibly():
    values = np.random.default_rng(5).normal(0.01, 0.05, 24)
    p = inference.sign_flip(values)
    assert p == inference.sign_flip(values)
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.02)


def test_the_bootstrap_draws_whole_people():
    """Two people, 3 pictures of +1 and 1 of -1. Draws: both the first (1/4) gives 1, both the
    second -1, one of each (3 - 1) / 4: the ends are -1 and 1. Single pictures would hardly ever
    all be the second's."""
    low, high = inference.bootstrap_difference(
        np.array([1.0, 1, 1, -1]), np.array(["a", "a", "a", "b"])
    )
    assert (low, high) == (-1.0, 1.0)


def test_the_bootstrap_resamples_people_as_by_hand():
    draw = np.random.default_rng(1)
    subjects = np.array([f"p{i}" for i in draw.integers(0, 30, 200)])
    difference = draw.choice([-1.0, 0, 0, 1, 1], 200)
    low, high = inference.bootstrap_difference(difference, subjects)
    assert inference.bootstrap_difference(difference, subjects) == (low, high)
    names, means = np.unique(subjects), []
    for _ in range(10_000):
        chosen = draw.choice(names, len(names))
        rows = np.concatenate([np.flatnonzero(subjects == name) for name in chosen])
        means.append(difference[rows].mean())
    assert [low, high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.01)


def test_one_person_has_no_interval_and_equal_people_have_a_point():
    assert inference.bootstrap_difference(np.ones(4), np.array(["a"] * 4)) is None
    assert inference.bootstrap_difference(np.zeros(4), np.array(list("aabb"))) == (0.0, 0.0)


def test_seeds_that_agree_support_each_other_and_others_do_not():
    """7 : 1 twice: one-sided p 9/256 each. 7 : 1 and 1 : 7 cancel out."""
    for p in (inference.combined_p([(1, 7)]), inference.mcnemar(*sides(1, 7))[2]):
        assert p == pytest.approx(18 / 256)
    q = (9 / 256) ** 2
    assert inference.combined_p([(1, 7)] * 2) == pytest.approx(2 * q * (1 - np.log(q)))
    assert inference.combined_p([(7, 1)] * 2) == inference.combined_p([(1, 7)] * 2)
    assert inference.combined_p([(1, 7), (7, 1)]) > 0.3
    # A seed without a discordant image neither supports nor contradicts: Fisher with p = 1.
    assert inference.combined_p([(1, 7), (0, 0)]) == pytest.approx(
        2 * stats.combine_pvalues([9 / 256, 1.0]).pvalue
    )
    assert inference.combined_p([]) is None


def test_combined_p_keeps_its_level_where_nothing_differs():
    """All 13 x 13 results of two seeds with 12 discordant images each, by their probability."""
    chance = stats.binom.pmf(np.arange(13), 12, 0.5)
    level = sum(
        chance[a] * chance[b]
        for a, b in itertools.product(range(13), repeat=2)
        if inference.combined_p([(a, 12 - a), (b, 12 - b)]) <= 0.05
    )
    assert 0.005 < level <= 0.05


def sides(only_first: int, only_second: int) -> tuple[np.ndarray, np.ndarray]:
    right = np.repeat([True, False], [only_first, only_second])
    return right, ~right


def test_blocks_against_scipy_and_by_hand():
    """Mean 2, sd 2, three blocks: 2 +- 4.303 x 2 / sqrt(3), and 2 of 8 sign patterns."""
    found = inference.over_blocks([0.0, 2.0, 4.0])
    assert (found["mean"], found["sd"]) == (2.0, 2.0)
    half = 4.302653 * 2 / np.sqrt(3)
    assert found["interval"] == pytest.approx([2 - half, 2 + half], abs=1e-5)
    assert found["p"] == 4 / 8  # 0 counts with either sign
    values = np.random.default_rng(4).normal(0.03, 0.02, 12)
    reference = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert inference.over_blocks(values.tolist())["interval"] == pytest.approx([*reference])
    assert inference.over_blocks([0.1])["interval"] is None
    assert inference.over_blocks([])["mean"] is None


def test_the_crossed_bootstrap_by_hand():
    """Runs 1, 2 times people a, b: differences 1, 0 and 0, 0. Of 16 equal draws of two runs and two
    people, run 1 and a each come 0, 1 or 2 times, so the mean is their product over 4."""
    runs, people = np.array([1, 1, 2, 2]), np.array(["a", "b", "a", "b"])
    interval = inference.crossed_bootstrap(np.array([1.0, 0, 0, 0]), runs, people)
    assert interval == (0.0, 1.0)  # 1 with probability 1/16, 0 with 7/16
    assert inference.crossed_bootstrap(np.ones(2), np.array([1, 1]), people[:2]) is None
    assert inference.crossed_bootstrap(np.ones(2), np.array([1, 2]), people[:1].repeat(2)) is None


def test_the_crossed_bootstrap_draws_runs_and_people_as_by_hand():
    """8 runs, 30 people with 1 to 4 pictures, against an explicit resampling; wider than that over
    people alone, as the runs differ."""
    draw = np.random.default_rng(7)
    pictures = draw.integers(1, 5, 30)
    people = np.tile(np.repeat(np.arange(30), pictures), 8)
    runs = np.repeat(np.arange(8), pictures.sum())
    difference = draw.normal(0.1, 0.3, len(people)) + draw.normal(0, 0.2, 8)[runs]
    low, high = inference.crossed_bootstrap(difference, runs, people)
    assert (low, high) == inference.crossed_bootstrap(difference, runs, people)
    sums, counts = np.zeros((8, 30)), np.zeros((8, 30))
    np.add.at(sums, (runs, people), difference)
    np.add.at(counts, (runs, people), 1)
    means = []
    for _ in range(4000):
        cells = np.ix_(draw.integers(0, 8, 8), draw.integers(0, 30, 30))
        means.append(sums[cells].sum() / counts[cells].sum())
    assert [low, high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.01)
    narrow = inference.bootstrap_difference(difference, people)
    assert high - low > 1.5 * (narrow[1] - narrow[0])


def test_scores_are_compared_beside_accuracies():
    """Two images, p of the true class 0.5 and 0.5 against 1 and 0.5: Brier 0.5 less on the first,
    log-loss ln 2 less."""
    first, second = (
        dataclasses.replace(answers([1, 1], [0, 0]), probabilities=np.array(values))
        for values in ([[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.5, 0.5]])
    )
    found = comparison.paired(first, second)
    assert found["difference"] == 0
    assert found["brier"]["difference"] == pytest.approx(-0.25)
    assert found["log_loss"]["difference"] == pytest.approx(-np.log(2) / 2)
    assert found["brier"]["interval"] == pytest.approx([-0.5, 0.0])


def test_holm_by_hand():
    """0.01 x 3, 0.02 x 2, 0.03 x 1 is less than the one before it: 0.03, 0.04, 0.04."""
    assert inference.holm([0.03, 0.01, None, 0.02]) == pytest.approx([0.04, 0.03, None, 0.04])
    assert inference.holm([0.9, 0.6]) == [1.0, 1.0]
    assert inference.holm([]) == []


def test_a_pair_is_compared_on_what_both_have():
    """Fold 1 of the second is missing: four pictures of fold 0 are left, in whatever order."""
    first = answers([1, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1])
    second = answers([1, 1, 0, 1], [0] * 4, keys=["k003", "k002", "k001", "k000"],
                     subjects=["s3", "s2", "s1", "s0"])  # fmt: skip
    found = comparison.paired(first, second)
    assert (found["folds"], found["runs"], found["pictures"], found["people"]) == ([0], 1, 4, 4)
    assert found["difference"] == pytest.approx(0.5)  # 1 of 4 against 3 of 4
    assert found["mcnemar"] == [{"seed": 0, "only_first": 0, "only_second": 2, "p": 0.5}]
    assert found["by_seed"]["p"] is None and found["fold_differences"] == [pytest.approx(0.5)]
    assert found["brier"] is None


def test_seeds_are_averaged_within_images_and_each_has_its_own_mcnemar():
    seeds, keys = [0, 0, 1, 1], ["a", "b", "a", "b"]
    first = answers([0, 0, 0, 1], [0] * 4, seeds, ["x", "y"] * 2, keys)
    second = answers([1, 1, 1, 1], [0] * 4, seeds, ["x", "y"] * 2, keys)
    found = comparison.paired(first, second)
    assert (found["pictures"], found["runs"], found["difference"]) == (2, 2, 0.75)
    assert [test["only_second"] for test in found["mcnemar"]] == [2, 1]
    # One-sided p in favour of the second: 1/4 and 1/2; Fisher: q (1 - ln q), q = 1/8; twice it.
    assert found["p_pictures"] == pytest.approx(2 * (1 + np.log(8)) / 8)
    assert found["by_seed"]["differences"] == [1.0, 0.5]
    # Differences 1, 1 (seed 0) and 1, 0 (seed 1) of x, y. All of them in two of three draws; the
    # least, seed 1 twice of person y twice, in one of 16.
    assert found["interval"] == pytest.approx([0.0, 1.0])
    assert comparison.over(found) == "runs and people"


def test_nothing_in_common_is_no_number():
    found = comparison.paired(answers([1], [0]), answers([1], [1]))
    assert (found["runs"], found["pictures"]) == (0, 0)
    assert found["difference"] is found["interval"] is found["p_pictures"] is None


def test_other_images_are_refused():
    with pytest.raises(ValueError, match="keys"):
        comparison.paired(answers([1], [0], keys=["a"]), answers([1], [0], keys=["b"]))


def test_an_image_that_two_folds_test_counts_twice():
    images = comparison.by_image(answers([1, 0], [0, 1], keys=["a", "a"], subjects=["p", "p"]))
    assert images.right.tolist() == [1, 0]
