"""Levels of group-sequential looks, against published bounds."""

from __future__ import annotations

import pytest
from scipy import stats

from fesr_tf.metrics.inference import obrien_fleming


def test_four_equal_looks_have_the_published_bounds():
    # R's ldbounds and gsDesign, two-sided 5 %, O'Brien-Fleming spending at 1/4, 2/4, 3/4, 1.
    bounds = [stats.norm.isf(level / 2) for level in obrien_fleming([1, 2, 3, 4])]
    assert bounds == pytest.approx([4.3326, 2.9631, 2.3590, 2.0141], abs=2e-3)


def test_a_single_look_has_the_whole_level():
    assert obrien_fleming([20]) == pytest.approx([0.05], abs=1e-4)
