"""What the studies of variants share: trainings by command, an archive, and their tables."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fesr_tf.metrics.comparison import SCORES
from fesr_tf.metrics.inference import over_blocks
from fesr_tf.processes.sequence import call
from pipelines.common.errors import FailedWork
from pipelines.common.files import write_whole


def numbers(text: str) -> range:
    """`0-11` or `3` as the numbers of training sets. Raises ValueError for anything else."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def python(*words: object) -> None:
    """Runs `python -m words`; raises `FailedWork` where it fails."""
    if code := call(["-m", *map(str, words)]):
        raise FailedWork(f"python -m {' '.join(map(str, words))} ended with exit code {code}")


def save(path: Path, value: dict) -> None:
    """Writes JSON, compressed; equal values give equal bytes."""
    write_whole(path, gzip.compress(json.dumps(value).encode(), mtime=0))


def load(path: Path) -> dict:
    """Reads what `save` wrote."""
    return json.loads(gzip.decompress(path.read_bytes()))


def scores(sets: Sequence[dict], row: str) -> list[str]:
    """The means over training sets of a row's log-loss and Brier score, as `SCORES` has them."""
    return [f"{np.mean([one['rows'][row][key] for one in sets]):.3f}" for key in SCORES]


def verdict(interval: Sequence[float] | None) -> str:
    """`holds`, `does not` or `undecided`, of an interval of a difference; None: equal sets."""
    low, high = interval or (0.0, 0.0)
    return "holds" if low > 0 else "does not" if high < 0 else "undecided"


def difference(
    found: Mapping[str, np.ndarray], better: str, other: str, confidence: float = 0.95
) -> dict[str, str]:
    """Two rows' accuracies by training set, compared: the cells of a table by their heads."""
    result = over_blocks(found[better] - found[other], confidence)
    interval = result["interval"]
    ends = " to ".join(f"{100 * end:+.1f}" for end in interval) if interval else "no spread"
    return {
        "difference": f"{better} > {other}",
        "points": f"{100 * result['mean']:+.1f}",
        "interval": ends,
        "p": f"{result['p']:.2g}",
        "verdict": verdict(interval),
    }
