"""The port as it is compared: with the real model's weights, and with Keras' Adam."""

from __future__ import annotations

import math

import numpy as np
import tf_keras as keras
import torch

from fesr_tf.model import fesr
from tests.support.torch_port.sharing import port_of
from tests.support.torch_port.training import JointTraining

NUM_CLASSES = 7
OPTIMIZERS = (
    "generator_optimizer",
    "image_critic_optimizer",
    "code_critic_optimizer",
    "recognizer_optimizer",
)


def keras_adam(port: JointTraining) -> None:
    """Lets PyTorch's Adam step as Keras' does, whose departures would drown the rest.

    Keras adds the epsilon to the root of the second moment before the bias correction, PyTorch
    after: one is the other with an epsilon of 1e-8 / sqrt(1 - beta2^t), at first 32 times as
    large, which a gradient of 1e-5 feels in the second digit. And in float32 the power of the
    rounded beta2 is taken, so that 1 - beta2^t errs by 1e-5 at first.
    """
    number = np.dtype(keras.backend.floatx()).type

    def before_step(optimizer: torch.optim.Adam, *_) -> None:
        group = optimizer.param_groups[0]
        state = optimizer.state.get(group["params"][0])
        step = int(state["step"]) + 1 if state else 1
        beta2 = group["betas"][1]
        correction = math.sqrt(1 - beta2**step)
        rounded = math.sqrt(1 - np.power(number(beta2), number(step)))
        group["eps"] = 1e-8 / correction
        group["lr"] = port.config.learning_rate * rounded / correction

    for name in OPTIMIZERS:
        getattr(port, name).register_step_pre_hook(before_step)


class Run:
    """The port with `model`'s weights, or weights by chance 1e-6 beside them."""

    def __init__(self, model: fesr.FESR, stage: int, own_adam: bool, moved_by: int | None = None):
        self.port, self.pairs = port_of(model, model.config, NUM_CLASSES)
        if not own_adam:
            keras_adam(self.port)
        if moved_by is not None:
            random = torch.Generator().manual_seed(moved_by)
            with torch.no_grad():
                for pair in self.pairs:
                    chance = torch.randn(pair.parameter.shape, generator=random)
                    pair.parameter.mul_(1 + 1e-6 * chance)
        self.step = self.port.stage1_step if stage == 1 else self.port.stage2_step
        self.start = [pair.parameter.detach().numpy().copy() for pair in self.pairs]

    def gradients(self) -> list[np.ndarray | None]:
        """Of the last step, pair by pair; None where the step did not reach a parameter."""
        grads = [pair.parameter.grad for pair in self.pairs]
        return [None if each is None else each.numpy() for each in grads]

    def ways(self) -> list[np.ndarray]:
        """How far each parameter went."""
        ends = [pair.parameter.detach().numpy() for pair in self.pairs]
        return [end - start for end, start in zip(ends, self.start, strict=True)]
