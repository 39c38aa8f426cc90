"""`python -m fesr_tf.measure RUN…`: how good the faces are that a run's generator draws.

Writes RUN/synthesis.json (`synthesis-best.json` for the best checkpoint) and
RUN/pictures/nearest.png. docs/guide/synthesis.md is the protocol. The file holds

    database, variant, fold, step, checkpoint, max_iterations, data_digest, classes, image_size,
    channels, seed, new_identities, train_people, test_people, subject_independent
    protocols    key -> what it means, in a sentence
    notes        sentences on what is missing or to be read with care
    fidelity     translated, reconstruction, input, mean_face, two_real_frames: each {psnr, ssim};
                 by_class, by_person: name -> {n, psnr, ssim}; pictures, pictures_without_target
                 (class -> how many test pictures have none), classes_without_pairs
    networks     face network -> {in_loss, embedding_size,
                 verification: None or {threshold: {value, pairs, people, rate_on_them},
                     drawn, real: each {rate, auc, eer, same_accepted, different_refused}},
                 memorisation: {real, redrawn: each {threshold, new, unseen_people, known_people,
                         distances: name -> {n, mean, points: at 5, 25, 50, 75, 95 %}},
                     nearest_people: {people, of, largest, largest_share}},
                 diversity: {mean_distance, intra_class_variance: each {new, train, test}},
                 kid: {scale, new_train, new_test, train_test, halves_of_train},
                 nearest: {keys, distance}: of each new identity the nearest training picture}
    expression   a list, one a judge: {judge, judge_fold, judge_step, judge_people, people_of_both,
                 translated_people_of_generator, chance, translated, real, new}

Every figure is {value, n, unit, interval: [low, high] of 95 % or None, protocol} and what
`fesr_tf.synthesis.quality.estimates.figure` was given more; value is
    None where there was nothing to measure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fesr_tf import runs
from fesr_tf.data import Fold
from fesr_tf.networks.face_networks import FETCHED, load_face_network
from fesr_tf.plots import image_grids
from fesr_tf.runs.opening import load_data, require_recognizer
from fesr_tf.synthesis.quality.face_network_metrics import Network
from fesr_tf.synthesis.quality.measurement import Judge, measure
from fesr_tf.synthesis.quality.protocols import PROTOCOLS
from fesr_tf.synthesis.quality.table import table
from pipelines.common.errors import BadUse, command
from pipelines.common.files import write_whole
from pipelines.dataset import manifest as manifests


def require_generator(run: runs.Run) -> None:
    """Raises `BadUse` where the run trains no generator."""
    if not run.config.trains_fesgan:
        raise BadUse(
            f"{run.folder} is a run of {run.info.variant}, which trains no generator: there are no "
            "drawn faces to measure"
        )


def require_people(run: runs.Run, fold: Fold) -> None:
    """Raises `BadUse` where the fold trains or tests fewer than two people."""
    for name in ("test", "train"):
        people = len(set(getattr(fold, name).subjects.tolist()))
        if people < 2:
            raise BadUse(
                f"the {name} part of fold {fold_name(run)} shows {people} person: to tell people "
                "apart takes two; preprocess with fewer folds or more people"
            )


def fold_name(run: runs.Run) -> str:
    return f"{run.info.fold} of {run.info.data}"


def open_judge(folder: Path, run: runs.Run, data: Path | None) -> Judge:
    """A finished BASELINE run as the judge of `run`'s faces.

    Raises `BadUse` where it is another variant, or of other data, classes or pictures.
    """
    runs.require_held_out(runs.read_info(folder), folder)
    judge = runs.open_run(folder)
    where = f"--judge {folder}"
    if judge.config.trains_fesgan:
        raise BadUse(
            f"{where} is a run of {judge.info.variant}, whose recogniser learnt from drawn faces: "
            "a judge is a run of BASELINE"
        )
    require_recognizer(judge)
    if judge.info.classes != run.info.classes:
        differ = runs.other_classes(run.info.classes, judge.info.classes)
        raise BadUse(f"{where} knows other classes than {run.folder}: {differ}")
    if judge.info.data_digest != run.info.data_digest:
        raise BadUse(
            f"{where} was trained on other data ({judge.info.data_digest[:12]}) than {run.folder} "
            f"({run.info.data_digest[:12]}): whom it has seen cannot be told; train BASELINE on "
            "the run's data"
        )
    for key in ("image_size", "channels"):
        its, ours = getattr(judge.config, key), getattr(run.config, key)
        if its != ours:
            raise BadUse(
                f"{where} was trained with {key}={its} and {run.folder} with {ours}: a judge "
                "sees the pictures as they are drawn; train BASELINE with the run's"
            )
    fold = load_data(judge, data)
    return Judge(judge, fold.train.subjects, fold.test)


def judging_networks(run: runs.Run) -> list[Network]:
    """The run's own face network and, where its weights are there, one that it never met."""
    own = Network(run.config.identity, run.fesr.face_network, run.config.lambda3 > 0)
    if own.name == FETCHED:
        return [own]
    try:
        other = load_face_network(FETCHED)
    except BadUse:
        return [own]
    return [own, Network(FETCHED, other, False)]


