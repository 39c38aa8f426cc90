"""What the preprocessing job does with input that is broken, careless or hostile.

    python -m benchmarks.bad_input [--every 1]

Builds the corpus of `tests/pipelines/corpus` from rendered faces, runs the commands on it as
processes of their own, and prints what became of each kind, with time and memory. Exits with 1
if anything became of something that should not have.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import heading
from pipelines.common.errors import FailedWork, command
from pipelines.common.text import table
from pipelines.demo_faces import render_database
from tests.pipelines.corpus import trials

_HEAD = ("kind", "must be", "made", "kept", "rejected", "noted")


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bad_input", description=__doc__)
    parser.add_argument(
        "--every", type=int, default=1, help="take only every so many-th damaged picture"
    )
    args = parser.parse_args(argv)
    print(heading("benchmarks.bad_input", argv))
    with tempfile.TemporaryDirectory() as name:
        found = _trials(Path(name), args.every)
    wrong = []
    for trial in found:
        outcome = trial.outcome
        print(
            f"\n{trial.name}: {sum(row.made for row in trial.rows):,} cases, exit code "
            f"{outcome.code}, {outcome.seconds:.1f} s, peak {outcome.peak / 1e6:,.0f} MB, "
            f"{len(trial.wrong)} wrong"
        )
        rows = [(r.kind, r.must, r.made, r.kept, r.rejected, r.noted) for r in trial.rows]
        print(table(_HEAD, rows))
        wrong += trial.wrong
    total = sum(row.made for trial in found for row in trial.rows)
    print(f"\n{total:,} cases in all, {len(wrong)} wrong")
    if wrong:
        raise FailedWork(f"{len(wrong)} cases went wrong; the first: {wrong[0]}")
    return 0


def _trials(place: Path, every: int) -> list[trials.Trial]:
    render_database(place / "demo", subjects=4, seed=11, frames=2, size=192, progress=False)
    paths = sorted((place / "demo").glob("*/*_01.png"))
    faces = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    return [
        trials.in_a_folder(faces, place / "folder", every),
        trials.in_a_table(faces, place / "table"),
        trials.in_ckplus(faces, place / "ckplus"),
        trials.in_mmi(faces, place / "mmi"),
        trials.refused(place / "refused"),
    ]


if __name__ == "__main__":
    sys.exit(main())
