"""Does a recognizer predict the requested expression for the generated image?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fesr_tf import runs
from fesr_tf.data import Faces, Fold
from fesr_tf.metrics import classification
from fesr_tf.runs import Run
from fesr_tf.runs.opening import load_data, require_recognizer
from fesr_tf.synthesis.quality import generation
from fesr_tf.synthesis.quality.estimates import share
from fesr_tf.synthesis.quality.generation import Generated
from pipelines.common.errors import BadUse


@dataclass(frozen=True)
class Evaluator:
    """A trained BASELINE, the people it was trained on, and the held-out test part of its fold."""

    run: Run
    train_subjects: np.ndarray
    test: Faces


def open_evaluator(folder: Path, run: Run, data: Path | None) -> Evaluator:
    """A finished BASELINE run as the evaluator of `run`'s images.

    Raises `BadUse` where it is another variant, or has other data, classes or image sizes.
    """
    runs.require_held_out(runs.read_info(folder), folder)
    evaluator = runs.open_run(folder)
    option = f"--judge {folder}"
    if evaluator.config.trains_fesgan:
        raise BadUse(
            f"{option} is a run of {evaluator.info.variant}, whose recognizer was trained on "
            "generated images; give a run of BASELINE"
        )
    require_recognizer(evaluator)
    if evaluator.info.classes != run.info.classes:
        differ = runs.other_classes(run.info.classes, evaluator.info.classes)
        raise BadUse(f"{option} has other classes than {run.folder} ({differ}); train BASELINE "
                     "on the run's data")  # fmt: skip
    if evaluator.info.data_digest != run.info.data_digest:
        raise BadUse(
            f"{option} was trained on other data ({evaluator.info.data_digest[:12]}) than "
            f"{run.folder} ({run.info.data_digest[:12]}), so that its held-out subjects are not "
            "known; train BASELINE on the run's data"
        )
    for key in ("image_size", "channels"):
        its, ours = getattr(evaluator.config, key), getattr(run.config, key)
        if its != ours:
            raise BadUse(
                f"{option} was trained with {key}={its} and {run.folder} with {ours}; train "
                f"BASELINE with {key}={ours}"
            )
    fold = load_data(evaluator, data)
    return Evaluator(evaluator, fold.train.subjects, fold.test)


def accuracy(
    labels: np.ndarray,
    predictions: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    unit: str,
    seed: int,
) -> dict:
    """The share of predictions int (N,) that equal the requested classes int (N,).

    `estimates.share` with `confusion` (rows: requested) and `per_class` of `metrics.summary`;
    `groups` (N,) names the person of each.
    """
    counted = classification.summary(labels, predictions, tuple(classes))
    more = {key: counted[key] for key in ("confusion", "per_class")}
    hits = np.asarray(labels) == np.asarray(predictions)
    return share(hits, groups, unit, "expression_accuracy", seed, **more)


def measure_expression(
    run: Run, fold: Fold, generated: Generated, evaluator: Evaluator, seed: int
) -> dict:
    """One evaluator's accuracy on `translated` test images of its own fold (y' other than y), on
    the `real` images that were translated, and on `new` identities.

    The evaluator was not trained on the people translated; the result counts how many of them the
    generator was trained on.
    """
    real, classes = evaluator.test, evaluator.run.info.classes
    if evaluator.run.info.fold == run.info.fold:
        translated = generated.translated
    else:
        translated = generation.translations(run.fesr.fesgan, real.images)
    image, target = np.nonzero(real.labels[:, None] != np.arange(len(classes)))
    generators_people = set(fold.train.subjects.tolist())
    evaluators_people = set(evaluator.train_subjects.tolist())

    def on(images: np.ndarray, labels: np.ndarray, groups: np.ndarray, unit: str) -> dict:
        predicted = generation.predictions(evaluator.run.fesr, images)
        return accuracy(labels, predicted, groups, classes, unit, seed)

    return {
        "judge": str(evaluator.run.folder),
        "judge_fold": evaluator.run.info.fold,
        "judge_step": evaluator.run.step,
        "judge_people": len(evaluators_people),
        "people_of_both": len(evaluators_people & generators_people),
        "translated_people_of_generator": len(set(real.subjects.tolist()) & generators_people),
        "chance": 1 / len(classes),
        "translated": on(
            translated[image, target], target, real.subjects[image], "generated images"
        ),
        "real": on(real.images, real.labels, real.subjects, "real images"),
        "new": on(
            generated.new, generated.new_labels, np.arange(len(generated.new)), "new identities"
        ),
    }
