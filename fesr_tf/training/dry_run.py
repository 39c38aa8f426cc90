"""Reports a run's settings, data, parameters, memory and time without writing any file.

Memory and time are measured: the run's networks take a few steps of each stage on its data in
this process.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras as keras

from fesr_tf import data
from fesr_tf.data import Faces, Fold
from fesr_tf.model.fesr import FESR
from fesr_tf.model.frozen_features import cache_place
from fesr_tf.model.predict import predict_logits
from fesr_tf.processes.console import clock_time
from fesr_tf.runs.checkpoints import saved_variables
from fesr_tf.training.callbacks import StepCallback
from fesr_tf.training.memory import GIB, peak_gpu_memory, peak_memory
from fesr_tf.training.monitoring.events import PARTS, count_rows, setting_rows
from fesr_tf.training.monitoring.scalars import trained_networks
from pipelines.common.text import table

STEPS = 5
"""Timed steps of each stage, after two that compile and warm up."""


@dataclass(frozen=True)
class Timing:
    """Measured seconds of a stage: of the first step, with compilation, and of each later one."""

    stage: str
    steps: int  # of the stage in the run, not of the measurement
    first: float
    later: list[float]

    @property
    def seconds_per_step(self) -> float:
        return statistics.median(self.later)

    @property
    def whole(self) -> float:
        """Seconds of the whole stage, without images, validation and checkpoints."""
        return self.first + self.seconds_per_step * max(0, self.steps - 1)


def parameter_counts(fesr: FESR) -> dict[str, tuple[int, int]]:
    """The numbers of trained and frozen parameters of each network of the run."""
    counts = {
        name: (_parameters(variables), 0) for name, variables in trained_networks(fesr).items()
    }
    counts[f"F_id ({fesr.config.identity})"] = (0, _parameters(fesr.face_network.variables))
    own = fesr.recognizer.face_network
    if own is not fesr.face_network:
        trained = _parameters(fesr.recognizer.trunk_variables) if fesr.config.tunes_trunk else 0
        name, _ = fesr.config.recognizer_trunk
        counts[f"R's trunk ({name})"] = (trained, _parameters(own.variables) - trained)
    return counts


def _parameters(variables: Sequence[tf.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def checkpoint_bytes(fesr: FESR) -> int:
    """Computed size of one checkpoint: every variable of the model and its optimizers."""
    unique = {id(variable): variable for variable in saved_variables(fesr)}.values()
    return sum(_parameters([variable]) * variable.dtype.size for variable in unique)


class _Clock(StepCallback):
    """Records the time at which each step ends."""

    def __init__(self, fesr: FESR):
        super().__init__(fesr)
        self.moments: list[tuple[float, int]] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.moments = [(time.perf_counter(), int(self.fesr.fesgan.step.numpy()))]

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        self.moments.append((time.perf_counter(), step))


def measure(fesr: FESR, faces: Faces, stages: Sequence[tuple[str, int]]) -> list[Timing]:
    """Takes a few steps of each stage with `fesr`, which changes its weights."""
    timings = []
    begin = 0 if fesr.config.trains_fesgan else fesr.config.pretrain_iterations
    for name, end in stages:
        clock = _Clock(fesr)
        model: keras.Model = fesr.fesgan if name == "FESGAN" else fesr
        batches = data.batches(faces, fesr.config, start=begin, recognizer=model is fesr)
        model.fit(batches, steps_per_epoch=STEPS + 2, callbacks=[clock], verbose=0)
        ends = clock.moments
        spans = [
            (after[0] - before[0]) / (after[1] - before[1])
            for before, after in itertools.pairwise(ends[1:])
        ]
        first = ends[1][0] - ends[0][0]
        timings.append(Timing(name, end - begin, first, spans[1:] or spans or [first]))
        begin = end
    return timings


def report(
    fesr: FESR,
    fold: Fold,
    stages: Sequence[tuple[str, int]],
    database: str,
    variant: str,
    notes: Sequence[str] = (),
) -> str:
    """The text that `--dry-run` prints, with `notes` on the data.

    Takes steps with `fesr`, which changes its weights.
    """
    config = fesr.config
    timings = measure(fesr, fold.train, stages)
    counts = parameter_counts(fesr).items()
    times = [
        (
            timing.stage,
            timing.steps,
            f"{timing.seconds_per_step:.3f}",
            f"{config.batch_size / timing.seconds_per_step:.1f}",
            f"{timing.first:.1f} s",
            clock_time(timing.whole),
        )
        for timing in timings
    ]
    parts = [
        "Settings and their origins",
        table(("key", "value", "from"), setting_rows(config, database, variant)),
        "\nData, images of each class",
        table(("class", *PARTS), count_rows(fold)),
        *(f"note: {note}" for note in notes),
        "\nParameters",
        table(("network", "trained", "frozen"), [(n, f"{a:,}", f"{b:,}") for n, (a, b) in counts]),
        f"\nTime, measured here: median of {STEPS} steps of each stage, after two for warming up",
        table(("stage", "steps", "s/step", "images/s", "first step", "whole stage"), times),
        *_totals(fesr, fold, timings),
        f"memory: {peak_memory() / GIB:.2f} GiB, the peak of this process while it measured; that "
        "of the run will be close to it",
    ]
    if (peak := peak_gpu_memory()) is not None:
        parts.append(f"GPU memory: {peak / GIB:.2f} GiB held by TensorFlow while it measured")
    place = cache_place(fesr.face_network, config, len(fold.train), fesr.recognizer.face_network)
    parts.append(f"cached features of real images: {place}")
    parts.append(
        f"disk: {checkpoint_bytes(fesr) / 2**20:.1f} MiB per checkpoint (computed: networks and "
        f"optimizers), {config.keep_checkpoints} kept"
    )
    return "\n".join(parts)


def _totals(fesr: FESR, fold: Fold, timings: Sequence[Timing]) -> list[str]:
    """Lines on the total time and on the time that validation adds."""
    config = fesr.config
    whole = sum(timing.whole for timing in timings)
    lines = [f"total: {clock_time(whole)}, without images, validation and checkpoints"]
    if config.trains_recognizer and len(fold.valid):
        predict_logits(fesr, fold.valid)
        started = time.perf_counter()
        predict_logits(fesr, fold.valid)
        once = time.perf_counter() - started
        times = timings[-1].steps // config.validate_every
        lines.append(
            f"validation: {once:.2f} s for {len(fold.valid)} images, measured, {times} times: "
            f"{clock_time(once * times)}"
        )
    return lines
