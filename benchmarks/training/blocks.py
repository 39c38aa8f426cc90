"""Does joint learning help? Every variant on training sets of their own, block by block.

A block is 15 rendered people with a FESGAN and a seed of their own. Each row of `ROWS` is trained
on it and tested on one population of other rendered people, the peak images of 1,000. A block's
answers are archived as soon as it is done; a call that was stopped resumes.
docs/results/blocks/plan.md has the hypotheses and the stopping rule, written before the first run.
A condition of `benchmarks.training.rendered` changes the images, and has an archive of its own.

    python -m benchmarks.training.blocks --work WORK --blocks 0-11    # an hour a block and core
    python -m benchmarks.training.blocks                              # the tables of the archive
    python -m benchmarks.training.blocks --condition gap --work WORK --blocks 0-7
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.heading import heading, parser
from benchmarks.training.rendered import BASE, CONDITIONS, GAP, PEOPLE, PLAIN, faces_of
from benchmarks.training.studies import difference, load, numbers, python, save, scores
from fesr_tf import runs
from fesr_tf.metrics.comparison import SCORES
from fesr_tf.metrics.inference import obrien_fleming
from fesr_tf.runs import machine
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.text import table

ARCHIVE = Path(__file__).parents[2] / "docs/results/blocks"
POPULATION, TESTED = "population.json.gz", 1000
_POPULATION_SEED, _FIRST_SEED = 500_000, 1_000
LOOKS, LOOKS_OF_A_CONDITION = (8, 12, 16, 20), (8,)
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
ROWS_OF_A_CONDITION = (
    "BASELINE", "BASELINE, augmented", "FESR_JL", "FESR_SL", "FESR_JL, augmented"
)  # fmt: skip
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


def archive_of(condition: str) -> Path:
    """Where a condition's blocks are archived."""
    return ARCHIVE if condition == PLAIN else ARCHIVE / condition


def answers(run: Path) -> dict:
    """R's answers of a run on the population, in key order, and its two scores."""
    result = json.loads((run / runs.files.evaluation("people")).read_text(encoding="utf-8"))
    predictions = "".join(str(row["prediction"]) for row in result["predictions"])
    return {"predictions": predictions, **{name: round(result[name], 5) for name in SCORES}}


def block(number: int, work: Path, population: Path, condition: str) -> None:
    """Trains, tests and archives one block."""
    archive = archive_of(condition)
    place = archive / f"block-{number:02d}.json.gz"
    if place.is_file():
        print(f"block {number}: archived already", flush=True)
        return
    folder, seed = work / f"block-{number:02d}", _FIRST_SEED + number
    data = faces_of(folder / "data", PEOPLE, seed, condition=condition)
    rows = {}
    common = ("--db", "demo", "--data", data, "--fold", "all")
    stage_one = folder / "first"
    python("fesr_tf.train", *common, "--runs", stage_one, "--variant", "FG", *BASE, f"seed={seed}")
    first = runs.run_folder(stage_one, "demo", "FG", "all")
    for name in ROWS if condition == PLAIN else ROWS_OF_A_CONDITION:
        variant, settings = ROWS[name]
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
    if (archive / POPULATION).is_file() and load(archive / POPULATION) != asked:
        raise FailedWork(
            f"{population} has other images than {archive / POPULATION}, on which every block is "
            "tested: render it with the version that made the archive"
        )
    save(archive / POPULATION, asked)
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
    names = [name for name in ROWS if name in blocks[0]["rows"]]
    digits = {name: [list(one["rows"][name]["predictions"]) for one in blocks] for name in names}
    predictions = {name: np.array(rows, dtype=int) for name, rows in digits.items()}
    return labels, predictions, blocks


def accuracies(folder: Path = ARCHIVE) -> dict[str, np.ndarray]:
    """Each row's accuracy in each block."""
    labels, predictions, _ = archived(folder)
    return {name: (given == labels).mean(1) for name, given in predictions.items()}


def tables(folder: Path = ARCHIVE, looks: Sequence[int] = LOOKS, plain: Path | None = None) -> str:
    """The accuracies and the differences of the archive, as text.

    looks: numbers of blocks at which verdicts are given. plain: an archive of blocks of the same
    people, whose differences are subtracted in a third table.
    """
    blocks, found = archived(folder)[2], accuracies(folder)
    head = ["row", *(str(one["block"]) for one in blocks), "mean", *SCORES]
    cells = []
    for name, values in found.items():
        shown = [f"{100 * value:.1f}" for value in (*values, values.mean())]
        cells.append([name, *shown, *scores(blocks, name)])
    text = f"accuracy in % by block\n{table(head, cells)}\n"
    if len(blocks) < 2:
        return text + "\none block: no interval yet"
    text += f"\ndifferences over {len(blocks)} blocks, Student's t\n{_differences(found, looks)}"
    if plain is None:
        return text
    more = less(folder, plain)
    count = len(more["BASELINE"])
    text += f"\n\nthe same less the differences on the plain images, over {count} blocks of both\n"
    return text + (_differences(more, looks) if count > 1 else "no interval yet")


def less(folder: Path, plain: Path) -> dict[str, np.ndarray]:
    """Each row's accuracy in `folder` less that in `plain`, in the blocks that both archives have:
    they have the same people."""
    own, base = ([one["block"] for one in archived(path)[2]] for path in (folder, plain))
    _, these, those = np.intersect1d(own, base, return_indices=True)
    beside = accuracies(plain)
    return {name: of[these] - beside[name][those] for name, of in accuracies(folder).items()}


def _differences(found: dict[str, np.ndarray], looks: Sequence[int]) -> str:
    """The table of the planned differences between the rows that are there."""
    count = len(next(iter(found.values())))
    look = max((each for each in looks if each <= count), default=None)
    level = dict(zip(looks, obrien_fleming(looks), strict=True)).get(look, 0.05)
    cells = []
    for better, other in (CONTROL, *INEQUALITIES, *OTHERS):
        if better in found and other in found:
            row = difference(found, better, other, 1 - level)
            cells.append([*(row if look else row | {"verdict": "before the first look"}).values()])
    head = ["difference", "points", f"{100 * (1 - level):.4g} % interval", "p of signs", "verdict"]
    return table(head, cells)


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.blocks", __doc__)
    options.add_argument("--work", type=Path, metavar="DIR", help="faces and runs")
    options.add_argument("--blocks", type=numbers, metavar="A-B", help="the blocks to run, from 0")
    options.add_argument(
        "--condition", choices=CONDITIONS, default=PLAIN, help="of the images [%(default)s]"
    )
    args = options.parse_args(argv)
    if bool(args.work) != bool(args.blocks):
        raise BadUse("--work and --blocks belong together")
    condition = args.condition
    if args.work:
        work = args.work if condition == PLAIN else args.work / condition
        population = faces_of(work / "population", TESTED, _POPULATION_SEED, "--allow-copies",
                              frames=2, condition=condition, trains=False)  # fmt: skip
        for number in args.blocks:
            block(number, work, population, condition)
    print(heading(options, argv))
    looks = LOOKS if condition == PLAIN else LOOKS_OF_A_CONDITION
    print(tables(archive_of(condition), looks, ARCHIVE if condition == GAP else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
