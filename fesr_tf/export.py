"""`python -m fesr_tf.export RUN --output saved_models/NAME`: the recogniser as a SavedModel."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf import pictures, runs, serving
from fesr_tf.evaluate import require_recognizer
from pipelines.errors import BadUse, FailedWork, command
from pipelines.files import folder_whole

# TensorFlow Serving hands this folder of a SavedModel through untouched.
EXTRA = "assets.extra"
TOLERANCE = 1e-5


def next_version(folder: Path) -> int:
    """The highest version folder's number plus 1; 1 where there is none."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return 1 + max((int(name) for name in names if name.isdecimal()), default=0)


def description(run: runs.Run) -> dict:
    """What the model is, for whoever finds it without its run; ready for JSON."""
    return {
        "classes": list(run.info.classes),
        "database": run.info.database,
        "variant": run.info.variant,
        "fold": run.info.fold,
        "data_digest": run.info.data_digest,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "image_size": run.config.image_size,
        "channels": run.config.channels,
        "config": dataclasses.asdict(run.config),
        "tensorflow": tf.__version__,
    }


def export(run: runs.Run, output: Path, version: int | None = None) -> Path:
    """Writes `output/<version>/`, whole or not at all, and returns it.

    Beside the model, `assets.extra/` holds labels.txt (a class a line, in the order of the
    probabilities), config.yaml and model.json (`description`). The model is loaded again and
    compared with R before the folder takes its name. Raises `BadUse` for a run without a
    trained recogniser and for a version that exists, `FailedWork` where the copy differs.
    """
    require_recognizer(run)
    version = next_version(output) if version is None else version
    target = output / str(version)
    if target.exists():
        raise BadUse(
            f"{target} exists and a version never changes: leave out --version for the next one "
            f"({next_version(output)})"
        )
    config = run.config
    model = serving.ServedRecognizer(
        run.fesr.recognizer, run.info.classes, config.image_size, config.channels
    )
    with folder_whole(target) as folder:
        model.save(str(folder))
        extra = folder / EXTRA
        extra.mkdir()
        (extra / "labels.txt").write_text("\n".join(run.info.classes) + "\n", encoding="utf-8")
        config.save(extra / "config.yaml")
        (extra / "model.json").write_text(json.dumps(description(run), indent=2) + "\n")
        _compare(model, folder)
    return target


def _compare(model: serving.ServedRecognizer, folder: Path) -> None:
    """Raises `FailedWork` unless the saved model answers as the one in memory."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 96, 80, 3), np.uint8)
    faces = tf.constant([pictures.png(picture) for picture in pixels])
    expected = model.serve(faces)
    loaded = tf.saved_model.load(str(folder))
    answer = loaded.signatures["serving_default"](**{serving.INPUT: faces})
    difference = np.abs(answer["probabilities"] - expected["probabilities"]).max()
    if not difference <= TOLERANCE:
        raise FailedWork(
            f"the saved model's probabilities differ by {difference:.1e} from the recogniser's; "
            "nothing was exported"
        )


@command
def main(argv: list[str] | None = None) -> int:
    """Exports one run; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.export",
        description="Writes a run's recogniser as a SavedModel that TensorFlow Serving loads.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="runs/<db>/<variant>/fold-NN")
    parser.add_argument("--output", type=Path, required=True, help="saved_models/NAME")
    parser.add_argument("--version", type=int, help="a whole number [the highest + 1]")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    if options.version is not None and options.version < 1:
        raise BadUse(f"--version must be at least 1: {options.version}")
    run = runs.open_run(options.run, options.checkpoint)
    target = export(run, options.output, options.version)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"written: {target} ({size / 1e6:.1f} MB)")
    print(f"  serving_default: {serving.INPUT} string (-1) -> {', '.join(serving.OUTPUTS)}")
    print(f"  classes: {', '.join(run.info.classes)}")
    print(f"  look inside: saved_model_cli show --dir {target} --all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
