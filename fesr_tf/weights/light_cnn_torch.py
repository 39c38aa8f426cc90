"""The Light CNNs in PyTorch, their parameters named as in the authors' checkpoints.

    network = light_cnn("light_cnn_29v2")
    network.load_state_dict(state, strict=False)  # without the prefix `module.`; `fc2` is unused

Wu, He, Sun, Tan: "A Light CNN for Deep Face Representation with Noisy Labels". Input: faces
(B, 1|3, 128, 128) in [0, 1], gray for the 29-layer networks, BGR for v4.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MFM(nn.Module):
    """A convolution to twice the channels, then the larger of the two halves."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3):
        super().__init__()
        self.filter = nn.Conv2d(inputs, 2 * outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(*self.filter(x).chunk(2, dim=1))


class LinearMFM(nn.Module):
    """The same with a fully connected layer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.filter = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(*self.filter(x).chunk(2, dim=1))


class ResBlock(nn.Module):
    """Two 3x3 mfm convolutions beside the identity."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = MFM(channels, channels)
        self.conv2 = MFM(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x))


class Group(nn.Module):
    """A 1x1 mfm convolution, then a 3x3 one to `outputs` channels."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv_a = MFM(inputs, inputs, 1)
        self.conv = MFM(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv_a(x))


def blocks(channels: int, count: int) -> nn.Sequential:
    """`count` residual blocks."""
    return nn.Sequential(*(ResBlock(channels) for _ in range(count)))


class MaxPool(nn.Module):
    """2x2 maximum; an odd side is rounded up."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 2, ceil_mode=True)


class MaxAveragePool(nn.Module):
    """2x2 maximum plus 2x2 average."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 2) + F.avg_pool2d(x, 2)


class LightCNN(nn.Module):
    """Faces (B, channels, size, size) in [0, 1] -> embeddings (B, embedding), not normalised.

    `layers` are run in order under their names; `trunk` ends after the third pool. The pools
    have no parameters and so no place in the checkpoint.
    """

    def __init__(
        self, layers: dict[str, nn.Module], fc: nn.Module, size: int = 128, channels: int = 1
    ):
        super().__init__()
        self.order = list(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.fc = fc
        self.size, self.channels = size, channels
        self.trunk_layers = self.order.index("pool3") + 1

    def trunk(self, x: Tensor) -> Tensor:
        """conv1 to pool3: (B, 192, 16, 16) for the published networks."""
        for name in self.order[: self.trunk_layers]:
            x = self.get_submodule(name)(x)
        return x

    def embed_trunk(self, x: Tensor) -> Tensor:
        """What follows the trunk."""
        for name in self.order[self.trunk_layers :]:
            x = self.get_submodule(name)(x)
        return self.fc(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.embed_trunk(self.trunk(x))


def _layers_29(pool: type[nn.Module]) -> dict[str, nn.Module]:
    return {
        "conv1": MFM(1, 48, 5), "pool1": pool(),
        "block1": blocks(48, 1), "group1": Group(48, 96), "pool2": pool(),
        "block2": blocks(96, 2), "group2": Group(96, 192), "pool3": pool(),
        "block3": blocks(192, 3), "group3": Group(192, 128),
        "block4": blocks(128, 4), "group4": Group(128, 128), "pool4": pool(),
    }  # fmt: skip


def _layers_v4() -> dict[str, nn.Module]:
    pool = MaxAveragePool
    return {
        "conv1": MFM(3, 48), "pool1": pool(),
        "block1": blocks(48, 1), "conv2": MFM(48, 96), "pool2": pool(),
        "block2": blocks(96, 2), "conv3": MFM(96, 192), "pool3": pool(),
        "block3": blocks(192, 3), "conv4": MFM(192, 128),
        "block4": blocks(128, 4), "conv5": MFM(128, 128), "pool4": pool(),
    }  # fmt: skip


def _layers_demo() -> dict[str, nn.Module]:
    return {
        "conv1": MFM(1, 8), "pool1": MaxPool(),
        "group1": Group(8, 24), "pool2": MaxPool(),
        "block2": blocks(24, 1), "group2": Group(24, 48), "pool3": MaxPool(),
        "block3": blocks(48, 1), "group3": Group(48, 48), "pool4": MaxPool(),
    }  # fmt: skip


def light_cnn(name: str) -> LightCNN:
    """The network of a name that `identity` may have; ValueError for another."""
    if name == "light_cnn_29":
        return LightCNN(_layers_29(MaxPool), LinearMFM(8 * 8 * 128, 256))
    if name == "light_cnn_29v2":
        return LightCNN(_layers_29(MaxAveragePool), nn.Linear(8 * 8 * 128, 256))
    if name == "light_cnn_v4":
        return LightCNN(_layers_v4(), nn.Linear(8 * 8 * 128, 256), channels=3)
    if name == "light_cnn_demo":
        return LightCNN(_layers_demo(), LinearMFM(4 * 4 * 48, 128), size=64)
    raise ValueError(f"no Light CNN {name!r}")
