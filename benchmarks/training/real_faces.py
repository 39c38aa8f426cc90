"""Does joint learning help on photographs? Class-balanced training sets of FER2013 of four sizes.

Every set is drawn from FER2013's part Training with a seed of its own, has a FESGAN of its own, and
every row of `ROWS` is tested on all of PublicTest. WEIGHTS is a face network that learned no
expression: `python -m fesr_tf.weights pretrain --faces fer2013.csv --votes fer2013new.csv`. A set's
answers are archived as soon as it is done; a call that was stopped resumes.
docs/results/real_faces/plan.md has the hypotheses, written before the first run. The archive says
which answers were right, and holds nothing of FER2013.

    python -m benchmarks.training.real_faces --faces fer2013.csv --weights WEIGHTS --work WORK \\
        --sizes 700 --sets 0-4
    python -m benchmarks.training.real_faces                         # the tables of the archive
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks.heading import heading, parser
from benchmarks.training.studies import difference, load, numbers, python, save, scores
from fesr_tf import runs
from fesr_tf.metrics.comparison import SCORES
from fesr_tf.runs import machine
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import sha256_of, write_whole
from pipelines.common.text import table
from pipelines.databases.fer2013 import CLASSES, Table, read_table

ARCHIVE = Path(__file__).parents[2] / "docs/results/real_faces"
SIZES = (350, 700, 1400, 2800)
_FIRST_SEED = 2_000
BASE = ("image_size=64", "width=0.25", "learning_rate=0.0005", "lambda2=100", "trunk=null",
        "identity=light_cnn_demo", "pretrain_iterations=4000", "recognizer_iterations=3000",
        "ema=0.999", "keep_checkpoints=1", "picture_every=8000", "checkpoint_every=1000",
        "validate_every=8000", "log_every=100", "projector_faces=0")  # fmt: skip
ROWS = {
    "BASELINE": ("BASELINE", ""),
    "BASELINE, augmented": ("BASELINE", "augmentation=standard"),
    "FESR_JL": ("FESR_JL", ""),
    "FESR_JL, augmented": ("FESR_JL", "augmentation=standard"),
}
"""Variant and settings of each row; all train R for the same number of iterations."""
DIFFERENCES = (
    ("FESR_JL", "BASELINE"),
    ("FESR_JL", "BASELINE, augmented"),
    ("FESR_JL, augmented", "BASELINE, augmented"),
    ("BASELINE, augmented", "BASELINE"),
)


def drawn(faces: Table, size: int, seed: int) -> np.ndarray:
    """The rows of a training set: `size` images of Training, none of which is also in PublicTest or
    twice in the set, equally many a class; a class with too few gives all it has, and the others
    the rest in equal numbers. Raises `BadUse` where all classes together have too few."""
    taken = {image.tobytes() for image in faces.images[faces.usages == "PublicTest"]}
    order = np.random.default_rng(seed).permutation(np.flatnonzero(faces.usages == "Training"))
    own: list[list[int]] = [[] for _ in CLASSES]
    for row in order.tolist():
        pixels = faces.images[row].tobytes()
        if pixels not in taken:
            taken.add(pixels)
            own[faces.emotions[row]].append(row)
    chosen: list[int] = []
    for index, rows in enumerate(sorted(own, key=len)):
        chosen += rows[: (size - len(chosen)) // (len(CLASSES) - index)]
    if len(chosen) < size:
        raise BadUse(f"Training has only {sum(map(len, own))} images that can be used, not {size}")
    return np.array(chosen)


def subset(faces: Table, size: int, seed: int) -> str:
    """A table like fer2013.csv: the training set, and PublicTest as the part that tests."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("emotion", "pixels", "Usage"))
    parts = (drawn(faces, size, seed), "Training"), (
        np.flatnonzero(faces.usages == "PublicTest"), "PrivateTest")  # fmt: skip
    for rows, usage in parts:
        for row in rows:
            pixels = " ".join(map(str, faces.images[row].reshape(-1)))
            writer.writerow((faces.emotions[row], pixels, usage))
    return text.getvalue()


def answers(run: Path) -> dict:
    """Which test images R classifies correctly, in key order, and its two scores."""
    result = json.loads((run / runs.files.evaluation()).read_text(encoding="utf-8"))
    correct = "".join(str(int(e["prediction"] == e["label"])) for e in result["predictions"])
    return {"correct": correct, **{name: round(result[name], 5) for name in SCORES}}


