"""What both implementations have in common: the weights, the pictures and the draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from fesr_tf.config import Config
from fesr_tf.model.fesr import FESR
from fesr_tf.networks import face_networks
from fesr_tf.weights.light_cnn_torch import light_cnn
from tests.support.torch_port.draws import Batch, Draws
from tests.support.torch_port.networks import FaceNetwork
from tests.support.torch_port.training import JointTraining


class Pair(NamedTuple):
    """One parameter in both. Where `channels` is not 0, a fully connected layer reads a
    flattened map of so many channels. `vanishes`: its gradient is 0 in exact arithmetic."""

    network: str  # the paper's name
    name: str  # the port's
    variable: tf.Variable
    parameter: nn.Parameter
    channels: int
    vanishes: bool

    def as_torch(self, values: np.ndarray) -> np.ndarray:
        """What TensorFlow holds for `variable` (weights, gradients) in PyTorch's layout."""
        if values.ndim == 4:  # both kinds of convolution: rows, columns, two channels
            return values.transpose(3, 2, 0, 1)
        if values.ndim == 2 and self.channels:
            pixels = values.reshape(-1, self.channels, values.shape[1])
            return pixels.transpose(2, 1, 0).reshape(values.shape[1], -1)
        return values.T


class Layer(NamedTuple):
    """A layer in both, before it is known which weights it has."""

    network: str
    ours: keras.layers.Layer
    theirs: nn.Module
    channels: int = 0
    # IN takes a bias before it away; D_adv's own drops out of D(x_hat) - D(x).
    bias_vanishes: bool = False


def _layers(model: FESR, port: JointTraining) -> Iterator[Layer]:
    """The layers that learn, in the order of Tables I and II."""
    gan = model.fesgan

    def with_weights(module: nn.Module, kind: type[nn.Module] | tuple) -> list[nn.Module]:
        return [each for each in module.modules() if isinstance(each, kind)]

    def zipped(ours: list, theirs: list[nn.Module], network: str, **more) -> Iterator[Layer]:
        for layer, module in zip(ours, theirs, strict=True):
            yield Layer(network, layer, module, **more)

    encoder, norms = port.encoder.features, (nn.InstanceNorm2d,)
    convolutions = with_weights(encoder, nn.Conv2d)
    yield from zipped(gan.encoder.convolutions, convolutions, "G_enc", bias_vanishes=True)
    yield from zipped(gan.encoder.norms, with_weights(encoder, norms), "G_enc")
    last = convolutions[-1].out_channels
    yield Layer("G_enc", gan.encoder.code, port.encoder.code, channels=last)

    *deconvolutions, to_image = with_weights(port.decoder, nn.ConvTranspose2d)
    yield from zipped(gan.decoder.deconvolutions, deconvolutions, "G_dec", bias_vanishes=True)
    yield from zipped(gan.decoder.norms, with_weights(port.decoder, norms), "G_dec")
    yield Layer("G_dec", gan.decoder.to_image, to_image)

    ours, theirs = gan.image_critic, port.image_critic
    yield from zipped(ours.trunk, with_weights(theirs.features, nn.Conv2d), "D_img")
    yield Layer("D_img", ours.adversarial, theirs.adversarial, bias_vanishes=True)
    classifier = with_weights(theirs.classifier, nn.Conv2d)
    yield from zipped([ours.class_hidden, ours.class_logits], classifier, "D_img")

    dense = with_weights(port.code_critic, nn.Linear)
    yield from zipped([*gan.code_critic.hidden, gan.code_critic.logit], dense, "D_z")

    ours, theirs = model.recognizer, port.recognizer
    convolutions = with_weights(theirs.extract, nn.Conv2d)
    first, second = with_weights(theirs.extract, nn.Linear)
    yield from zipped(ours.convolutions, convolutions, "R")
    yield Layer("R", ours.dense[0], first, channels=convolutions[-1].out_channels)
    yield Layer("R", ours.dense[1], second)
    yield Layer("R", ours.logits, theirs.classify)


def _frozen(ours: face_networks.FaceNetwork, theirs: FaceNetwork) -> Iterator[Layer]:
    """The layers of the face network."""
    modules, channels = dict(theirs.network.named_modules()), 0
    for name, layer in ours.network.layers_by_name.items():
        module = modules.get(f"{name}.filter", modules[name])
        # fc reads a map with as many channels as the convolution before it gives.
        yield Layer("F_id", layer, module, channels=channels if name == "fc" else 0)
        channels = module.weight.shape[0] // 2


def _pairs(layers: Iterator[Layer], port: nn.Module) -> list[Pair]:
    names = {id(parameter): name for name, parameter in port.named_parameters()}
    return [
        Pair(
            layer.network,
            names[id(parameter)].partition(".")[2],
            variable,
            parameter,
            layer.channels,
            layer.bias_vanishes and variable.shape.rank == 1,
        )
        for layer in layers
        for variable, parameter in zip(layer.ours.weights, layer.theirs.parameters(), strict=True)
    ]