def notes(run: runs.Run, found: dict, independent: bool) -> list[str]:
    """What a reader must know beside the figures."""
    said = []
    last = run.config.last_iteration
    if run.step < last and run.checkpoint == runs.LAST:
        said.append(f"the run is unfinished, at iteration {run.step} of {last}")
    if absent := found["fidelity"]["classes_without_pairs"]:
        said.append(f"no pair of one person ends in {', '.join(absent)}: not in PSNR and SSIM")
    if lacking := found["fidelity"]["pictures_without_target"]:
        named = ", ".join(f"{name} {count}" for name, count in lacking.items())
        said.append(
            f"of {found['fidelity']['pictures']} test pictures, so many have no picture of the "
            f"same person with the expression: {named}"
        )
    networks = found["networks"]
    for name, each in networks.items():
        if each["verification"] is None:
            said.append(f"no verification by {name}: no training person shows two expressions")
    if all(each["in_loss"] for each in networks.values()):
        said.append(
            "every face network here was in the generator's loss, which is circular: "
            "python -m fesr_tf.weights.fetch gets one that was not"
        )
    if not independent:
        said.append("this database's folds are not cut by person: test people may be known ones")
    if not found["expression"]:
        said.append("no expression accuracy: give a run of BASELINE by --judge")
    return said


def measure_run(
    run: runs.Run, data: Path | None, judge_folders: Sequence[Path], count: int, seed: int
) -> tuple[dict, dict[str, bytes]]:
    """All of synthesis.json, and file name -> PNG of the pictures. Raises `BadUse` for what
    cannot be measured."""
    require_generator(run)
    runs.require_held_out(run.info, run.folder)
    folder = Path(data or run.info.data)
    fold = load_data(run, data)
    require_people(run, fold)
    judges = [open_judge(each, run, folder) for each in judge_folders]
    networks = judging_networks(run)
    found, sheet = measure(run, fold, folder, networks, judges, count, seed)
    independent = manifests.load(folder).subject_independent
    info = run.info
    return {
        "database": info.database,
        "variant": info.variant,
        "fold": info.fold,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "max_iterations": run.config.max_iterations,
        "data_digest": info.data_digest,
        "classes": list(info.classes),
        "image_size": run.config.image_size,
        "channels": run.config.channels,
        "seed": seed,
        "new_identities": count,
        "train_people": len(set(fold.train.subjects.tolist())),
        "test_people": len(set(fold.test.subjects.tolist())),
        "subject_independent": independent,
        "protocols": PROTOCOLS,
        "notes": notes(run, found, independent),
        **found,
    }, {"nearest.png": image_grids.png(sheet)}


def save(folder: Path, result: dict, sheets: dict[str, bytes]) -> list[Path]:
    """Writes the pictures, then synthesis.json; another checkpoint than the last is in the name."""
    suffix = "" if result["checkpoint"] == runs.LAST else f"-{result['checkpoint']}"
    paths = []
    for name, content in sheets.items():
        stem, dot, kind = name.partition(".")
        paths.append(folder / "pictures" / f"{stem}{suffix}{dot}{kind}")
        write_whole(paths[-1], content)
    paths.append(folder / f"synthesis{suffix}.json")
    write_whole(paths[-1], json.dumps(result, indent=1, allow_nan=False) + "\n")
    return paths


@command
def main(argv: list[str] | None = None) -> int:
    """Measures runs one after another; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.measure",
        description="PSNR, SSIM, verification, expression accuracy, novelty and KID of the faces "
        "that runs draw (docs/guide/synthesis.md).",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        type=Path,
        metavar="RUN",
        help="a run of BASELINE on the same data that judges expressions, of the run's own fold "
        "or another; may be given more than once",
    )
    parser.add_argument("--data", type=Path, help="the runs' data, if the folder has moved")
    parser.add_argument("--new", type=int, default=500, help="new identities to draw [500]")
    parser.add_argument("--seed", type=int, default=0, help="of z, of pairs, of intervals [0]")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    if options.new < 4 or options.seed < 0:
        raise BadUse("--new must be at least 4 and --seed at least 0")
    for folder in dict.fromkeys(options.runs):
        run = runs.open_run(folder, options.checkpoint)
        result, sheets = measure_run(run, options.data, options.judge, options.new, options.seed)
        paths = save(run.folder, result, sheets)
        print(f"{run.info.variant}, {run.info.database}, fold {run.info.fold}, step {run.step}\n")
        print(table(result))
        print("".join(f"\nnote: {each}" for each in result["notes"]))
        print(f"written: {', '.join(map(str, paths))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
