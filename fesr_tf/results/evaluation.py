"""evaluation.json: R's predictions on one part of a fold, and their accuracy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf import runs
from fesr_tf.data import Faces
from fesr_tf.metrics import classification
from fesr_tf.model.predict import predict_logits
from fesr_tf.plots import image_grids
from fesr_tf.runs import files
from pipelines.common.files import write_whole


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
        **classification.summary(faces.labels, predictions, run.info.classes),
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
    part, checkpoint = result["split"], result["checkpoint"]
    data = folder / files.evaluation(part, checkpoint)
    figure = folder / files.IMAGES / f"confusion{files.suffix(part, checkpoint)}.png"
    title = f"{result['variant']} on {result['database']}, fold {result['fold']}"
    drawn = image_grids.confusion_figure(
        np.array(result["confusion"]), result["classes"], title, sentence(result)
    )
    write_whole(figure, image_grids.png(drawn))
    write_whole(data, json.dumps(result, indent=1) + "\n")
    return [data, figure]
