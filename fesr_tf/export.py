"""`python -m fesr_tf.export --run RUN --name NAME`: exports a run's networks for serving."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import runs
from fesr_tf.client.training_data import origin_of
from fesr_tf.runs.opening import load_data, require_recognizer
from fesr_tf.serving.calibration import calibrate
from fesr_tf.serving.cpp_loader import meta_graph
from fesr_tf.serving.export import check_name, export, first_label, missing, use_recognizer
from fesr_tf.serving.signatures_check import signatures_of
from pipelines.common.errors import BadUse, command


@command
def main(argv: list[str] | None = None) -> int:
    """Exports one run; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.export",
        description="Writes a run's networks as a SavedModel that TensorFlow Serving loads.",
    )
    parser.add_argument(
        "--run", type=Path, required=True, metavar="RUN", help="runs/<db>/<variant>/fold-NN"
    )
    parser.add_argument("--name", required=True, help="the model's name for clients")
    parser.add_argument("--version", type=int, help="an integer from 1 [the highest + 1]")
    parser.add_argument("--models", type=Path, default=Path("saved_models"), help="[%(default)s]")
    parser.add_argument(
        "--recognizer",
        type=Path,
        metavar="RUN",
        help="take R from this run, which has the same classes and image size [--run]",
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="fit a temperature on the validation part, so that probabilities are shares of hits",
    )
    parser.add_argument(
        "--prior-correction",
        type=float,
        default=0.0,
        metavar="A",
        help="subtract A times the log of each class's share of the training images from the "
        "logits, 0 to 1: rare classes are predicted more often [0]",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="answer with the mean over a face and its mirror image: more accurate, twice the time",
    )
    parser.add_argument("--data", type=Path, help="the run's data, if the folder has moved")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    if options.version is not None and options.version < 1:
        raise BadUse(f"--version must be at least 1: {options.version}")
    if not 0 <= options.prior_correction <= 1:
        raise BadUse(f"--prior-correction {options.prior_correction:g} is not in 0…1")
    check_name(options.name)
    run = runs.open_run(options.run, options.checkpoint)
    other = None
    if options.recognizer:
        other = runs.open_run(options.recognizer, options.checkpoint)
        use_recognizer(run, other)
    corrected = None
    if options.calibrate or options.prior_correction or options.mirror:
        require_recognizer(other or run)
        fold = load_data(other or run, options.data)
        how = options.calibrate, options.prior_correction, options.mirror
        corrected = calibrate(run.fesr, fold, *how)
    target = export(run, options.models / options.name, options.version, corrected, other)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"written: {target} ({size / 1e6:.1f} MB)")
    print(f"  signatures: {', '.join(signatures_of(meta_graph(target)))}")
    if other is None and (reason := missing(run)):
        print(f"  {reason}")
    print(f"  classes: {', '.join(run.info.classes)}")
    if corrected is not None:
        print(f"  {corrected}")
    print(f"  training data: {origin_of(run.info.database, run.info.origin)}")
    print(f"  {first_label(options.models, options.name, int(target.name))}")
    print(f"  inspect it: python -m fesr_tf.check_export {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
