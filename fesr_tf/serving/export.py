"""Writes a run's networks as a version of a SavedModel that TensorFlow Serving loads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import tensorflow as tf

from fesr_tf import runs
from fesr_tf.crossvalidation.record import summary_of
from fesr_tf.data import ALL
from fesr_tf.runs import machine
from fesr_tf.runs.opening import require_recognizer
from fesr_tf.serving import model as serving
from fesr_tf.serving import versions, warmup
from fesr_tf.serving.cpp_session import CppSession, meta_graph
from fesr_tf.serving.requests import difference, eager
from fesr_tf.serving.signatures_check import LABELS, TOLERANCE, breaches, signatures_of
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import folder_whole

# TensorFlow Serving hands this folder of a SavedModel through untouched.
EXTRA = "assets.extra"


EVERYBODY = (
    "nobody: it was trained on everybody, and its accuracy is that of the cross-validation of "
    "the same settings and data, which held people out"
)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_name(name: str) -> None:
    """Raises `BadUse` for a name that a model cannot have."""
    if not _NAME.fullmatch(name):
        raise BadUse(
            f"a model's name stands in addresses: letters, digits, '_', '-' and '.', not {name!r}"
        )


def next_version(folder: Path) -> int:
    """The highest version folder's number plus 1; 1 where there is none."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return 1 + max((int(name) for name in names if name.isdecimal()), default=0)


def description(run: runs.Run) -> dict:
    """What the model is, for whoever finds it without its run; ready for JSON.

    held_out: on whom its accuracy can be measured, in words. cross_validation: of a model that
    everybody trained, what `crossval_record.summary_of` knows; None of others.
    """
    everybody = run.info.fold == ALL
    return {
        "classes": list(run.info.classes),
        "database": run.info.database,
        "variant": run.info.variant,
        "fold": run.info.fold,
        "held_out": EVERYBODY if everybody else "the test and validation people of its fold",
        "cross_validation": summary_of(run) if everybody else None,
        "data_digest": run.info.data_digest,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "image_size": run.config.image_size,
        "channels": run.config.channels,
        "config": run.config.model_dump(),
        "commit": machine.commit(),
        "tensorflow": tf.__version__,
    }


def served(run: runs.Run) -> serving.Served:
    """The signatures of those of a run's networks that have been trained.

    BASELINE trains no generator, the FG variants no recogniser. Raises `BadUse` for a run whose
    recogniser is still to be trained.
    """
    config = run.config
    if config.trains_recognizer or not config.trains_fesgan:
        require_recognizer(run)
    return serving.Served(
        run.info.classes,
        config.image_size,
        config.channels,
        run.fesr.recognizer if config.trains_recognizer else None,
        run.fesr.fesgan if config.trains_fesgan else None,
    )


def export(run: runs.Run, output: Path, version: int | None = None) -> Path:
    """Writes `output/<version>/`, whole or not at all, and returns it.

    `output` is `saved_models/NAME`. Beside the model, `assets.extra/` holds labels.txt (a class a
    line, in the order of the probabilities), config.yaml, model.json (`description`) and warm-up
    requests. Before the folder takes its name it must keep its contract (`contract.breaches`) and
    answer the warm-up requests, in TensorFlow's C++ loader, as the networks in memory do.
    Raises `BadUse` for a run with nothing trained, a name that no address can hold and a version
    that exists, `FailedWork` where the copy differs.
    """
    check_name(output.name)
    version = next_version(output) if version is None else version
    target = output / str(version)
    if target.exists():
        raise BadUse(
            f"{target} exists and a version never changes: leave out --version for the next one "
            f"({next_version(output)})"
        )
    model, classes = served(run), run.info.classes
    with folder_whole(target) as folder:
        model.save(str(folder))
        (folder / EXTRA).mkdir()
        (folder / LABELS).write_text("\n".join(classes) + "\n", encoding="utf-8")
        run.config.save(folder / EXTRA / "config.yaml")
        (folder / EXTRA / "model.json").write_text(json.dumps(description(run), indent=2) + "\n")
        graph = meta_graph(folder)
        warmup.write(folder, output.name, signatures_of(graph), classes)
        found = breaches(graph)
        if found:
            raise FailedWork(f"the model breaks its contract: {'; '.join(found)}; nothing written")
        _replay(run, folder)
    return target


def _replay(run: runs.Run, folder: Path) -> None:
    """Raises `FailedWork` unless the C++ loader answers each warm-up request as the networks."""
    expected = eager(run.fesr, run.info.classes)
    with CppSession(folder) as session:
        for _, name, inputs in warmup.read(folder):
            apart = difference(session.run(name, inputs), expected[name](**inputs))
            if not apart <= TOLERANCE:
                raise FailedWork(
                    f"{name} of the saved model differs by {apart:.1e} from the run's networks; "
                    "nothing was exported"
                )


def first_label(models: Path, name: str, version: int) -> str:
    """Has the first version of a model served as stable, and says what is served, or how to."""
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
    """Which signatures a run's export has not, and why; "" for the whole method's."""
    variant = run.info.variant
    if not run.config.trains_fesgan:
        return f"{variant} trains no generator: no synthesize and no sample"
    if not run.config.trains_recognizer:
        return f"{variant} trains no recogniser: synthesize and sample alone"
    return ""
