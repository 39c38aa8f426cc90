"""The pieces of the losses that PyTorch does not have by name; batch means."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def expression_code(label: Tensor, intensity: Tensor) -> Tensor:
    """u(y) = v * (2y - 1), eq. 2: the class's own entry positive, the others negative."""
    return intensity * (2 * F.one_hot(label, intensity.shape[1]) - 1)


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, alpha: Tensor
) -> Tensor:
    """WGAN-GP on the line between real and fake images, alpha (B, 1, 1, 1)."""
    between = torch.lerp(real, fake, alpha).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def code_adversarial(logits: Tensor, prior: bool) -> Tensor:
    """Cross-entropy of D_z's logits (eq. 6, 7) where all should say `prior`, or none."""
    target = torch.ones_like(logits) if prior else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, target)


def l1(first: Tensor, second: Tensor, reduction: str) -> Tensor:
    """The L1 norm of eq. 10 and 12, a `mean` over entries or a `sum` over an example's."""
    if reduction == "mean":
        return F.l1_loss(first, second)
    return F.l1_loss(first, second, reduction="sum") / len(first)


def distance(first: Tensor, second: Tensor, squared: bool) -> Tensor:
    """The Euclidean distance of eq. 15 and 16 between features (B, F), or its square."""
    if squared:
        return (first - second).square().sum(dim=1).mean()
    return torch.linalg.vector_norm(first - second, dim=1).mean()
