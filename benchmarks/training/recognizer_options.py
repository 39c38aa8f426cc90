"""What each option of R beyond the paper does on photographs: one override a row, several seeds.

Every row is a run of BASELINE on DATA, a folder of `pipelines.preprocess` (of ferplus, for
example), with the settings of `BASE` and the row's own. It is measured on the test part, which
chooses nothing. Runs are kept in RUNS: a call that was stopped resumes there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.heading import heading, parser
from fesr_tf import runs
from fesr_tf.processes.sequence import call
from fesr_tf.results.evaluation import evaluate
from fesr_tf.runs.opening import load_data
from pipelines.common.errors import FailedWork, command
from pipelines.common.text import table
from pipelines.dataset import manifest

BASE = ("image_size=64", "width=0.25", "learning_rate=0.001", "batch_size=64",
        "pretrain_iterations=0", "max_iterations=3000", "validate_every=1500",
        "checkpoint_every=500", "picture_every=3000", "log_every=100", "projector_faces=0",
        "keep_checkpoints=1")  # fmt: skip
TOGETHER = "targets=votes learning_rate_schedule=cosine ema=0.999 augmentation=standard"
ROWS = {
    "the paper's R": "",
    "votes": "targets=votes",
    "smoothing": "label_smoothing=0.1",
    "class weights": "class_weights=balanced",
    "cosine": "learning_rate_schedule=cosine",
    "ema": "ema=0.999",
    "flip": "augmentation=flip",
    "standard": "augmentation=standard",
    "tuned trunk": "trunk_learning_rate=0.0002",
    "together": TOGETHER,
    "together, tuned trunk": f"{TOGETHER} trunk_learning_rate=0.0002",
}
"""The settings of each row."""


def measured(data: Path, folder: Path, overrides: list[str]) -> tuple[float, float]:
    """Trains where that is not done; accuracy and balanced accuracy on the test part."""
    name = manifest.load(data).database
    words = ["--db", name, "--data", str(data), "--runs", str(folder), "--variant", "BASELINE"]
    if code := call(["-m", "fesr_tf.train", *words, *overrides]):
        raise FailedWork(f"fesr_tf.train ended with exit code {code} in {folder}")
    run = runs.open_run(folder / name / "BASELINE" / "fold-00")
    result = evaluate(run, load_data(run).test)
    recalls = [row["recall"] for row in result["per_class"] if row["recall"] is not None]
    return result["accuracy"], float(np.mean(recalls))


def spread(values: np.ndarray) -> str:
    """`81.2 ± 0.3`, in percent, of several seeds; a single one's alone."""
    mean = f"{100 * values.mean():.1f}"
    return f"{mean} ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else mean


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.recognizer_options", __doc__)
    options.add_argument("--data", type=Path, required=True, metavar="DATA")
    options.add_argument("--runs", type=Path, required=True, metavar="RUNS")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    args = options.parse_args(argv)
    cells, first = [], None
    for name in args.rows:
        found = np.array([
            measured(args.data, args.runs / name.replace(", ", "-").replace(" ", "_") / str(seed),
                     [*BASE, f"seed={seed}", *ROWS[name].split()])
            for seed in range(args.seeds)
        ])  # fmt: skip
        first = found if first is None else first
        change = spread(found[:, 0] - first[:, 0])
        cells.append([name, spread(found[:, 0]), spread(found[:, 1]), change])
        print(f"{name}: {cells[-1][1:]}", flush=True)
    print(heading(options, argv))
    print(f"{args.seeds} seeds: mean and standard deviation, in %; the last column by seed")
    print(table(["R", "accuracy", "balanced", f"against {args.rows[0]}"], cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
