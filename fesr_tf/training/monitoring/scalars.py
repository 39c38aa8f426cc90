"""Losses, rates and memory as curves; weights as histograms where they are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

import tensorflow as tf

from fesr_tf.model.fesr import FESR
from fesr_tf.training.callbacks import EverySteps
from fesr_tf.training.memory import GIB, peak_gpu_memory, peak_memory
from fesr_tf.training.monitoring.glossary import LOSSES


class Scalars(EverySteps):
    """Every loss by its name in the paper, rates and memory, each `log_every` iterations.

    The rates count everything since the last time: pictures and validation as well.
    """

    def __init__(
        self,
        fesr: FESR,
        writer: tf.summary.SummaryWriter,
        last: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        super().__init__(fesr, fesr.config.log_every, last)
        self.writer, self.clock = writer, clock
        self.before: tuple[float, int] | None = None
        self.described: set[str] = set()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        self.before = None  # the first steps of a stage hold its compilation

    def act(self, step: int, logs: dict[str, float]) -> None:
        now = self.clock()
        with self.writer.as_default(step=step):
            for name, value in logs.items():
                # A step may report what is no loss; its name then says what it belongs to.
                tag = name if "/" in name else f"losses/{name}"
                self._scalar(tag, value, LOSSES.get(name))
            if self.before:
                seconds = (now - self.before[0]) / (step - self.before[1])
                images = self.fesr.config.batch_size / seconds
                self._scalar("speed/steps_per_second", 1 / seconds)
                self._scalar("speed/images_per_second", images)
                self._scalar("speed/seconds_per_step", seconds)
            self._scalar("memory/peak_GiB", peak_memory() / GIB, "largest resident size so far")
            if (peak := peak_gpu_memory()) is not None:
                self._scalar("memory/gpu_peak_GiB", peak / GIB, "TensorFlow's own, not the card's")
        # What is written before a checkpoint must outlive a kill after it: nobody writes it again.
        self.writer.flush()
        self.before = (now, step)

    def _scalar(self, name: str, value: float, description: str | None = None) -> None:
        # TensorBoard reads a description once; in every event it would double the files.
        first = name not in self.described
        self.described.add(name)
        tf.summary.scalar(name, value, description=description if first else None)


class Histograms(EverySteps):
    """Weights of every network that trains, each `histogram_every` iterations (0: never).

    `weights/<network>/<number>_<layer>/<kernel|bias>`; what has one value has no histogram.
    """

    def __init__(self, fesr: FESR, writer: tf.summary.SummaryWriter, last: int | None = None):
        super().__init__(fesr, fesr.config.histogram_every, last)
        self.writer = writer

    def act(self, step: int, logs: dict[str, float]) -> None:
        with self.writer.as_default(step=step):
            for network, variables in trained_networks(self.fesr).items():
                for number, variable in enumerate(variables):
                    # Of "…/conv2d_3/kernel:0" the layer's own number says nothing: it counts
                    # every layer that this process has made.
                    name = variable.name.split(":")[0].rsplit("/", 1)[-1]
                    tf.summary.histogram(f"weights/{network}/{number // 2:02d}_{name}", variable)
        self.writer.flush()


def trained_networks(fesr: FESR) -> dict[str, list[tf.Variable]]:
    """The weights that each network's optimizer moves, by the network's name in the paper."""
    gan, config = fesr.fesgan, fesr.config
    networks: dict[str, list[tf.Variable]] = {}
    if config.trains_fesgan:
        networks["G_enc"] = gan.encoder.trainable_variables
        networks["G_dec"] = gan.decoder.trainable_variables
        if config.image_critic:
            networks["D_img"] = gan.image_critic.trainable_variables
        if config.code_critic:
            networks["D_z"] = gan.code_critic.trainable_variables
    if config.trains_recognizer:
        networks["R"] = fesr.recognizer.trained_variables
    return networks
