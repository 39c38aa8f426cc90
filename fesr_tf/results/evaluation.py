"""evaluation.json: R's predictions on one part of a fold, and their accuracy."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf import runs
from fesr_tf.data import Faces
from fesr_tf.metrics import classification
from fesr_tf.model.predict import predict_logits
from fesr_tf.plots import charts
from fesr_tf.runs import files
from pipelines.common import text
from pipelines.common.files import write_whole
from pipelines.common.subjects import counted, of_people, subject_of

PEOPLE = "people"
"""The part of an evaluation on another folder's test images."""


def evaluate(run: runs.Run, faces: Faces, split: str = "test") -> dict:
    """R's predictions on `faces`, in inference mode, ready for JSON.

    Everything of `classification.summary`, `brier` and `log_loss` (means over the images), what
    was evaluated (run, split, iteration, classes, `people`: how many, `unknown_subjects`: images
    without a subject), and under `predictions` each image's key, subject (empty if unknown), yaw
    (degrees, None if unknown), label, prediction (class indices) and probabilities.
    """
    logits = predict_logits(run.fesr, faces)
    # As they are stored, so that the scores can be computed from the file.
    probabilities = np.round(tf.nn.softmax(logits).numpy().astype(np.float64), 6)
    predictions = logits.argmax(-1)
    people, unknown = counted(faces.subjects.tolist())
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
        "people": people,
        "unknown_subjects": unknown,
        **classification.summary(faces.labels, predictions, run.info.classes),
        "brier": float(classification.brier(probabilities, faces.labels).mean()),
        "log_loss": float(classification.log_loss(probabilities, faces.labels).mean()),
        "predictions": [
            {
                "key": str(faces.keys[i]),
                "subject": subject_of(str(faces.subjects[i])),
                "yaw": None if faces.yaw is None else float(faces.yaw[i]),
                "label": int(faces.labels[i]),
                "prediction": int(predictions[i]),
                "probabilities": probabilities[i].tolist(),
            }
            for i in range(len(faces))
        ],
    }


def sentence(result: dict) -> str:
    """The accuracy with its counts and its 95 % interval."""
    low, high = result["interval"]
    return (
        f"{result['accuracy']:.1%} ({result['correct']} of {result['total']} {result['split']} "
        f"images{of_people(result['people'], result.get('unknown_subjects', 0))}; 95 % interval "
        f"{low:.1%} to {high:.1%})"
    )


def scores(result: dict) -> str:
    """Brier score and log-loss, which also judge the probabilities, beside those of a guess."""
    count = len(result["classes"])
    return (
        f"Brier score {result['brier']:.3f}, log-loss {result['log_loss']:.3f}; lower is better, "
        f"equal probabilities for {count} classes give {1 - 1 / count:.3f} and "
        f"{math.log(count):.3f}"
    )


def table(result: dict) -> str:
    """Confusion matrix (rows are true classes), recall and precision of each class as text."""
    rows = [
        [row["class"], *counts, _share(row["recall"]), _share(row["precision"])]
        for row, counts in zip(result["per_class"], result["confusion"], strict=True)
    ]
    return text.table(["true, predicted:", *result["classes"], "recall", "precision"], rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def save(result: dict, folder: Path) -> list[Path]:
    """Writes evaluation.json and pictures/confusion.png into a run's folder and returns their
    paths; splits other than test and checkpoints other than the last are part of the name."""
    part, checkpoint = result["split"], result["checkpoint"]
    data = folder / files.evaluation(part, checkpoint)
    figure = folder / files.IMAGES / f"confusion{files.suffix(part, checkpoint)}.png"
    title = f"{result['variant']} on {result['database']}, fold {result['fold']}"
    confusion = np.array(result["confusion"])
    chart = charts.confusion(confusion, result["classes"], title, sentence(result))
    write_whole(figure, charts.png(chart))
    write_whole(data, json.dumps(result, indent=1) + "\n")
    return [data, figure]
