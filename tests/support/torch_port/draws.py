"""What one iteration is given: a batch, and everything random."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fesr_tf.config import Config


class Batch(NamedTuple):
    """x and x^{p,r}, (B, c, S, S) in [-1, 1], and their class y, (B,) int64."""

    image: Tensor
    positive: Tensor
    label: Tensor


class Draws(NamedTuple):
    """z, y', every v, alpha of the penalty and the masks of dropout."""

    prior_code: Tensor  # z, (B, n) in [-1, 1]
    target_label: Tensor  # y', (B,) int64, never y
    own_intensity: Tensor  # v of u(y) in x_rec, (B, K) in [0, 1]
    target_intensity: Tensor  # v of u(y') in x_hat
    synthetic_intensity: Tensor  # v of u(y) in x^{p,f}
    synthetic_label: Tensor  # (B,) int64, any class: FESR_Real only
    alpha: Tensor  # (critic steps, B, 1, 1, 1) in [0, 1]
    keep: Tensor  # (4, B, F) bool, dropout's survivors: x, x^{p,r}, x^{p,f} for R, x^{p,f} for G


def sample(
    label: Tensor, num_classes: int, features: int, config: Config, generator: torch.Generator
) -> Draws:
    """Fresh draws for a batch of labels, on their device, from PyTorch's own generator."""
    batch, device = label.shape[0], label.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    def classes(low: int) -> Tensor:
        return torch.randint(low, num_classes, (batch,), generator=generator, device=device)

    return Draws(
        prior_code=2 * uniform(batch, config.code_size) - 1,
        target_label=(label + classes(1)) % num_classes,
        own_intensity=uniform(batch, num_classes),
        target_intensity=uniform(batch, num_classes),
        synthetic_intensity=uniform(batch, num_classes),
        synthetic_label=classes(0),
        alpha=uniform(config.critic_steps, batch, 1, 1, 1),
        keep=uniform(4, batch, features) >= config.dropout,
    )