def place(size: int, number: int) -> Path:
    """Where a set is archived."""
    return ARCHIVE / f"{size}-{number:02d}.json.gz"


def train(faces: Table, size: int, number: int, work: Path, weights: Path) -> None:
    """Trains, tests and archives one set."""
    if place(size, number).is_file():
        print(f"{size} images, set {number}: archived already", flush=True)
        return
    folder, seed = work / f"{size}-{number:02d}", _FIRST_SEED + number
    data = folder / "data"
    if not (data / "manifest.json").is_file():
        write_whole(folder / "fer2013.csv", subset(faces, size, seed))
        words = ("--db", "fer2013", "--input", folder / "fer2013.csv", "--output", data)
        python("pipelines.preprocess", *words, "--allow-copies")
    base = (*BASE, f"identity_weights={weights.absolute()}", f"seed={seed}")
    common = ("--db", "fer2013", "--data", data)
    python("fesr_tf.train", *common, "--runs", folder / "first", "--variant", "FG", *base)
    first = runs.run_folder(folder / "first", "fer2013", "FG", 0)
    rows = {}
    for name, (variant, settings) in ROWS.items():
        own = folder / name.replace(", ", "-")
        run = runs.run_folder(own, "fer2013", variant, 0)
        begin = () if variant == "BASELINE" else ("--first-stage", first)
        if not (run / runs.files.evaluation()).is_file():
            words = (*common, "--runs", own, "--variant", variant, *begin, *base)
            python("fesr_tf.train", *words, *settings.split())
            python("fesr_tf.evaluate", run)
        rows[name] = answers(run)
    about = {"seed": seed, "commit": machine.commit(), "machine": machine.processor()}
    about["weights"] = sha256_of(weights)
    save(place(size, number), {"size": size, "set": number, **about, "rows": rows})
    shutil.rmtree(folder)


def archived(size: int, folder: Path = ARCHIVE) -> list[dict]:
    """The archived sets of a size."""
    return [load(path) for path in sorted(folder.glob(f"{size}-*.json.gz"))]


def tables(folder: Path = ARCHIVE) -> str:
    """The accuracies and their differences by size, as text."""
    cells, differences = [], []
    for size in SIZES:
        sets = archived(size, folder)
        if not sets:
            continue
        found = {
            name: np.array([np.mean(list(map(int, one["rows"][name]["correct"]))) for one in sets])
            for name in ROWS
        }
        for name, values in found.items():
            each = " ".join(f"{100 * value:.1f}" for value in values)
            cells.append([str(size), name, each, f"{100 * values.mean():.1f}", *scores(sets, name)])
        for better, other in DIFFERENCES if len(sets) > 1 else ():
            row = difference(found, better, other)
            differences.append([str(size), str(len(sets)), *row.values()])
    if not cells:
        raise FailedWork(f"{folder} has no set yet: give --faces, --weights and --work")
    text = "accuracy on PublicTest in %, by training images\n"
    text += table(["images", "row", "sets", "mean", *SCORES], cells)
    if not differences:
        return text + "\n\none set a size: no interval yet"
    head = ["images", "sets", "difference", "points", "95 % interval", "p of signs", "verdict"]
    return f"{text}\n\ndifferences over sets, Student's t\n{table(head, differences)}"


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.real_faces", __doc__)
    options.add_argument("--faces", type=Path, metavar="FILE", help="fer2013.csv")
    options.add_argument("--weights", type=Path, metavar="FILE", help="of light_cnn_demo's table")
    options.add_argument("--work", type=Path, metavar="DIR", help="faces and runs")
    options.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=SIZES)
    options.add_argument("--sets", type=numbers, metavar="A-B", default=range(5), help="[0-4]")
    args = options.parse_args(argv)
    given = [args.faces, args.weights, args.work]
    if any(given) and not all(given):
        raise BadUse("--faces, --weights and --work belong together")
    if args.work:
        faces = read_table(args.faces)
        for size in args.sizes:
            for number in args.sets:
                train(faces, size, number, args.work, args.weights)
    print(heading(options, argv))
    print(tables())
    return 0


if __name__ == "__main__":
    sys.exit(main())
