"""What a run would be: its settings, data, networks, memory and time, with nothing left behind.

Memory and time are measured: the run's own networks take a few steps of each stage on its own
data in this process, which then forgets them.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tf_keras as keras

from fesr_tf import config as configs
from fesr_tf import data
from fesr_tf.config import Config
from fesr_tf.data import Faces, Fold
from fesr_tf.model.fesr import FESR
from fesr_tf.model.predict import predict_logits
from fesr_tf.training.callbacks import StepCallback
from fesr_tf.training.memory import GIB, peak_gpu_memory, peak_memory
from fesr_tf.training.monitoring.console import clock_time
from fesr_tf.training.monitoring.description import PARTS, as_yaml, count_rows
from fesr_tf.training.monitoring.scalars import trained_networks

STEPS = 5
"""Steps of each stage that are timed, after two that compile and warm up."""


@dataclass(frozen=True)
class Timing:
    """One stage, measured: seconds before the first step's end, seconds of each later step."""

    stage: str
    steps: int  # that the run takes in this stage
    first: float
    later: list[float]

    @property
    def seconds_per_step(self) -> float:
        return statistics.median(self.later)

    @property
    def whole(self) -> float:
        """Seconds of the whole stage, without pictures, validation and checkpoints."""
        return self.first + self.seconds_per_step * max(0, self.steps - 1)


def parameter_counts(fesr: FESR) -> dict[str, tuple[int, int]]:
    """For each network of the run its number of parameters that train, and of frozen ones."""
    counts = {
        name: (sum(int(np.prod(each.shape)) for each in variables), 0)
        for name, variables in trained_networks(fesr).items()
    }
    frozen = sum(int(np.prod(each.shape)) for each in fesr.face_network.variables)
    return counts | {f"F_id ({fesr.config.identity})": (0, frozen)}


def checkpoint_bytes(fesr: FESR) -> int:
    """Size of one checkpoint, by arithmetic: every variable of the model and its optimizers."""
    optimizers = [
        fesr.fesgan.generator_optimizer,
        fesr.fesgan.image_critic_optimizer,
        fesr.fesgan.code_critic_optimizer,
        fesr.recognizer_optimizer,
    ]
    variables = [*fesr.variables]
    for optimizer in optimizers:
        variables += optimizer.variables() if callable(optimizer.variables) else optimizer.variables
    unique = {id(each): each for each in variables}.values()
    return sum(int(np.prod(each.shape)) * each.dtype.size for each in unique)


class _Clock(StepCallback):
    """Notes when each step ends."""

    def __init__(self, fesr: FESR):
        super().__init__(fesr)
        self.moments: list[tuple[float, int]] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.moments = [(time.perf_counter(), int(self.fesr.fesgan.step.numpy()))]

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        self.moments.append((time.perf_counter(), step))


def measure(fesr: FESR, faces: Faces, stages: Sequence[tuple[str, int]]) -> list[Timing]:
    """Takes a few steps of each stage with `fesr`, which is changed by them."""
    timings = []
    begin = 0 if fesr.config.trains_fesgan else fesr.config.pretrain_iterations
    for name, end in stages:
        clock = _Clock(fesr)
        model: keras.Model = fesr.fesgan if name == "FESGAN" else fesr
        batches = data.batches(faces, fesr.config, start=begin)
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
    """Everything that `--dry-run` prints, what is odd about the data (`notes`) among it.

    Takes steps with `fesr`, which is changed by them.
    """
    config = fesr.config
    timings = measure(fesr, fold.train, stages)
    parts = [
        "Settings, and where each comes from",
        _settings(config, configs.origins(config, database, variant)),
        "\nData, pictures of each class",
        _table([("class", *PARTS), *count_rows(fold)]),
        *(f"note: {note}" for note in notes),
        "\nParameters",
        _table(
            [
                ("network", "trained", "frozen"),
                *((name, f"{a:,}", f"{b:,}") for name, (a, b) in parameter_counts(fesr).items()),
            ]
        ),
        f"\nTime, measured here: median of {STEPS} steps of each stage, after two for warming up",
        _table(
            [("stage", "steps", "s/step", "images/s", "first step", "whole stage"), *(
                (
                    timing.stage,
                    timing.steps,
                    f"{timing.seconds_per_step:.3f}",
                    f"{config.batch_size / timing.seconds_per_step:.1f}",
                    f"{timing.first:.1f} s",
                    clock_time(timing.whole),
                )
                for timing in timings
            )]
        ),
        *_extras(fesr, fold, timings),
        f"memory: {peak_memory() / GIB:.2f} GiB, this process's largest size while it measured; "
        "the run's own will be near it",
    ]  # fmt: skip
    if (peak := peak_gpu_memory()) is not None:
        parts.append(f"GPU memory: {peak / GIB:.2f} GiB held by TensorFlow while it measured")
    parts.append(
        f"disk: {checkpoint_bytes(fesr) / 2**20:.1f} MiB a checkpoint by arithmetic (networks and "
        f"optimizers), {config.keep_checkpoints} kept"
    )
    return "\n".join(parts)


def _extras(fesr: FESR, fold: Fold, timings: Sequence[Timing]) -> list[str]:
    """Sentences on the whole time, and on what validation adds to it."""
    config = fesr.config
    whole = sum(timing.whole for timing in timings)
    lines = [f"in all {clock_time(whole)}, without pictures, validation and checkpoints"]
    if config.trains_recognizer and len(fold.valid):
        predict_logits(fesr, fold.valid)
        began = time.perf_counter()
        predict_logits(fesr, fold.valid)
        once = time.perf_counter() - began
        times = timings[-1].steps // config.validate_every
        lines.append(
            f"validation: {once:.2f} s for {len(fold.valid)} pictures, measured, {times} times: "
            f"{clock_time(once * times)}"
        )
    return lines


def _settings(config: Config, origins: dict[str, str]) -> str:
    values = config.model_dump()
    return _table(
        [(key, as_yaml(value), origins[key]) for key, value in values.items()],
        numbers=False,
    )


def _table(rows: Sequence[tuple], numbers: bool = True) -> str:
    """Rows in aligned columns; from the second column on at the right, where they are numbers."""
    text = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in text) for i in range(len(text[0]))]
    lines = []
    for row in text:
        cells = [
            cell.rjust(width) if numbers and i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
