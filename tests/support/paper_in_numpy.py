"""Tables I and II in numpy, float64: what the networks and the train steps are compared with.

Written from the tables; nothing here calls TensorFlow or the code under test. The weights of a
network are one flat list, kernel and bias of each layer in the order of its table.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
Weights = list[np.ndarray]
SLOPE, EPSILON = 0.01, 1e-5


def conv(x: Array, kernel: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    """x (B, H, W, C), kernel (k, k, C, O): cross-correlation, zeros outside."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.tensordot(windows[:, ::stride, ::stride], kernel, ((4, 5, 3), (0, 1, 2))) + bias


def deconv(x: Array, kernel: Array, bias: Array, padding: int = 0) -> Array:
    """DeConv(O, k, 2): x (B, h, w, C), kernel (k, k, O, C); `padding` rows fall off each side."""
    batch, height, width, _ = x.shape
    size = kernel.shape[0]
    drawn = np.zeros((batch, 2 * height - 2 + size, 2 * width - 2 + size, kernel.shape[2]))
    for i in range(size):
        for j in range(size):
            drawn[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += x @ kernel[i, j].T
    inside = slice(padding, -padding or None)
    return drawn[:, inside, inside] + bias


def instance_norm(x: Array) -> Array:
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + EPSILON)


def leaky_relu(x: Array) -> Array:
    return np.where(x > 0, x, SLOPE * x)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def layers(weights: Weights) -> list[tuple[Array, Array]]:
    return list(zip(weights[::2], weights[1::2], strict=True))


def encoder(image: Array, weights: Weights) -> Array:
    """G_enc: Conv(n, 4, 2), IN, LReLU each; FC(64), tanh."""
    *convolutions, (kernel, bias) = layers(weights)
    for each in convolutions:
        image = leaky_relu(instance_norm(conv(image, *each, 2, 1)))
    return np.tanh(flat(image) @ kernel + bias)


def decoder(code: Array, expression: Array, weights: Weights) -> Array:
    """G_dec of [code, expression]: DeConv(n, 4, 2), IN, ReLU each; the last one tanh."""
    first, *middle, last = layers(weights)
    x = np.concatenate([code, expression], 1)[:, None, None]
    x = relu(instance_norm(deconv(x, *first)))
    for each in middle:
        x = relu(instance_norm(deconv(x, *each, 1)))
    return np.tanh(deconv(x, *last, 1))


def image_critic(image: Array, weights: Weights) -> tuple[Array, Array]:
    """D_img: D^adv (B, 4, 4, 1) and the logits of D^cls (B, K)."""
    *trunk, adversarial, hidden, logits = layers(weights)
    for each in trunk:
        image = leaky_relu(conv(image, *each, 2, 1))
    classes = conv(leaky_relu(conv(image, *hidden, 2, 1)), *logits)
    return conv(image, *adversarial, 2, 1), classes[:, 0, 0]


def critic_gradient(image: Array, weights: Weights) -> Array:
    """d (the sum of D^adv over its patches) / d image, by the chain rule written out."""
    *trunk, (last, bias), _, _ = layers(weights)
    slopes = []
    for each in trunk:
        before = conv(image, *each, 2, 1)
        slopes.append(np.where(before > 0, 1.0, SLOPE))
        image = leaky_relu(before)
    gradient = deconv(np.ones_like(conv(image, last, bias, 2, 1)), last, 0.0, 1)
    for (kernel, _), slope in zip(trunk[::-1], slopes[::-1], strict=True):
        gradient = deconv(gradient * slope, kernel, 0.0, 1)
    return gradient


def code_critic(code: Array, weights: Weights) -> Array:
    """D_z: FC 64, 32, 16 with LReLU, FC(1); the logit, before Table I's sigmoid."""
    *hidden, (kernel, bias) = layers(weights)
    for each, offset in hidden:
        code = leaky_relu(code @ each + offset)
    return code @ kernel + bias


def recognizer_features(trunk: Array, weights: Weights) -> Array:
    """R_ext above the frozen trunk, before dropout: Conv(n, 3, 2), ReLU twice, FC, ReLU twice."""
    first, second, *dense, _ = layers(weights)
    x = relu(conv(relu(conv(trunk, *first, 2, 1)), *second, 2, 1))
    x = flat(x)
    for kernel, bias in dense:
        x = relu(x @ kernel + bias)
    return x


def recognizer_logits(features: Array, weights: Weights) -> Array:
    """R_cls: FC(K)."""
    return features @ weights[-2] + weights[-1]


def mfm(x: Array) -> Array:
    half = x.shape[-1] // 2
    return np.maximum(x[..., :half], x[..., half:])


def pool(x: Array) -> Array:
    batch, height, width, count = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, count).max((2, 4))


class DemoFaceNetwork:
    """The demo's Light CNN on gray 64x64 pictures in [-1, 1]; weights by checkpoint name."""

    def __init__(self, weights: dict[str, tuple[Array, Array]]):
        self.weights = weights

    def trunk(self, image: Array) -> Array:
        x = pool(self._mfm((image + 1) / 2, "conv1"))
        x = pool(self._group(x, "group1"))
        return pool(self._group(self._block(x, "block2.0"), "group2"))

    def embed(self, image: Array) -> Array:
        x = pool(self._group(self._block(self.trunk(image), "block3.0"), "group3"))
        kernel, bias = self.weights["fc"]
        return mfm(flat(x) @ kernel + bias)

    def _mfm(self, x: Array, name: str) -> Array:
        kernel, bias = self.weights[name]
        return mfm(conv(x, kernel, bias, 1, kernel.shape[0] // 2))

    def _group(self, x: Array, name: str) -> Array:
        return self._mfm(self._mfm(x, f"{name}.conv_a"), f"{name}.conv")

    def _block(self, x: Array, name: str) -> Array:
        return x + self._mfm(self._mfm(x, f"{name}.conv1"), f"{name}.conv2")


def one_hot(label: Array, classes: int) -> Array:
    return np.eye(classes)[np.asarray(label)]


def cross_entropy(label: Array, logits: Array) -> float:
    """-mean log softmax(logits)[label]."""
    top = logits.max(1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
    return float(np.mean(log_sum - logits[np.arange(len(logits)), np.asarray(label)]))
