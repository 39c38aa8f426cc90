"""Losses, rates and memory as curves in TensorBoard; weights as histograms if configured."""

from __future__ import annotations

import time
from collections.abc import Callable

import tensorflow as tf

from fesr_tf.model.fesr import FESR
from fesr_tf.training.callbacks import EverySteps
from fesr_tf.training.memory import GIB, peak_gpu_memory, peak_memory

LOSSES = {
    "L_advd_z": "eq. 7: D_z's loss, which separates prior codes z from g(x); chance is 2 ln 2 "
    "= 1.386",
    "L_advd_img": "eq. 5: critic's loss D(x̂) - D(x); its negative estimates the distance between "
    "generated and real",
    "penalty": "of eq. 5: (‖∇D_img‖ - 1)² between x and x̂; near 0 when the critic is 1-Lipschitz",
    "L_cls_D_r": "eq. 9: D_img's classifier on real faces; chance is ln K",
    "L_D_img": "eq. 23: D_img's total loss",
    "L_advg_img": "eq. 4: -D_img(x̂), the critic's score of x̂; only its course matters",
    "L_cls_D_f": "eq. 8: D_img's classifier on the target expression of x̂; chance is ln K",
    "L_advg_z": "eq. 6: -ln D_z(g(x)); ln 2 = 0.693 when codes match the prior",
    "L_rec": "eq. 10: |x - x_rec| per pixel, images in [-1, 1]",
    "L_id": "eq. 12: |F_id(x) - F_id(x_rec)| per feature",
    "L_map": "|map of F_id's trunk of x - that of x_rec| per entry (lambda_map)",
    "L_G": "eq. 22, and eq. 25 in the second stage: G's total loss, a weighted sum",
    "L_dist_r": "eq. 15: distance of R_ext(x) and R_ext(x^{p,r}), two real faces of a class",
    "L_dist_rf": "eq. 16: distance of R_ext(x) and R_ext(x^{p,f}), real and generated of a class",
    "L_intra": "eq. 14: L_dist_r + L_dist_rf",
    "L_cls_R_r": "eq. 20: R's cross-entropy on real faces",
    "L_cls_R_f": "eq. 21: R's cross-entropy on x^{p,f}, for R",
    "L_cls_R_f_to_G": "eq. 21 with R's new weights: the loss on x^{p,f} that R passes to G",
    "L_R": "eq. 26: R's total loss",
}
"""The losses by their names in the paper, each with the description shown beside its curve."""


class Scalars(EverySteps):
    """Every loss by its name in the paper, rates and memory, each `log_every` iterations.

    The rates cover the time since the last values, images and validation included.
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
        self.before = None  # the first steps of a stage include its compilation

    def act(self, step: int, logs: dict[str, float]) -> None:
        now = self.clock()
        with self.writer.as_default(step=step):
            for name, value in logs.items():
                # A log that is not a loss carries its own group in its name.
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
        # Events before a checkpoint must survive a kill after it: a resumed run skips them.
        self.writer.flush()
        self.before = (now, step)

    def _scalar(self, name: str, value: float, description: str | None = None) -> None:
        # TensorBoard reads a description once; in every event it would double the files.
        first = name not in self.described
        self.described.add(name)
        tf.summary.scalar(name, value, description=description if first else None)


class Histograms(EverySteps):
    """Weights of every trained network, each `histogram_every` iterations (0: never).

    `weights/<network>/<number>_<layer>/<kernel|bias>`.
    """

    def __init__(self, fesr: FESR, writer: tf.summary.SummaryWriter, last: int | None = None):
        super().__init__(fesr, fesr.config.histogram_every, last)
        self.writer = writer

    def act(self, step: int, logs: dict[str, float]) -> None:
        with self.writer.as_default(step=step):
            for network, variables in trained_networks(self.fesr).items():
                for number, variable in enumerate(variables):
                    # The 3 of "…/conv2d_3/kernel:0" depends on what else this process has built.
                    name = variable.name.split(":")[0].rsplit("/", 1)[-1]
                    tf.summary.histogram(f"weights/{network}/{number // 2:02d}_{name}", variable)
        self.writer.flush()


def trained_networks(fesr: FESR) -> dict[str, list[tf.Variable]]:
    """The trained weights of each network, by the network's name in the paper."""
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
    if config.trains_recognizer and config.tunes_trunk:
        networks["R_trunk"] = fesr.recognizer.trunk_variables
    return networks
