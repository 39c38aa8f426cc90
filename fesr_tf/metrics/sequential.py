"""Group-sequential tests: looks at a study before its end that keep the error of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats


def obrien_fleming(looks: Sequence[int], alpha: float = 0.05) -> list[float]:
    """The two-sided levels of tests at `looks`, whose chance of any false alarm is `alpha`.

    looks: ascending numbers of units, of equal information each; the last is the planned end.
    Each side has spent 2 - 2 Phi(z / sqrt(t / end)) by look t, z the quantile 1 - alpha / 4 (Lan
    and DeMets, Biometrika 1983: O'Brien and Fleming's kind).
    """
    share = np.asarray(looks, np.float64) / looks[-1]
    spent = 4 * stats.norm.sf(stats.norm.isf(alpha / 4) / np.sqrt(share))
    covariance = np.sqrt(np.minimum.outer(share, share) / np.maximum.outer(share, share))

    def crossed(bounds: list[float]) -> float:
        """The chance that a statistic leaves its bounds, from the first look on."""
        upper, part = np.array(bounds), covariance[: len(bounds), : len(bounds)]
        known = stats.multivariate_normal(cov=part, seed=0, abseps=1e-7, maxpts=20_000)
        return 1 - float(known.cdf(upper, lower_limit=-upper))

    bounds: list[float] = []
    for level in spent:
        earlier = bounds.copy()

        def excess(bound: float, earlier: list[float] = earlier, level: float = level) -> float:
            return crossed([*earlier, bound]) - level

        bounds.append(optimize.brentq(excess, 1.0, 9.0, xtol=1e-5))
    return [float(2 * stats.norm.sf(bound)) for bound in bounds]
