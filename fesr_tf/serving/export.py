"""Writes a run's networks as a version of a SavedModel that TensorFlow Serving loads."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import tensorflow as tf

from fesr_tf import runs
from fesr_tf.client.saved_model import EXTRA
from fesr_tf.client.training_data import FILE, origin_of
from fesr_tf.crossvalidation.record import summary_of
from fesr_tf.data import ALL
from fesr_tf.networks.face_networks import trained_on
from fesr_tf.runs import machine
from fesr_tf.runs.opening import require_recognizer
from fesr_tf.serving import versions, warmup
from fesr_tf.serving.calibration import Calibration
from fesr_tf.serving.cpp_loader import CppSession, meta_graph
from fesr_tf.serving.model import Served
from fesr_tf.serving.requests import difference, eager
from fesr_tf.serving.signatures_check import LABELS, TOLERANCE, breaches, signatures_of
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import folder_whole

EVERYBODY = (
    "nobody: it was trained on everybody, and its accuracy is that of the cross-validation of "
    "the same settings and data, which held images out"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_name(name: str) -> None:
    """Raises `BadUse` for a name that cannot be part of an address."""
    if not _NAME.fullmatch(name):
        raise BadUse(
            f"the model name {name!r} is part of addresses; use letters, digits, '_', '-' and '.'"
        )


def next_version(folder: Path) -> int:
    """The highest version in a model's folder plus 1; 1 where there is none."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return 1 + max((int(name) for name in names if name.isdecimal()), default=0)


def description(run: runs.Run) -> dict:
    """The model's origin, for a reader without its run; ready for JSON.

    held_out: the images on which its accuracy can be measured, in words. cross_validation:
    `crossvalidation.record.summary_of` for a model trained on everybody, None for others.
    training_data: see `fesr_tf.data.origin.Origin`.
    """
    everybody = run.info.fold == ALL
    return {
        "classes": list(run.info.classes),
        "database": run.info.database,
        "variant": run.info.variant,
        "fold": run.info.fold,
        "held_out": EVERYBODY if everybody else "the test and validation parts of its fold",
        "cross_validation": summary_of(run) if everybody else None,
        "data_digest": run.info.data_digest,
        "training_data": dataclasses.asdict(
            dataclasses.replace(
                origin_of(run.info.database, run.info.origin),
                varied=run.config.augmentation == "standard",
            )
        ),
        "face_network": {
            "name": run.config.recognizer_trunk[0],
            "trained_on": trained_on(*run.config.recognizer_trunk),
        },
        "step": run.step,
        "checkpoint": run.checkpoint,
        "image_size": run.config.image_size,
        "channels": run.config.channels,
        "config": run.config.model_dump(),
        "commit": machine.commit(),
        "tensorflow": tf.__version__,
    }


def export(
    run: runs.Run,
    output: Path,
    version: int | None = None,
    calibration: Calibration | None = None,
    recognizer: runs.Run | None = None,
) -> Path:
    """Writes `output/<version>/` atomically and returns it.

    `output` is `saved_models/NAME`. Beside the model, `assets.extra/` holds labels.txt (one class
    per line, in the order of the probabilities), config.yaml, model.json (`description`) and
    warm-up requests. Before the folder takes its name, the model must keep its contract
    (`signatures_check.breaches`) and answer the warm-up requests, in TensorFlow's C++ loader, as
    the networks in memory do. calibration: what was done to R's probabilities.
    recognizer: the run whose R was put in the place of the run's own (`use_recognizer`). Raises
    `BadUse` for a run with nothing trained, an invalid name and a version that exists, `FailedWork`
    where the exported model differs.
    """
    check_name(output.name)
    version = next_version(output) if version is None else version
    target = output / str(version)
    if target.exists():
        raise BadUse(
            f"{target} exists and a version never changes; omit --version for the next one "
            f"({next_version(output)})"
        )
    # BASELINE trains no generator, the FG variants no recogniser.
    recognizes = run.config.trains_recognizer or recognizer is not None
    if recognizer is None and (recognizes or not run.config.trains_fesgan):
        require_recognizer(run)
    classes = run.info.classes
    with folder_whole(target) as folder:
        mirrored = calibration is not None and calibration.mirrored
        Served(run.fesr, classes, recognizes, mirrored).save(str(folder))
        (folder / EXTRA).mkdir()
        (folder / LABELS).write_text("\n".join(classes) + "\n", encoding="utf-8")
        run.config.save(folder / EXTRA / "config.yaml")
        about = description(run)
        if recognizer is not None:
            # Where images, trunk and accuracy of R come from; `run` is then the generator's.
            about |= {"recognizer": description(recognizer)}
        if calibration is not None:
            about["calibration"] = dataclasses.asdict(calibration)
        (folder / EXTRA / FILE).write_text(json.dumps(about, indent=2) + "\n")
        graph = meta_graph(folder)
        warmup.write(folder, output.name, signatures_of(graph), classes)
        if found := breaches(graph):
            raise FailedWork(f"the model breaks its contract: {'; '.join(found)}; nothing written")
        _replay(run, folder, mirrored)
    return target


def use_recognizer(run: runs.Run, other: runs.Run) -> None:
    """Puts the trained R of `other` in the place of the run's own, and of D_img's class head where
    translated faces keep their `details`.

    Raises `BadUse` where `other` has none, or its classes or images differ.
    """
    require_recognizer(other)
    for what, own, others in (
        ("classes", run.info.classes, other.info.classes),
        ("image_size", run.config.image_size, other.config.image_size),
        ("channels", run.config.channels, other.config.channels),
    ):
        if own != others:
            raise BadUse(
                f"the {what} of {other.folder} are {others} and those of {run.folder} are {own}: "
                "one model needs the same for both"
            )
    recognizer = other.fesr.recognizer
    run.fesr.recognizer = recognizer
    run.fesr.fesgan.classifier = lambda image: recognizer(image)


def _replay(run: runs.Run, folder: Path, mirrored: bool) -> None:
    """Raises `FailedWork` where the C++ loader and the run's networks answer a warm-up request
    differently."""
    expected = eager(run.fesr, run.info.classes, mirrored)
    with CppSession(folder) as session:
        for _, name, inputs in warmup.read(folder):
            error = difference(session.run(name, inputs), expected[name](**inputs))
            if not error <= TOLERANCE:
                raise FailedWork(
                    f"{name} of the saved model differs by {error:.1e} from the run's networks; "
                    "nothing was exported"
                )


def first_label(models: Path, name: str, version: int) -> str:
    """Labels a model's first version stable; returns a line on what is served, or on how to serve
    this version."""
    labels = versions.labels_of(models, name)
    if not labels:
        path = versions.label(models, name, {versions.STABLE: version})
        return f"{path}: version {version} is stable"
    stable = labels.get(versions.STABLE, version)
    return (
        f"not served yet, version {stable} is stable: python -m fesr_tf.rollout --models {models} "
        f"--name {name} --stable {stable} --canary {version}"
    )


def missing(run: runs.Run) -> str:
    """The signatures that a run's export lacks, and why; "" where it has all."""
    variant = run.info.variant
    if not run.config.trains_fesgan:
        return f"{variant} trains no generator: no synthesize and no sample"
    if not run.config.trains_recognizer:
        return f"{variant} trains no recogniser: only synthesize and sample"
    return ""
