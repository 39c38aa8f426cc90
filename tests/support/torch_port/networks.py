"""Tables I and II in PyTorch: G_enc, G_dec, D_img, D_z and R; and F_id behind the project's
pictures. Images are (B, c, S, S) in [-1, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fesr_tf.config import Config
from fesr_tf.weights.light_cnn_torch import LightCNN

BT601 = (0.299, 0.587, 0.114)


def scaled(number: int, config: Config) -> int:
    """A channel count of the paper times the width."""
    return max(1, round(number * config.width))


def norm(channels: int, config: Config) -> nn.InstanceNorm2d:
    """IN."""
    return nn.InstanceNorm2d(
        channels, eps=config.instance_norm_epsilon, affine=config.instance_norm_affine
    )


class Encoder(nn.Module):
    """G_enc, eq. 1: images -> codes (B, n) in [-1, 1]. Five convolutions at 128."""

    def __init__(self, config: Config):
        super().__init__()
        layers, inputs, side, outputs = [], config.channels, config.image_size, 64
        while side > 4:
            width = scaled(outputs, config)
            layers += [
                nn.Conv2d(inputs, width, 4, 2, 1),
                norm(width, config),
                nn.LeakyReLU(config.leaky_slope, inplace=True),
            ]
            inputs, side, outputs = width, side // 2, outputs * 2
        self.features = nn.Sequential(*layers)
        self.code = nn.Linear(inputs * side * side, config.code_size)

    def forward(self, image: Tensor) -> Tensor:
        return torch.tanh(self.code(self.features(image).flatten(1)))


class Decoder(nn.Module):
    """G_dec, eq. 3: codes (B, n) and expressions (B, K) -> images."""

    def __init__(self, config: Config, num_classes: int):
        super().__init__()
        layers, inputs, side, outputs = [], config.code_size + num_classes, 1, 512
        while 2 * side < config.image_size:
            width = scaled(outputs, config)
            # 1x1 to 4x4, then doubled.
            layers += [
                nn.ConvTranspose2d(inputs, width, 4, 2, 0 if side == 1 else 1),
                norm(width, config),
                nn.ReLU(inplace=True),
            ]
            inputs, side, outputs = width, 4 if side == 1 else 2 * side, outputs // 2
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(inputs, config.channels, 4, 2, 1))

    def forward(self, code: Tensor, expression: Tensor) -> Tensor:
        pixel = torch.cat([code, expression], dim=1)[:, :, None, None]
        return torch.tanh(self.layers(pixel))


class ImageCritic(nn.Module):
    """D_img: images -> realness (B, 1, 4, 4) and, on demand, class logits (B, K)."""

    def __init__(self, config: Config, num_classes: int):
        super().__init__()
        layers, inputs, side, outputs = [], config.channels, config.image_size, 64
        while side > 8:
            width = scaled(outputs, config)
            layers += [
                nn.Conv2d(inputs, width, 4, 2, 1),
                nn.LeakyReLU(config.leaky_slope, inplace=True),
            ]
            inputs, side, outputs = width, side // 2, outputs * 2
        self.features = nn.Sequential(*layers)
        self.adversarial = nn.Conv2d(inputs, 1, 4, 2, 1)
        hidden = scaled(outputs, config)
        self.classifier = nn.Sequential(
            nn.Conv2d(inputs, hidden, 4, 2, 1),
            nn.LeakyReLU(config.leaky_slope, inplace=True),
            nn.Conv2d(hidden, num_classes, 4),
            nn.Flatten(),
        )

    def realness(self, image: Tensor) -> Tensor:
        """D^adv alone."""
        return self.adversarial(self.features(image))


class CodeCritic(nn.Sequential):
    """D_z: codes (B, n) -> logits (B, 1) of 'drawn from the prior'."""

    def __init__(self, config: Config):
        layers, inputs = [], config.code_size
        for outputs in (64, 32, 16):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(config.leaky_slope, inplace=True)]
            inputs = outputs
        super().__init__(*layers, nn.Linear(inputs, 1))


class FaceNetwork(nn.Module):
    """F_id and R's trunk: a frozen Light CNN that takes the project's images."""

    def __init__(self, network: LightCNN):
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.register_buffer("luma", torch.tensor(BT601).view(1, 3, 1, 1), persistent=False)

    def preprocess(self, image: Tensor) -> Tensor:
        """[-1, 1] to [0, 1], to the network's channels and size."""
        x, size = (image + 1) / 2, self.network.size
        if self.network.channels == 1 and x.shape[1] == 3:
            x = (x * self.luma).sum(dim=1, keepdim=True)
        elif self.network.channels == 3:
            x = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x.flip(1)  # BGR
        if x.shape[-1] == size:
            return x
        if x.shape[-1] % size == 0:
            return F.avg_pool2d(x, x.shape[-1] // size)
        return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)

    def trunk(self, image: Tensor) -> Tensor:
        """conv1 to pool3 of images: (B, C, s/8, s/8), s the network's size."""
        return self.network.trunk(self.preprocess(image))

    def embed_trunk(self, trunk: Tensor) -> Tensor:
        """F_id from what `trunk` gave."""
        return self.network.embed_trunk(trunk)


class Recognizer(nn.Module):
    """R on the frozen trunk's maps: R_ext's own layers, then R_cls. Dropout is the step's."""

    def __init__(self, config: Config, num_classes: int, trunk: tuple[int, int]):
        super().__init__()
        inputs, side = trunk
        conv1, conv2, hidden, features = (scaled(n, config) for n in (256, 512, 2048, 512))
        self.extract = nn.Sequential(
            nn.Conv2d(inputs, conv1, 3, 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(conv1, conv2, 3, 2, 1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(conv2 * (side // 4) ** 2, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, features),
            nn.ReLU(inplace=True),
        )
        self.classify = nn.Linear(features, num_classes)
