"""Starts a run from the weights of another one, as to go from a large set of faces to one's own."""

from __future__ import annotations

import json
from pathlib import Path

import tensorflow as tf

from fesr_tf import runs
from fesr_tf.model.fesr import FESR
from fesr_tf.runs import files
from pipelines.common.errors import BadUse
from pipelines.common.files import write_whole


def take(model: FESR, source: Path) -> dict[str, object]:
    """Copies the weights of G, the critics and R's own layers from the last checkpoint of the run
    in `source`. Optimizers and frozen networks are not copied, and the step stays at the start.

    Returns what `record` writes. Raises `BadUse` where the networks are of other sizes.
    """
    run = runs.open_run(source)
    ours, theirs = _weights(model), _weights(run.fesr)
    other = [
        name
        for name, weights in ours.items()
        if [each.shape for each in weights] != [each.shape for each in theirs[name]]
    ]
    if other:
        raise BadUse(
            f"{', '.join(other)} of {source} {'has' if len(other) == 1 else 'have'} other sizes "
            "than in this run: give the same image_size, channels, width, code_size, "
            "generator_norm, upsampling and classes"
        )
    for name, weights in ours.items():
        for weight, value in zip(weights, theirs[name], strict=True):
            weight.assign(value)
    model.restart_averages()
    return {"variant": run.info.variant, "database": run.info.database, "step": run.step}


def record(folder: Path, about: dict[str, object]) -> None:
    """Writes the origin of the first weights of the run in `folder`."""
    write_whole(folder / files.INITIAL_WEIGHTS, json.dumps(about) + "\n")


def _weights(model: FESR) -> dict[str, list[tf.Variable]]:
    gan = model.fesgan
    return {
        "G_enc": gan.encoder.trainable_variables,
        "G_dec": gan.decoder.trainable_variables,
        "D_img": gan.image_critic.trainable_variables,
        "D_z": gan.code_critic.trainable_variables,
        "R": model.recognizer.trained_variables,
    }
