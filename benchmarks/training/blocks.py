"""Does joint learning help? Every variant on training sets of their own, block by block.

A block is 15 rendered people with a FESGAN and a seed of their own. Each row of `ROWS` is trained
on it and tested on one population of other rendered people, the peak images of 1,000. A block's
answers are archived as soon as it is done; a call that was stopped resumes.
docs/results/blocks/plan.md has the hypotheses and the stopping rule, written before the first run.

    python -m benchmarks.training.blocks --work WORK --blocks 0-11    # an hour a block and core
    python -m benchmarks.training.blocks                              # the tables of the archive
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks.heading import heading, parser
from benchmarks.training.studies import difference, load, numbers, python, save, scores
from fesr_tf import runs
from fesr_tf.metrics.comparison import SCORES
from fesr_tf.metrics.inference import obrien_fleming
from fesr_tf.runs import machine
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.text import table

ARCHIVE = Path(__file__).parents[2] / "docs/results/blocks"
POPULATION, PEOPLE, TESTED = "population.json.gz", 15, 1000
_POPULATION_SEED, _FIRST_SEED = 500_000, 1_000
LOOKS = (8, 12, 16, 20)
BASE = ("ema=0.999", "recognizer_iterations=2000", "keep_checkpoints=1", "picture_every=6000",
        "checkpoint_every=1000", "log_every=100", "projector_faces=0")  # fmt: skip
ROWS = {
    "BASELINE": ("BASELINE", ""),
    "BASELINE, augmented": ("BASELINE", "augmentation=standard"),
    "FESR_JL": ("FESR_JL", ""),
    "FESR_SL": ("FESR_SL", ""),
    "FESR_OneSt": ("FESR_OneSt", ""),
    "FESR_Real": ("FESR_Real", ""),
    "FESR_JL-IL": ("FESR_JL-IL", ""),
    "FESR_JL-RDBP": ("FESR_JL-RDBP", ""),
    "FESR_JL, before dropout": ("FESR_JL", "intra_features=pre_dropout lambda6=0.03"),
    "FESR_JL, augmented": ("FESR_JL", "augmentation=standard"),
}
"""Variant and settings of each row; all train R for the same number of iterations."""
CONTROL = ("FESR_JL", "BASELINE, augmented")
INEQUALITIES = tuple(
    ("FESR_JL", other)
    for other in ("BASELINE", "FESR_SL", "FESR_OneSt", "FESR_Real", "FESR_JL-IL", "FESR_JL-RDBP")
)
OTHERS = (
    ("BASELINE, augmented", "BASELINE"),
    ("FESR_JL, augmented", "BASELINE, augmented"),
    ("FESR_JL, before dropout", "FESR_JL-IL"),
)


def faces_of(folder: Path, people: int, seed: int, *options: object) -> Path:
    """`folder`, with rendered people in it; made where they are not there yet."""
    if not (folder / "manifest.json").is_file():
        given = ("--demo-subjects", people, "--demo-seed", seed, "--output", folder)
        python("pipelines.preprocess", "--db", "demo", *given, *options)
    return folder


def answers(run: Path) -> dict:
    """R's answers of a run on the population, in key order, and its two scores."""
    result = json.loads((run / runs.files.evaluation("people")).read_text(encoding="utf-8"))
    predictions = "".join(str(row["prediction"]) for row in result["predictions"])
    return {"predictions": predictions, **{name: round(result[name], 5) for name in SCORES}}


