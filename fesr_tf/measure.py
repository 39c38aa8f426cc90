"""`python -m fesr_tf.measure RUN…`: measures the quality of a run's generated images.

Writes RUN/synthesis.json (`synthesis-best.json` for the best checkpoint) and
RUN/pictures/nearest.png. docs/guide/synthesis.md is the protocol. The file holds

    database, variant, fold, step, checkpoint, max_iterations, data_digest, classes, image_size,
    channels, seed, new_identities, train_people, test_people, subject_independent
    protocols    key -> its definition in a sentence
    notes        sentences that qualify the values
    fidelity     translated, reconstruction, input, mean_face, two_real_frames: each {psnr, ssim};
                 by_class, by_person: name -> {n, psnr, ssim}; pictures, pictures_without_target
                 (class -> how many test images have none), classes_without_pairs
    networks     face network -> {in_loss, embedding_size,
                 verification: None or {threshold: {value, pairs, people, rate_on_them},
                     drawn, real: each {rate, auc, eer, same_accepted, different_refused}},
                 memorisation: {real, redrawn: each {threshold, new, unseen_people, known_people,
                         distances: name -> {n, mean, points: at 5, 25, 50, 75, 95 %}},
                     nearest_people: {people, of, largest, largest_share}},
                 diversity: {mean_distance, intra_class_variance: each {new, train, test}},
                 kid: {scale, new_train, new_test, train_test, halves_of_train},
                 nearest: {keys, distance}: the training image nearest to each new identity}
    expression   a list, one for each evaluator: {judge, judge_fold, judge_step, judge_people,
                 people_of_both, translated_people_of_generator, chance, translated, real, new}

Every value with an interval is an `estimate` of `fesr_tf.synthesis.quality.estimates`: {value, n,
unit, interval: [low, high] of 95 % or None, protocol} and more; value is None where there was
nothing to measure.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import runs
from fesr_tf.synthesis.quality.console import tables
from fesr_tf.synthesis.quality.measurement import measure_run, save
from pipelines.common.errors import BadUse, command


@command
def main(argv: list[str] | None = None) -> int:
    """Measures runs one after another; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.measure",
        description="PSNR, SSIM, verification, expression accuracy, novelty and KID of the images "
        "that runs generate (docs/guide/synthesis.md in the project's repository).",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        type=Path,
        metavar="RUN",
        help="a run of BASELINE on the same data, of the run's own fold or another, that evaluates "
        "the expressions; may be given more than once",
    )
    parser.add_argument("--data", type=Path, help="the runs' data, if the folder has moved")
    parser.add_argument("--new", type=int, default=500, help="new identities to generate [500]")
    parser.add_argument("--seed", type=int, default=0, help="of z, pairs and intervals [0]")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    if options.new < 4 or options.seed < 0:
        raise BadUse("--new must be at least 4 and --seed at least 0")
    for folder in dict.fromkeys(options.runs):
        run = runs.open_run(folder, options.checkpoint)
        result, sheet = measure_run(run, options.data, options.judge, options.new, options.seed)
        paths = save(run.folder, result, sheet)
        print(f"{run.info.variant}, {run.info.database}, fold {run.info.fold}, step {run.step}\n")
        print(tables(result))
        print("".join(f"\nnote: {note}" for note in result["notes"]))
        print(f"written: {', '.join(map(str, paths))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
