"""`python -m fesr_tf.evaluate RUN`: how often R is right on faces that it was not trained on."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf import metrics, pictures, runs
from fesr_tf.callbacks import predict_logits
from fesr_tf.data import Faces, Fold, load_fold
from pipelines import manifest as manifests
from pipelines.errors import BadUse, command
from pipelines.files import write_whole


def load_data(run: runs.Run, folder: str | Path | None = None) -> Fold:
    """The run's fold, from the data folder that it was trained on or where that has moved to.

    Raises `BadUse` where there is no data folder, or one with other data than the run's.
    """
    folder = Path(folder or run.info.data)
    if not folder.exists():
        raise BadUse(f"the data of {run.folder} are not at {folder}: say where by --data DIR")
    manifest = manifests.load(folder)
    if manifest.digest != run.info.data_digest:
        there, learnt = tuple(manifest.classes), run.info.classes
        classes = "" if there == learnt else f"; classes: {runs.other_classes(learnt, there)}"
        raise BadUse(
            f"{folder} holds other data (digest {manifest.digest[:12]}) than {run.folder} was "
            f"trained on ({run.info.data_digest[:12]}{classes}): give the run's own data by "
            "--data DIR, or train again"
        )
    return load_fold(folder, run.info.fold, run.config)


def require_recognizer(run: runs.Run) -> None:
    """Raises `BadUse` where the run's recogniser has not been trained."""
    config = run.config
    if not config.trains_recognizer:
        raise BadUse(
            f"{run.folder} is a run of {run.info.variant}, which trains FESGAN alone: "
            "it has no trained recogniser"
        )
    if run.step <= config.pretrain_iterations:
        raise BadUse(
            f"{run.folder} is at iteration {run.step} and its recogniser learns only after "
            f"{config.pretrain_iterations}: train on by the same command as before"
        )


def evaluate(run: runs.Run, faces: Faces, split: str = "test") -> dict:
    """R's answers on `faces`, in inference mode, ready for JSON.

    Everything of `metrics.summary`, what was evaluated (run, split, iteration, classes,
    `people`), and under `predictions` each picture's key, subject, yaw (degrees; None where it is
    not known), label, prediction (class indices) and probabilities.
    """
    logits = predict_logits(run.fesr, faces)
    probabilities = tf.nn.softmax(logits).numpy()
    predictions = logits.argmax(-1)
    return {
        "database": run.info.database,
        "variant": run.info.variant,
        "fold": run.info.fold,
        "split": split,
        "data_digest": run.info.data_digest,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "max_iterations": run.config.max_iterations,
        "classes": list(run.info.classes),
        "people": len(set(faces.subjects.tolist())),
        **metrics.summary(faces.labels, predictions, run.info.classes),
        "predictions": [
            {
                "key": str(faces.keys[i]),
                "subject": str(faces.subjects[i]),
                "yaw": None if faces.yaw is None else float(faces.yaw[i]),
                "label": int(faces.labels[i]),
                "prediction": int(predictions[i]),
                "probabilities": [round(float(p), 6) for p in probabilities[i]],
            }
            for i in range(len(faces))
        ],
    }


def sentence(result: dict) -> str:
    """The accuracy with everything that it needs to be read by."""
    low, high = result["interval"]
    return (
        f"{result['accuracy']:.1%} ({result['correct']} of {result['total']} {result['split']} "
        f"pictures of {result['people']} people; 95 % interval {low:.1%} to {high:.1%})"
    )


def table(result: dict) -> str:
    """Confusion matrix and per-class figures as text."""
    names = result["classes"]
    longest = max(map(len, names))
    widths = [max(4, len(name)) for name in names]
    head = "  ".join(name.rjust(width) for name, width in zip(names, widths, strict=True))
    lines = [f"{'true, predicted:'.ljust(longest)}  {head}  recall  precision"]
    pad = max(longest, len("true, predicted:"))
    for row, counts in zip(result["per_class"], result["confusion"], strict=True):
        cells = "  ".join(
            str(count).rjust(width) for count, width in zip(counts, widths, strict=True)
        )
        shares = "-" if row["recall"] is None else f"{row['recall']:.0%}"
        precision = "-" if row["precision"] is None else f"{row['precision']:.0%}"
        lines.append(f"{row['class'].ljust(pad)}  {cells}  {shares:>6}  {precision:>9}")
    return "\n".join(lines)


def save(result: dict, folder: Path) -> list[Path]:
    """Writes evaluation.json and pictures/confusion.png of a run; other splits than test and
    other checkpoints than the last carry their name. Returns the paths."""
    suffix = "" if result["split"] == "test" else f"-{result['split']}"
    suffix += "" if result["checkpoint"] == runs.LAST else f"-{result['checkpoint']}"
    data, figure = folder / f"evaluation{suffix}.json", folder / f"pictures/confusion{suffix}.png"
    title = f"{result['variant']} on {result['database']}, fold {result['fold']}"
    drawn = pictures.confusion_figure(
        np.array(result["confusion"]), result["classes"], title, sentence(result)
    )
    write_whole(figure, pictures.png(drawn))
    write_whole(data, json.dumps(result, indent=1) + "\n")
    return [data, figure]


@command
def main(argv: list[str] | None = None) -> int:
    """Evaluates one run; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.evaluate",
        description="Accuracy and confusion matrix of a run's recogniser on unseen faces.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="runs/<db>/<variant>/fold-NN")
    parser.add_argument("--split", choices=("test", "valid"), default="test")
    parser.add_argument("--data", type=Path, help="the run's data, if the folder has moved")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    runs.require_held_out(runs.read_info(options.run), options.run)
    run = runs.open_run(options.run, options.checkpoint)
    require_recognizer(run)
    faces = getattr(load_data(run, options.data), options.split)
    if not len(faces):
        raise BadUse(f"fold {run.info.fold} of the run's data has no {options.split} pictures")
    result = evaluate(run, faces, options.split)
    paths = save(result, run.folder)
    if run.checkpoint == runs.BEST:
        print(f"note: the best checkpoint by the validation part, of iteration {run.step}")
    elif run.step < run.config.max_iterations:
        done = f"at iteration {run.step} of {run.config.max_iterations}"
        print(f"note: the run is unfinished, {done}")
    print(table(result))
    print(f"\n{run.info.variant}, {run.info.database}, fold {run.info.fold}: {sentence(result)}")
    print(f"written: {', '.join(map(str, paths))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