def block(number: int, work: Path, population: Path) -> None:
    """Trains, tests and archives one block."""
    place = ARCHIVE / f"block-{number:02d}.json.gz"
    if place.is_file():
        print(f"block {number}: archived already", flush=True)
        return
    folder, seed = work / f"block-{number:02d}", _FIRST_SEED + number
    data = faces_of(folder / "data", PEOPLE, seed)
    rows = {}
    common = ("--db", "demo", "--data", data, "--fold", "all")
    stage_one = folder / "first"
    python("fesr_tf.train", *common, "--runs", stage_one, "--variant", "FG", *BASE, f"seed={seed}")
    first = runs.run_folder(stage_one, "demo", "FG", "all")
    for name, (variant, settings) in ROWS.items():
        own = folder / name.replace(", ", "-").replace(" ", "_")
        run = runs.run_folder(own, "demo", variant, "all")
        begin = () if variant in ("BASELINE", "FESR_OneSt") else ("--first-stage", first)
        if not (run / runs.files.evaluation("people")).is_file():
            python("fesr_tf.train", *common, "--runs", own, "--variant", variant, *begin, *BASE,
                   f"seed={seed}", *settings.split())  # fmt: skip
            python("fesr_tf.evaluate", run, "--people", population)
        rows[name] = answers(run)
    labelled = json.loads((run / runs.files.evaluation("people")).read_text(encoding="utf-8"))
    truth = [[row["key"], row["subject"], row["label"]] for row in labelled["predictions"]]
    asked = {"images": truth, "classes": labelled["classes"]}
    if (ARCHIVE / POPULATION).is_file() and load(ARCHIVE / POPULATION) != asked:
        raise FailedWork(
            f"{population} has other images than {ARCHIVE / POPULATION}, on which every block is "
            "tested: render it with the version that made the archive"
        )
    save(ARCHIVE / POPULATION, asked)
    about = {"seed": seed, "commit": machine.commit(), "machine": machine.processor()}
    save(place, {"block": number, **about, "rows": rows})
    for each in folder.iterdir():  # the networks: 40 MB a row
        if each.name != "data":
            shutil.rmtree(each)


def archived(folder: Path = ARCHIVE) -> tuple[np.ndarray, dict[str, np.ndarray], list[dict]]:
    """The labels (N,) of the population, each row's predictions (blocks, N), and the blocks."""
    blocks = [load(path) for path in sorted(folder.glob("block-*.json.gz"))]
    if not blocks:
        raise FailedWork(f"{folder} has no block yet: give --work and --blocks")
    labels = np.array([label for *_, label in load(folder / POPULATION)["images"]])
    digits = {name: [list(one["rows"][name]["predictions"]) for one in blocks] for name in ROWS}
    predictions = {name: np.array(rows, dtype=int) for name, rows in digits.items()}
    return labels, predictions, blocks


def accuracies(folder: Path = ARCHIVE) -> dict[str, np.ndarray]:
    """Each row's accuracy in each block."""
    labels, predictions, _ = archived(folder)
    return {name: (given == labels).mean(1) for name, given in predictions.items()}


def tables(folder: Path = ARCHIVE) -> str:
    """The accuracies and the differences of the archive, as text."""
    blocks, found = archived(folder)[2], accuracies(folder)
    head = ["row", *(str(one["block"]) for one in blocks), "mean", *SCORES]
    cells = []
    for name, values in found.items():
        shown = [f"{100 * value:.1f}" for value in (*values, values.mean())]
        cells.append([name, *shown, *scores(blocks, name)])
    text = f"accuracy in % by block\n{table(head, cells)}\n"
    if len(blocks) < 2:
        return text + "\none block: no interval yet"
    look = max((count for count in LOOKS if count <= len(blocks)), default=None)
    level = dict(zip(LOOKS, obrien_fleming(LOOKS), strict=True)).get(look, 0.05)
    cells = []
    for better, other in (CONTROL, *INEQUALITIES, *OTHERS):
        row = difference(found, better, other, 1 - level)
        cells.append([*(row if look else row | {"verdict": "before the first look"}).values()])
    head = ["difference", "points", f"{100 * (1 - level):.4g} % interval", "p of signs", "verdict"]
    return f"{text}\ndifferences over {len(blocks)} blocks, Student's t\n{table(head, cells)}"


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.blocks", __doc__)
    options.add_argument("--work", type=Path, metavar="DIR", help="faces and runs")
    options.add_argument("--blocks", type=numbers, metavar="A-B", help="the blocks to run, from 0")
    args = options.parse_args(argv)
    if bool(args.work) != bool(args.blocks):
        raise BadUse("--work and --blocks belong together")
    if args.work:
        population = faces_of(args.work / "population", TESTED, _POPULATION_SEED,
                              "--demo-frames", 2, "--allow-copies")  # fmt: skip
        for number in args.blocks:
            block(number, args.work, population)
    print(heading(options, argv))
    print(tables())
    return 0


if __name__ == "__main__":
    sys.exit(main())
