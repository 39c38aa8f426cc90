"""Levels of group-sequential looks, against published bounds; intervals over blocks, by hand."""

from __future__ import annotations

import pytest
from scipy import stats

from fesr_tf.metrics.sequential import blocks_interval, obrien_fleming


def test_four_equal_looks_have_the_published_bounds():
    # R's ldbounds and gsDesign, two-sided 5 %, O'Brien-Fleming spending at 1/4, 2/4, 3/4, 1.
    bounds = [stats.norm.isf(level / 2) for level in obrien_fleming([1, 2, 3, 4])]
    assert bounds == pytest.approx([4.3326, 2.9631, 2.3590, 2.0141], abs=2e-3)


def test_a_single_look_has_the_whole_level():
    assert obrien_fleming([20]) == pytest.approx([0.05], abs=1e-4)


def test_mean_interval_and_p_of_four_blocks():
    # mean 2, sd sqrt(20/3), standard error 1.29099; t(0.975, 3) = 3.18245; t = 1.54919
    mean, (low, high), p = blocks_interval([-1.0, 1.0, 3.0, 5.0], 0.05)
    assert (mean, low, high) == pytest.approx((2.0, 2 - 4.10850, 2 + 4.10850), abs=1e-4)
    assert p == pytest.approx(0.21917, abs=1e-4)


def test_one_block_has_no_spread():
    with pytest.raises(ValueError, match="1"):
        blocks_interval([1.0], 0.05)
