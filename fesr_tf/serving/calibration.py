"""Corrections of R's probabilities after training.

The temperature and the classes' frequencies are folded into R's last layer, so that neither
signatures nor cost change; the mean over both orientations of a face costs a second pass.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from fesr_tf.data.faces import Fold
from fesr_tf.model.fesr import FESR
from fesr_tf.model.predict import predict_logits
from fesr_tf.networks.recognizer import Recognizer
from pipelines.common.errors import BadUse

_TEMPERATURES = 0.05, 20.0


@dataclass(frozen=True)
class Calibration:
    """temperature: the logits' divisor, 1 where it was not fitted; prior_correction: the share of
    the training classes' log-frequencies that is subtracted from the logits; images: how many the
    temperature was fitted on; mirrored: whether the logits are the mean of a face's and its mirror
    image's."""

    temperature: float = 1.0
    prior_correction: float = 0.0
    images: int = 0
    mirrored: bool = False

    def __str__(self) -> str:
        fitted = f"temperature {self.temperature:.3f}, fitted on {self.images:,} validation images"
        parts = [fitted] if self.images else []
        if self.prior_correction:
            parts.append(f"{self.prior_correction:g} of the classes' log-frequencies subtracted")
        if self.mirrored:
            parts.append("mean over both orientations")
        return "calibration: " + "; ".join(parts)


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The divisor of logits (N,K) that minimises the log-loss on labels (N,), within 0.05 to 20.

    Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean()

    found = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def prior_offsets(labels: np.ndarray, num_classes: int, strength: float) -> np.ndarray:
    """(K,): what is added to the logits, -strength·log of each class's share of the training
    labels (N,).

    Menon et al. 2021, "Long-tail learning via logit adjustment"; a class without an image counts
    as one.
    """
    counts = np.maximum(np.bincount(labels, minlength=num_classes), 1)
    return -strength * np.log(counts / counts.sum())


def mean_logits(recognizer: Recognizer, images: tf.Tensor, mirrored: bool) -> tf.Tensor:
    """R's logits (B,K) of images (B,S,S,c); mirrored: the mean with those of the mirror images."""
    if not mirrored:
        return recognizer.classify(recognizer.features(images))
    both = tf.concat([images, images[:, :, ::-1]], 0)
    own, mirror = tf.split(recognizer.classify(recognizer.features(both)), 2)
    return (own + mirror) / 2


def calibrate(
    model: FESR, fold: Fold, fit: bool, prior_correction: float = 0.0, mirrored: bool = False
) -> Calibration:
    """Changes R's last layer; returns what was done.

    fit: fit the temperature on the fold's validation part. Raises `BadUse` where that is empty.
    """
    if fit and not len(fold.valid):
        raise BadUse(
            "--calibrate fits a temperature on the validation part, which these data do not have: "
            "preprocess with --valid-share or --valid-list"
        )
    layer = model.recognizer.logits
    if prior_correction:
        offsets = prior_offsets(fold.train.labels, len(fold.classes), prior_correction)
        layer.bias.assign_add(offsets.astype(np.float32))
    divisor = 1.0
    if fit:
        logits = predict_logits(model, fold.valid)
        if mirrored:
            other = dataclasses.replace(fold.valid, images=fold.valid.images[:, :, ::-1])
            logits = (logits + predict_logits(model, other)) / 2
        divisor = temperature(logits, fold.valid.labels)
        layer.kernel.assign(layer.kernel / divisor)
        layer.bias.assign(layer.bias / divisor)
    return Calibration(divisor, prior_correction, len(fold.valid) if fit else 0, mirrored)
