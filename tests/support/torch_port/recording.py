"""The gradients that the real training step hands to its optimizers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from fesr_tf.model import fesr


class Recorder:
    """Stands in an optimizer's place in the real model, and keeps the gradients it is given."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]):
        self.optimizer = optimizer
        self.kept = {each.ref(): tf.Variable(tf.zeros_like(each)) for each in variables}
        self.reached = set()

    def apply_gradients(self, pairs: Iterable[tuple[tf.Tensor, tf.Variable]]) -> None:
        """Keeps, then hands on. Works inside a `tf.function`, where the step is traced once."""
        pairs = list(pairs)
        for gradient, variable in pairs:
            self.reached.add(variable.ref())
            self.kept[variable.ref()].assign(gradient)
        self.optimizer.apply_gradients(pairs)

    def gradient(self, variable: tf.Variable) -> np.ndarray | None:
        """What `variable` got in the last step; None where nothing."""
        ref = variable.ref()
        return self.kept[ref].numpy() if ref in self.reached else None


def record(model: fesr.FESR) -> dict[str, Recorder]:
    """Puts a recorder before each of the model's optimizers; by network."""
    gan = model.fesgan
    for owner, name, variables in (
        (gan, "generator_optimizer", gan.generator_variables),
        (gan, "image_critic_optimizer", gan.image_critic.trainable_variables),
        (gan, "code_critic_optimizer", gan.code_critic.trainable_variables),
        (model, "recognizer_optimizer", model.recognizer.trained_variables),
    ):
        setattr(owner, name, Recorder(getattr(owner, name), variables))
    return {
        "G_enc": gan.generator_optimizer,
        "G_dec": gan.generator_optimizer,
        "D_img": gan.image_critic_optimizer,
        "D_z": gan.code_critic_optimizer,
        "R": model.recognizer_optimizer,
    }
