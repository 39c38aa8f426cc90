"""Broken, careless or hostile input to the preprocessing job.

    python -m benchmarks.robustness.bad_input [--every 1]

Builds the corpus of `tests/support/corpus` from rendered faces, runs the commands on it in
processes of their own, and prints the outcome of each kind, with time and memory. Exits with 1
if any outcome is not a permitted one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.heading import heading, parser
from pipelines.common.errors import FailedWork, command
from pipelines.common.text import table
from pipelines.demo_faces import render_database
from tests.support.corpus import trials


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.robustness.bad_input", __doc__)
    options.add_argument(
        "--every", type=int, default=1, help="take only every so many-th damaged image"
    )
    args = options.parse_args(argv)
    print(heading(options, argv))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        render_database(place / "demo", subjects=4, seed=11, frames=2, size=192, progress=False)
        paths = sorted((place / "demo").glob("*/*_01.png"))
        faces = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        found = [
            trials.in_a_folder(faces, place / "folder", args.every),
            trials.in_a_table(faces, place / "table"),
            trials.in_ckplus(faces, place / "ckplus"),
            trials.in_mmi(faces, place / "mmi"),
            trials.refused(place / "refused"),
        ]
    for trial in found:
        outcome = trial.outcome
        print(
            f"\n{trial.name}: {sum(row.made for row in trial.rows):,} cases, exit code "
            f"{outcome.code}, {outcome.seconds:.1f} s, peak {outcome.peak / 1e6:,.0f} MB, "
            f"{len(trial.wrong)} wrong"
        )
        rows = [(r.kind, r.must, r.made, r.kept, r.rejected, r.noted) for r in trial.rows]
        print(table(("kind", "must be", "made", "kept", "rejected", "noted"), rows))
    wrong = [each for trial in found for each in trial.wrong]
    total = sum(row.made for trial in found for row in trial.rows)
    print(f"\n{total:,} cases in all, {len(wrong)} wrong")
    if wrong:
        raise FailedWork(f"{len(wrong)} cases went wrong; the first: {wrong[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
