"""What each setting of FESGAN beyond the paper gives, on people who decide nothing else.

A set is 30 rendered people with a seed of their own: 15 train, and PSNR, SSIM and KID are measured
on the other 15 by `fesr_tf.measure`. R is tested on one population of 300 more. Every row is
FESR_JL with one option, beside the paper's setting and the controls without FESGAN; none of these
people or seeds is in the block study. What FESR_Plus combines is chosen here
(docs/results/generator_options/plan.md). Rows are archived one by one, and a call that was stopped
resumes; WORK keeps the runs, for sheets to look at.

    python -m benchmarks.training.generator_options --work WORK --sets 0-2
    python -m benchmarks.training.generator_options --work WORK --options "style_size=8 ema=0.99"
    python -m benchmarks.training.generator_options      # the tables of the archive
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.heading import heading, parser
from benchmarks.training.rendered import BASE, PEOPLE, faces_of
from benchmarks.training.studies import numbers, python
from fesr_tf import runs
from fesr_tf.metrics.inference import mean_and_sd
from fesr_tf.runs import machine
from pipelines.common.errors import FailedWork, command
from pipelines.common.files import write_whole
from pipelines.common.text import table

ARCHIVE = Path(__file__).parents[2] / "docs/results/generator_options"
TESTED = 300
_POPULATION_SEED, _FIRST_SEED = 510_000, 7_000
PAPER = "FESR_JL"
CONTROLS = ("BASELINE", "BASELINE augmentation=standard")
OPTIONS = (
    "penalty_patches=mean",
    "upsampling=resize",
    "lambda_map=5",
    "own_intensity=data",
    "style_size=8",
    "critic_augmentation=light",
    "generator_augmentation=flip",
    "generator_augmentation=standard",
    "generator_norm=layer",
    "synthetic_weight=critic",
)
"""Settings of a row each; docs/guide/training.md describes them."""
ACCURACY = "R, %"
DIGITS = {"PSNR": 2, "SSIM": 3, "KID": 4, "expression": 1, "R": 1}
"""Decimals of a column, by the first word of its name."""


def measured(run: Path) -> dict[str, float]:
    """The columns of a row that `fesr_tf.measure` gives, by their names."""
    result = json.loads((run / "synthesis.json").read_text(encoding="utf-8"))
    values = {
        f"{metric.upper()} {short}": result["fidelity"][name][metric]["value"]
        for name, short in (("reconstruction", "rec."), ("translated", "transl."))
        for metric in ("psnr", "ssim")
    }
    for name, network in result["networks"].items():
        values[f"KID {name}"] = network["kid"]["new_test"]["value"]
    (evaluator,) = result["expression"]
    return values | {"expression, %": 100 * evaluator["translated"]["value"]}


def planned(options: Sequence[str] = OPTIONS) -> tuple[str, ...]:
    """The rows of a set: variant and settings of each."""
    return (*CONTROLS, PAPER, *(f"{PAPER} {option}" for option in options))


def trained(row: str, folder: Path, data: Path, seed: int) -> Path:
    """The finished run of a row, in the set's folder."""
    own, (variant, *settings) = folder / row.replace(" ", "+"), row.split()
    python("fesr_tf.train", "--db", "demo", "--data", data, "--runs", own, "--variant", variant,
           *BASE, f"seed={seed}", *settings)  # fmt: skip
    return runs.run_folder(own, "demo", variant, 0)


def study(number: int, work: Path, options: Sequence[str], population: Path) -> None:
    """Trains, measures and archives the rows of a set that are not archived yet."""
    archive, folder = ARCHIVE / f"set-{number:02d}", work / f"set-{number:02d}"
    places = {row: archive / f"{row.replace(' ', '+')}.json" for row in planned(options)}
    missing = [row for row, place in places.items() if not place.is_file()]
    print(f"set {number}: {len(places) - len(missing)} of {len(places)} rows archived", flush=True)
    if not missing:
        return
    seed = _FIRST_SEED + number
    data = faces_of(folder / "data", 2 * PEOPLE, seed, "--folds", 2, "--valid-share", 0)
    evaluator = trained(CONTROLS[0], folder, data, seed)
    for row in missing:
        run, values = trained(row, folder, data, seed), {}
        if row not in CONTROLS:
            python("fesr_tf.measure", run, "--judge", evaluator)
            values = measured(run)
        python("fesr_tf.evaluate", run, "--people", population)
        answers = json.loads((run / runs.files.evaluation("people")).read_text(encoding="utf-8"))
        values[ACCURACY] = 100 * answers["accuracy"]
        about = {"set": number, "row": row, "seed": seed}
        about |= {"commit": machine.commit(), "machine": machine.processor()}
        write_whole(places[row], json.dumps({**about, "values": values}, indent=1) + "\n")


def archived(folder: Path = ARCHIVE) -> dict[str, dict[int, dict[str, float]]]:
    """Row -> set -> column -> value; first the planned rows in their order, then any others."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for path in sorted(folder.glob("set-*/*.json")):
        one = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(one["row"], {})[one["set"]] = one["values"]
    if not found:
        raise FailedWork(f"{folder} has no row yet: give --work")
    return {row: found[row] for row in dict.fromkeys((*planned(), *found)) if row in found}


def tables(folder: Path = ARCHIVE) -> str:
    """Each row's values, and its differences from the paper's setting on the same sets."""
    rows = archived(folder)
    paper = rows.get(PAPER, {})
    columns = dict.fromkeys(key for sets in rows.values() for one in sets.values() for key in one)
    means, changes = [], []
    for row, sets in rows.items():
        means.append([row, str(len(sets)), *(_cell(sets.values(), key) for key in columns)])
        both = [
            {key: sets[n][key] - paper[n][key] for key in sets[n].keys() & paper[n].keys()}
            for n in sets.keys() & paper.keys()
        ]
        if both and row != PAPER:
            changes.append([row, str(len(both)), *(_cell(both, key, "+") for key in columns)])
    head = ["row", "sets", *columns]
    return (
        f"means over sets\n{table(head, means)}\n\n"
        f"differences from {PAPER} on the same sets\n{table(head, changes)}"
    )


def _cell(sets: Sequence[dict[str, float]], key: str, sign: str = "") -> str:
    """Mean ± standard deviation over sets; `-` where a set has no such value."""
    values = [one.get(key) for one in sets]
    if None in values:
        return "-"
    digits = DIGITS[key.replace(",", " ").split()[0]]
    mean, deviation = mean_and_sd(values)
    spread = "" if deviation is None else f" ± {deviation:.{digits}f}"
    return f"{mean:{sign}.{digits}f}{spread}"


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.generator_options", __doc__)
    options.add_argument("--work", type=Path, metavar="DIR", help="faces and runs")
    options.add_argument("--sets", type=numbers, metavar="A-B", default=range(1), help="[0]")
    options.add_argument(
        "--options", nargs="+", default=OPTIONS, metavar="KEY=VALUE",
        help="a row each, several settings in quotes [all of docs/guide/training.md]",
    )  # fmt: skip
    args = options.parse_args(argv)
    if args.work:
        population = faces_of(args.work / "population", TESTED, _POPULATION_SEED, "--allow-copies",
                              frames=2)  # fmt: skip
        for number in args.sets:
            study(number, args.work, args.options, population)
    print(heading(options, argv))
    print(tables())
    return 0


if __name__ == "__main__":
    sys.exit(main())
