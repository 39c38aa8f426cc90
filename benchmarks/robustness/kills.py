"""A training run killed again and again, compared with one that was never stopped.

    python -m benchmarks.robustness.kills [--kills 100] [--seed 0] [--data DIR]

Trains a small run by the real command, kills its process (SIGKILL) at random moments and resumes
it, until it has been killed often enough or has ended; then the next run. After every kill the
newest checkpoint on the disk is compared, bit for bit, with the undisturbed run's at that step;
at the end of every run the last and the best checkpoint are. Exits with 1 where anything differs,
or where a run cannot resume.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.heading import heading, parser
from pipelines.common.errors import FailedWork, command
from pipelines.common.text import table
from tests.support.killed_run import HEAD, MOMENTS, kill, rendered

# isort: split
import tensorflow as tf


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.robustness.kills", __doc__)
    options.add_argument("--kills", type=int, default=100, help="how many [100]")
    options.add_argument("--seed", type=int, default=0, help="of the moments [0]")
    options.add_argument("--data", type=Path, help="preprocessed demo faces [rendered anew]")
    args = options.parse_args(argv)
    print(f"{heading(options, argv)}\nTensorFlow {tf.__version__}")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        rows, wrong = kill(args.data or rendered(place), place, args.kills, args.seed)
    print(table(HEAD, rows))
    kinds = ", ".join(f"{sum(row[1] == kind for row in rows)} {kind}" for kind in MOMENTS)
    print(
        f"\n{len(rows)} kills ({kinds}; {sum(row[6] > 0 for row in rows)} left a checkpoint half "
        f"written or half removed): {len(wrong)} differences"
    )
    if wrong:
        raise FailedWork(f"{len(wrong)} differences; the first: {wrong[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
