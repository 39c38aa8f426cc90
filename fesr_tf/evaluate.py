"""`python -m fesr_tf.evaluate RUN`: the accuracy of R on the test part of its fold or of others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import runs
from fesr_tf.results.evaluation import PEOPLE, evaluate, save, scores, sentence, table
from fesr_tf.runs.opening import load_data, load_others, require_recognizer
from pipelines.common.errors import BadUse, command
from pipelines.dataset import manifest as manifests
from pipelines.dataset.subjects import cautions


@command
def main(argv: list[str] | None = None) -> int:
    """Evaluates one run; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.evaluate",
        description="Accuracy and confusion matrix of a run's recogniser on its test part.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="runs/<db>/<variant>/fold-NN")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--split", choices=("test", "valid"), default="test")
    part.add_argument(
        "--people",
        type=Path,
        metavar="DATA",
        help="another preprocessed folder with the run's classes: every image that it tests",
    )
    parser.add_argument("--data", type=Path, help="the run's data, if the folder has moved")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    if options.people and options.data:
        raise BadUse("--people gives the images: --data, which moves the run's own, has no use")
    if not options.people:
        runs.require_held_out(runs.read_info(options.run), options.run)
    run = runs.open_run(options.run, options.checkpoint)
    require_recognizer(run)
    split = PEOPLE if options.people else options.split
    if options.people:
        faces = load_others(run, options.people)
    else:
        faces = getattr(load_data(run, options.data), split)
    if not len(faces):
        raise BadUse(f"fold {run.info.fold} of the run's data has no {split} images")
    result = evaluate(run, faces, split)
    paths = save(result, run.folder)
    if run.checkpoint == runs.BEST:
        print(f"note: the best checkpoint on the validation part, of iteration {run.step}")
    elif run.step < run.config.max_iterations:
        print(f"note: unfinished run, at iteration {run.step} of {run.config.max_iterations}")
    for text in cautions(manifests.load(options.people or options.data or run.info.data)):
        print(f"note: {text}")
    print(table(result))
    print(f"\n{run.info.variant}, {run.info.database}, fold {run.info.fold}: {sentence(result)}")
    print(scores(result))
    print(f"written: {', '.join(map(str, paths))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
