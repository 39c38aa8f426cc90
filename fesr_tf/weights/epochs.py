"""The order of batches in an epoch as a function of the seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def batches(count: int, batch_size: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """The rows of an epoch's batches; the last images that fill none are left out."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return iter(order[: count // batch_size * batch_size].reshape(-1, batch_size))
