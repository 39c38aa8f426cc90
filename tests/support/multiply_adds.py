"""Multiply-adds of a training step, from the layers of Tables I and II and of the Light CNN."""

from __future__ import annotations

from fesr_tf.config import Config
from fesr_tf.networks.blocks import channels
from fesr_tf.networks.light_cnn import SPECS, layers_of


def forward(config: Config, num_classes: int) -> dict[str, int]:
    """Multiply-adds of one image's forward pass through each network; D_adv is D_img without
    its class head, `rest` what follows the trunk in F_id."""
    size, width = config.image_size, config.width
    found = dict.fromkeys(("G_enc", "G_dec", "D_adv"), 0)

    depth, inputs, side = size.bit_length() - 3, config.channels, size
    for index in range(depth):
        outputs, side = channels(64 * 2**index, width), side // 2
        found["G_enc"] += side**2 * 16 * inputs * outputs
        inputs = outputs
    found["G_enc"] += side**2 * inputs * config.code_size

    inputs, side = config.code_size + num_classes, 1
    for index in range(depth):
        outputs = channels(512 // 2**index, width)
        found["G_dec"] += side**2 * 16 * inputs * outputs
        inputs, side = outputs, 4 if side == 1 else side * 2
    found["G_dec"] += side**2 * 16 * inputs * config.channels

    inputs, side = config.channels, size
    for index in range(depth - 1):
        outputs, side = channels(64 * 2**index, width), side // 2
        found["D_adv"] += side**2 * 16 * inputs * outputs
        inputs = outputs
    hidden = channels(64 * 2 ** (depth - 1), width)
    found["D_img"] = found["D_adv"] + 16 * 16 * inputs * hidden + 16 * hidden * num_classes
    found["D_adv"] += 16 * 16 * inputs

    layers = list(layers_of(SPECS[config.identity]))
    found["trunk"] = sum(each.multiply_adds for each in layers if each.in_trunk)
    found["rest"] = sum(each.multiply_adds for each in layers if not each.in_trunk)

    inputs = next(each.inputs for each in layers if not each.in_trunk)
    side = next(each.map_size for each in layers if not each.in_trunk)
    first, second, flat, features = (channels(n, width) for n in (256, 512, 2048, 512))
    found["R"] = (side // 2) ** 2 * 9 * inputs * first + (side // 4) ** 2 * 9 * first * second
    found["R"] += (side // 4) ** 2 * second * flat + flat * features + features * num_classes
    return found


def step(config: Config, num_classes: int, stage: str, cached: bool) -> int:
    """Multiply-adds an image of one step of FESR_JL. The way back costs as much as the way
    there: once to the input, once to the weights, each where it is needed."""
    cost = forward(config, num_classes)
    adversarial = 3 + 4  # x_hat; the penalty: there, to the picture, and both of these again
    total = 3 * cost["G_enc"] + (3 + 2) * cost["D_img"] + adversarial * cost["D_adv"]
    if stage == "pretrain":
        total += 2 * 3 * cost["G_dec"] + 2 * (cost["trunk"] + cost["rest"])
        return total + (not cached) * (cost["trunk"] + cost["rest"])
    total += 3 * 3 * cost["G_dec"] + (3 * 3 + 2) * cost["R"]
    total += 2 * 2 * cost["trunk"] + 2 * cost["rest"]
    return total + (not cached) * (2 * cost["trunk"] + cost["rest"])