def _copy(pairs: list[Pair]) -> None:
    with torch.no_grad():
        for pair in pairs:
            values = np.ascontiguousarray(pair.as_torch(pair.variable.numpy()))
            pair.parameter.copy_(torch.from_numpy(values))


def port_face_network(ours: face_networks.FaceNetwork) -> FaceNetwork:
    """The same face network in PyTorch, with its weights."""
    theirs = FaceNetwork(light_cnn(ours.network.spec.name))
    theirs.to(getattr(torch, keras.backend.floatx()))
    pairs = _pairs(_frozen(ours, theirs), theirs)
    if len(pairs) != len(list(theirs.parameters())):
        raise AssertionError("the face networks have different layers")
    _copy(pairs)
    return theirs


def port_of(model: FESR, config: Config, num_classes: int) -> tuple[JointTraining, list[Pair]]:
    """The PyTorch port with `model`'s weights, and all that learns, pair by pair."""
    floatx = keras.backend.floatx()
    shape = (1, config.image_size, config.image_size, config.channels)
    _, side, _, channels = model.face_network.trunk(tf.zeros(shape, floatx)).shape
    face_network = port_face_network(model.face_network)
    port = JointTraining(config, num_classes, face_network, (channels, side))
    port.to(getattr(torch, floatx))
    pairs = _pairs(_layers(model, port), port)
    learning = {id(each) for each in port.parameters() if each.requires_grad}
    if {id(pair.parameter) for pair in pairs} != learning:
        raise AssertionError("the port has parameters that the pairs do not name")
    _copy(pairs)
    port.build_optimizers()
    return port, pairs


def fill_biases(model: FESR, seed: int) -> None:
    """Gives every bias that is 0 values of U(-1/sqrt(fan_in), 1/sqrt(fan_in)): a bias of 0
    would hide that it is used wrongly."""
    random = np.random.default_rng(seed)
    layers = [each for each in model.submodules if getattr(each, "bias", None) is not None]
    for layer in layers:
        if not np.any(layer.bias.numpy()):
            fan_in = np.prod(layer.kernel.shape) / layer.bias.shape[0]
            layer.bias.assign(random.uniform(-1, 1, layer.bias.shape) / np.sqrt(fan_in))


def random_batch(config: Config, num_classes: int, seed: int) -> tuple[np.ndarray, ...]:
    """Smooth random pictures in (-1, 1), channels last, others for x^{p,r}, and labels."""
    random, size = np.random.default_rng(seed), config.image_size
    shape = (2, config.batch_size, size, size, config.channels)
    blurred = gaussian_filter(random.standard_normal(shape), (0, 0, size / 32, size / 32, 0))
    noise = 0.1 * random.standard_normal(shape)
    image, positive = np.tanh(blurred / blurred.std() + noise)
    label = random.integers(0, num_classes, config.batch_size, np.int32)
    dtype = keras.backend.floatx()
    return image.astype(dtype), positive.astype(dtype), label


def torch_batch(batch: tuple[np.ndarray, ...]) -> Batch:
    """The same batch for the port."""
    image, positive, label = batch
    first, second = (
        torch.from_numpy(np.ascontiguousarray(each.transpose(0, 3, 1, 2)))
        for each in (image, positive)
    )
    return Batch(first, second, torch.from_numpy(label.astype(np.int64)))


def torch_draws(model: FESR, label: np.ndarray) -> Draws:
    """What the model will draw in its next step. Its seeds of alpha and of dropout become the
    values that it makes of them."""
    config, dtype = model.config, keras.backend.floatx()
    draws = model.fesgan.draw(tf.constant(label))
    alpha = [
        tf.random.stateless_uniform((len(label), 1, 1, 1), draws.penalty_seed + repeat, dtype=dtype)
        for repeat in range(config.critic_steps)
    ]
    ones = tf.ones((len(label), model.recognizer.dense[-1].units), dtype)
    keep = [model.recognizer.drop(ones, seed) != 0 for seed in draws.dropout_seeds]

    def handed(values) -> torch.Tensor:
        return torch.from_numpy(np.array(values))

    return Draws(
        prior_code=handed(draws.prior_code),
        target_label=handed(draws.target_label).long(),
        own_intensity=handed(draws.own_intensity),
        target_intensity=handed(draws.target_intensity),
        synthetic_intensity=handed(draws.synthetic_intensity),
        synthetic_label=handed(draws.synthetic_label).long(),
        alpha=handed(tf.stack(alpha)),
        keep=handed(tf.stack(keep)),
    )
