"""Light CNN (Wu, He, Sun, Tan: "A Light CNN for Deep Face Representation with Noisy Labels").

One class builds every variant from a table: the published 29-layer networks, v4, and the small
ones of the demo and for photographs. FESR-TF never trains a published variant; gradients pass
through it to the image (equation 12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf
import tf_keras as keras

from fesr_tf.networks.max_feature_map import mfm, mfm_convolution

POOLS_IN_TRUNK = 3


@dataclass(frozen=True)
class Stage:
    """One row of a Light CNN table.

    `kind` is `mfm` (a `kernel` x `kernel` mfm convolution to `filters` channels), `group`
    (a 1x1 mfm, then a 3x3 mfm to `filters`), `blocks` (`count` residual blocks, channels
    unchanged) or `pool` (halves the map). `name` is the stage's name in the authors' checkpoints.
    """

    kind: str
    name: str
    filters: int = 0
    kernel: int = 3
    count: int = 0


@dataclass(frozen=True)
class LightCNNSpec:
    """A Light CNN as a table, with the input convention of its weights.

    `pool` is `max` (rounding up on odd sizes) or `max+average` (their sum, rounding down);
    `fc` is `mfm` or `linear`. The input is (B, size, size, 1|3) float32, with channels in `order`
    (`gray`, `bgr` or `rgb`); `value_range` has the values of black and white.
    """

    name: str
    stages: tuple[Stage, ...]
    pool: str
    fc: str
    embedding: int = 256
    size: int = 128
    order: str = "gray"
    value_range: tuple[float, float] = (0.0, 1.0)

    @property
    def channels(self) -> int:
        return 1 if self.order == "gray" else 3


@dataclass(frozen=True)
class Linear:
    """One convolution or fully connected layer of a spec, as `layers_of` lists them.

    `map_size` is the side of its output map; the convolutions of an mfm have twice as many
    filters as the mfm has channels. `in_trunk` is true for the layers of conv1-pool3.
    """

    name: str
    inputs: int
    filters: int
    kernel: int
    map_size: int
    in_trunk: bool

    @property
    def parameters(self) -> int:
        return (self.kernel**2 * self.inputs + 1) * self.filters

    @property
    def multiply_adds(self) -> int:
        return self.map_size**2 * self.kernel**2 * self.inputs * self.filters


def _blocks(name: str, count: int) -> Stage:
    return Stage("blocks", name, count=count)


_POOL = Stage("pool", "pool")

_LAYERS_29 = (
    Stage("mfm", "conv1", 48, kernel=5), _POOL,
    _blocks("block1", 1), Stage("group", "group1", 96), _POOL,
    _blocks("block2", 2), Stage("group", "group2", 192), _POOL,
    _blocks("block3", 3), Stage("group", "group3", 128),
    _blocks("block4", 4), Stage("group", "group4", 128), _POOL,
)  # fmt: skip

_LAYERS_V4 = (
    Stage("mfm", "conv1", 48), _POOL,
    _blocks("block1", 1), Stage("mfm", "conv2", 96), _POOL,
    _blocks("block2", 2), Stage("mfm", "conv3", 192), _POOL,
    _blocks("block3", 3), Stage("mfm", "conv4", 128),
    _blocks("block4", 4), Stage("mfm", "conv5", 128), _POOL,
)  # fmt: skip

# Without block1 and with a 3x3 conv1: at 64x64 these two were half of a backward pass.
_LAYERS_DEMO = (
    Stage("mfm", "conv1", 8), _POOL,
    Stage("group", "group1", 24), _POOL,
    _blocks("block2", 1), Stage("group", "group2", 48), _POOL,
    _blocks("block3", 1), Stage("group", "group3", 48), _POOL,
)  # fmt: skip

# The demo's table with its channels nearly doubled: 80 instead of 96 before pool3, and one group
# after it, keep an image at 61 million multiply-adds.
_LAYERS_PHOTO = (
    Stage("mfm", "conv1", 16), _POOL,
    Stage("group", "group1", 48), _POOL,
    _blocks("block2", 1), Stage("group", "group2", 80), _POOL,
    Stage("group", "group3", 48), _POOL,
)  # fmt: skip

SPECS = {
    spec.name: spec
    for spec in (
        LightCNNSpec("light_cnn_29", _LAYERS_29, pool="max", fc="mfm"),
        LightCNNSpec("light_cnn_29v2", _LAYERS_29, pool="max+average", fc="linear"),
        LightCNNSpec("light_cnn_v4", _LAYERS_V4, pool="max+average", fc="linear", order="bgr"),
        LightCNNSpec("light_cnn_demo", _LAYERS_DEMO, pool="max", fc="mfm", embedding=128, size=64),
        LightCNNSpec("light_cnn_photo", _LAYERS_PHOTO, pool="max", fc="linear", size=64),
    )
}


def layers_of(spec: LightCNNSpec) -> Iterator[Linear]:
    """Lists a spec's layers that have weights, input first, under the checkpoints' names."""
    channels, side, pools = spec.channels, spec.size, 0
    for stage in spec.stages:
        if stage.kind == "pool":
            side = -(-side // 2) if spec.pool == "max" else side // 2
            pools += 1
            continue
        name = stage.name
        if stage.kind == "mfm":
            convolutions = [(name, stage.filters, stage.kernel)]
        elif stage.kind == "group":
            convolutions = [(f"{name}.conv_a", channels, 1), (f"{name}.conv", stage.filters, 3)]
        else:
            convolutions = [
                (f"{name}.{index}.{conv}", channels, 3)
                for index in range(stage.count)
                for conv in ("conv1", "conv2")
            ]
        for name, filters, kernel in convolutions:
            yield Linear(name, channels, 2 * filters, kernel, side, pools < POOLS_IN_TRUNK)
            channels = filters
    outputs = 2 * spec.embedding if spec.fc == "mfm" else spec.embedding
    yield Linear("fc", side * side * channels, outputs, 1, 1, False)


def _initializer(seed: int | None) -> keras.initializers.Initializer:
    """Variance 1 / fan_in: the maximum of two such values keeps the mean square at 1.

    He's factor of 2 is for layers that discard half of their output; here it would double the
    energy at every layer. A new instance per layer: one instance repeats its values.
    """
    return keras.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal", seed=seed)


class LightCNN(keras.Model):
    """A Light CNN, channels last; every convolution has a bias and there is no batch norm.

    `call` takes (B, size, size, 1|3) float32 in the spec's own range and channel order (gray
    equals three equal channels), and returns the embedding (B, spec.embedding) float32, not
    normalised. `layers_by_name` maps the checkpoints' names (`conv1`, `block1.0.conv1`,
    `group1.conv_a`, `fc`, ...) to layers. It computes in the type of its input, as bfloat16, from
    the same weights. The checkpoints flatten channels first, this class rows, columns, channels,
    so the inputs of a ported `fc` have to be permuted.

    `seed`: of the initial weights (variance 1 / fan_in).
    """

    def __init__(self, spec: LightCNNSpec, seed: int | None = None) -> None:
        super().__init__(name=spec.name)
        self.spec = spec
        self.layers_by_name = {}
        for index, linear in enumerate(layers_of(spec)):
            start = _initializer(None if seed is None else seed * 1000 + index)
            options = {"kernel_initializer": start, "name": linear.name}
            self.layers_by_name[linear.name] = (
                keras.layers.Dense(linear.filters, **options)
                if linear.name == "fc"
                else keras.layers.Conv2D(linear.filters, linear.kernel, padding="same", **options)
            )
        self(tf.zeros((1, spec.size, spec.size, spec.channels)))

    def call(self, image01: tf.Tensor) -> tf.Tensor:
        """The embedding (B, spec.embedding) of faces (B, size, size, 1|3)."""
        return self.embed_trunk(self.trunk(image01))

    def trunk(self, image01: tf.Tensor) -> tf.Tensor:
        """The map of conv1-pool3: (B, size/8, size/8, C); for 29 and v4 (B, 16, 16, 192)."""
        return self._run(image01, self.spec.stages[: self._trunk_length])

    def embed_trunk(self, feature_map: tf.Tensor) -> tf.Tensor:
        """The embedding (B, spec.embedding) of the map that `trunk` returns."""
        x = self._run(feature_map, self.spec.stages[self._trunk_length :])
        x = tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))
        kernel, bias = self._weights("fc", x)
        x = tf.nn.bias_add(tf.matmul(x, kernel), bias)
        return mfm(x) if self.spec.fc == "mfm" else x

    @property
    def trunk_variables(self) -> list[tf.Variable]:
        """Kernels and biases of conv1-pool3."""
        layers = [self.layers_by_name[each.name] for each in layers_of(self.spec) if each.in_trunk]
        return [variable for layer in layers for variable in (layer.kernel, layer.bias)]

    @property
    def _trunk_length(self) -> int:
        pools = [i for i, stage in enumerate(self.spec.stages) if stage.kind == "pool"]
        return pools[POOLS_IN_TRUNK - 1] + 1

    def _weights(self, name: str, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A layer's kernel and bias in x's type; a call of the Keras layer would cast x instead."""
        layer = self.layers_by_name[name]
        if not layer.built:
            with tf.name_scope(name):
                layer.build(x.shape)
        kernel = layer.kernel
        if x.shape[-1] == 1 < kernel.shape[-2]:
            # Gray: equals three equal channels.
            kernel = tf.reduce_sum(kernel, axis=-2, keepdims=True)
        return tf.cast(kernel, x.dtype), tf.cast(layer.bias, x.dtype)

    def _mfm(self, name: str, x: tf.Tensor) -> tf.Tensor:
        return mfm_convolution(x, *self._weights(name, x))

    def _run(self, x: tf.Tensor, stages: tuple[Stage, ...]) -> tf.Tensor:
        for stage in stages:
            if stage.kind == "pool":
                x = self._pool(x)
            elif stage.kind == "mfm":
                x = self._mfm(stage.name, x)
            elif stage.kind == "group":
                x = self._mfm(f"{stage.name}.conv", self._mfm(f"{stage.name}.conv_a", x))
            else:
                for index in range(stage.count):
                    inner = self._mfm(f"{stage.name}.{index}.conv1", x)
                    x = x + self._mfm(f"{stage.name}.{index}.conv2", inner)
        return x

    def _pool(self, x: tf.Tensor) -> tf.Tensor:
        if self.spec.pool == "max":
            return tf.nn.max_pool2d(x, 2, 2, "SAME")
        return tf.nn.max_pool2d(x, 2, 2, "VALID") + tf.nn.avg_pool2d(x, 2, 2, "VALID")
