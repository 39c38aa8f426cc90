"""Costs of the launcher of the preprocessing job beside its workers, by the number of images.

    python -m benchmarks.alignment.scale [--images 10000 100000 1000000] [--rejects 0.01]

Synthetic records: a database of N samples that name images which do not exist; no image is read
and no face is aligned. Each N runs in a process of its own, which does what the launcher does: it
holds the samples, divides them, writes the plan, builds the graph and finishes the folder. Another
process stands in for the workers: it writes what they leave, the files that describe shards. All
its shards are one file of one record, since the launcher opens none but for the contact sheet. What
only workers do is not in the table: alignment, reading shards back, the search for copies, which
`--copies N` times for N images. Nor is the listing of a folder by its reader.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable

from benchmarks.heading import heading, parser
from pipelines.common.errors import FailedWork, command
from pipelines.common.text import table

PHASES = ("start", "samples", "folds", "plan", "graph", "finish")


def _child(*words: object) -> str:
    """What `scale_parts` prints, in another process."""
    # A process counts its starter's memory as its own peak, so a small one starts it.
    arguments = [sys.executable, "-m", "benchmarks.alignment.scale_parts", *map(str, words)]
    starter = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    outcome = subprocess.run(
        [sys.executable, "-S", "-c", starter, *arguments], capture_output=True, text=True
    )
    if outcome.returncode:
        raise FailedWork(f"{' '.join(arguments)} failed: {outcome.stderr.strip()[-500:]}")
    return outcome.stdout


def _rows(found: list[dict]) -> list[tuple[object, ...]]:
    rows = [
        (
            f"{each['images']:,}",
            *(f"{each['seconds'][name]:.1f}" for name in PHASES),
            f"{sum(each['seconds'].values()):.0f}",
            *(f"{each['peaks'][name] / 1e6:.0f}" for name in ("start", "graph", "finish")),
            f"{each['graph'] / 1e3:.0f}",
            f"{each['manifest'] / 1e3:.0f}",
            f"{each['rejected']:,}",
        )
        for each in found
    ]
    return rows


def extrapolated(found: list[dict], images: int) -> str:
    """What `images` would take, along the line through the two largest measurements."""
    first, second = found[-2:]
    share = (images - second["images"]) / (second["images"] - first["images"])

    def line(value: Callable[[dict], float]) -> float:
        return value(second) + share * (value(second) - value(first))

    cpu = line(lambda each: sum(each["seconds"].values()))
    peak = line(lambda each: each["peaks"]["finish"])
    return f"extrapolated to {images:,} images: {cpu:.0f} CPU s, {peak / 1e9:.1f} GB"


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.alignment.scale", __doc__)
    counts = [10_000, 100_000, 1_000_000]
    options.add_argument("--images", type=int, nargs="+", default=counts, help="[%(default)s]")
    options.add_argument("--rejects", type=float, default=0.01, help="share rejected [0.01]")
    options.add_argument("--copies", type=int, nargs="*", default=[], help="time the search too")
    args = options.parse_args(argv)
    print(heading(options, argv), flush=True)
    found = []
    for count in args.images:
        with tempfile.TemporaryDirectory() as folder:
            _child("leave", folder, count, args.rejects)
            found.append(json.loads(_child("launch", folder, count)))
    head = ("images", *(f"{name} s" for name in PHASES), "CPU s", "MB at start", "before the job",
            "in all", "graph KB", "manifest KB", "rejects")  # fmt: skip
    print(table(head, _rows(found)))
    if len(found) > 1:
        print(extrapolated(found, 10_000_000))
    for count in args.copies:
        seconds = float(_child("search", ".", count))
        print(f"search for copies, in the job: {count:,} images, {seconds:.1f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
