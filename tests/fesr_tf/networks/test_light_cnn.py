"""Light CNN against the published sizes and an independent numpy implementation."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from fesr_tf.networks.face_networks import COMMITTED, FaceNetwork, load_face_network, pack_weights
from fesr_tf.networks.light_cnn import SPECS, LightCNN, LightCNNSpec, Stage, layers_of
from fesr_tf.networks.max_feature_map import mfm
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import sha256_of
from tests.support.naming import naming

# isort: split
import tensorflow as tf
import tf_keras as keras

TINY = LightCNNSpec(
    "tiny",
    (
        Stage("mfm", "conv1", filters=3, kernel=5),
        Stage("pool", "pool"),
        Stage("blocks", "block1", count=2),
        Stage("group", "group1", filters=4),
        Stage("pool", "pool"),
        Stage("mfm", "conv2", filters=5),
        Stage("pool", "pool"),
        Stage("group", "group2", filters=2),
    ),
    pool="max",
    fc="mfm",
    embedding=6,
    size=16,
)


def np_conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A convolution by its definition: (H,W,I), (k,k,I,O), zero-padded, stride 1."""
    pad = kernel.shape[0] // 2
    padded = np.pad(x.astype(np.float64), ((pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], axis=(0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel.astype(np.float64)) + bias


def np_mfm(x: np.ndarray) -> np.ndarray:
    half = x.shape[-1] // 2
    return np.maximum(x[..., :half], x[..., half:])


def np_pool(x: np.ndarray, kind: str) -> np.ndarray:
    height, width, channels = x.shape
    cells = x.reshape(height // 2, 2, width // 2, 2, channels)
    return cells.max((1, 3)) + (cells.mean((1, 3)) if kind == "max+average" else 0)


def np_tiny(network: LightCNN, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`TINY` written out layer by layer: (16,16,C) -> the pool3 map and the embedding."""
    pool = network.spec.pool

    def conv(x: np.ndarray, name: str) -> np.ndarray:
        kernel, bias = network.layers_by_name[name].get_weights()
        return np_mfm(np_conv(x, kernel, bias))

    x = np_pool(conv(image, "conv1"), pool)
    x = x + conv(conv(x, "block1.0.conv1"), "block1.0.conv2")
    x = x + conv(conv(x, "block1.1.conv1"), "block1.1.conv2")
    x = np_pool(conv(conv(x, "group1.conv_a"), "group1.conv"), pool)
    trunk = np_pool(conv(x, "conv2"), pool)
    x = conv(conv(trunk, "group2.conv_a"), "group2.conv")
    kernel, bias = network.layers_by_name["fc"].get_weights()
    x = x.reshape(-1) @ kernel + bias
    return trunk, np_mfm(x) if network.spec.fc == "mfm" else x


def with_biases(network: LightCNN, seed: int = 5) -> LightCNN:
    """Biases start at zero, and a test with zeros would not notice a missing one."""
    rng = np.random.default_rng(seed)
    for layer in network.layers_by_name.values():
        layer.bias.assign(rng.normal(0, 0.3, layer.bias.shape))
    return network


def faces(*shape: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(3).uniform(-1, 1, shape), tf.float32)


@pytest.mark.parametrize(
    ("name", "total", "trunk"),
    [
        ("light_cnn_29", 12_573_280, 1_188_576),
        # Plain Linear(8192, 256) in place of Linear(8192, 512) and mfm.
        ("light_cnn_29v2", 12_573_280 - (8192 + 1) * 256, 1_188_576),
        ("light_cnn_v4", 10_345_600, None),
    ],
)
def test_published_parameter_counts(name, total, trunk):
    layers = list(layers_of(SPECS[name]))
    assert sum(layer.parameters for layer in layers) == total
    if trunk:
        assert sum(layer.parameters for layer in layers if layer.in_trunk) == trunk


def test_published_multiply_adds_of_light_cnn_29():
    layers = list(layers_of(SPECS["light_cnn_29"]))
    assert round(sum(layer.multiply_adds for layer in layers) / 1e6) == 3619
    assert round(sum(layer.multiply_adds for layer in layers if layer.in_trunk) / 1e6) == 1776


def test_the_built_networks_have_the_counted_parameters_and_the_published_shapes():
    for name in ("light_cnn_29", "light_cnn_v4"):
        network = LightCNN(SPECS[name])
        assert network.count_params() == sum(layer.parameters for layer in layers_of(network.spec))
        assert network.layers_by_name["fc"].kernel.shape[0] == 8 * 8 * 128
        trunk = network.trunk(tf.zeros((1, 128, 128, network.spec.channels)))
        assert trunk.shape == (1, 16, 16, 192)


def test_layers_bear_the_checkpoints_names_and_shapes():
    network = LightCNN(SPECS["light_cnn_29"])
    # (outputs, inputs, rows, columns) in the checkpoint; (rows, columns, inputs, outputs) here.
    published = {
        "conv1": (5, 5, 1, 96),
        "block1.0.conv1": (3, 3, 48, 96),
        "group1.conv_a": (1, 1, 48, 96),
        "group1.conv": (3, 3, 48, 192),
        "block2.1.conv2": (3, 3, 96, 192),
        "group2.conv_a": (1, 1, 96, 192),
        "group2.conv": (3, 3, 96, 384),
        "block3.2.conv1": (3, 3, 192, 384),
        "group3.conv_a": (1, 1, 192, 384),
        "group3.conv": (3, 3, 192, 256),
        "block4.3.conv2": (3, 3, 128, 256),
        "group4.conv": (3, 3, 128, 256),
        "fc": (8192, 512),
    }
    for name, shape in published.items():
        assert tuple(network.layers_by_name[name].kernel.shape) == shape
    assert "block2.2.conv1" not in network.layers_by_name


def test_the_demo_network_is_small_and_cheap():
    layers = list(layers_of(SPECS["light_cnn_demo"]))
    assert 2 * sum(layer.parameters for layer in layers) < 2_000_000  # bytes of float16
    assert sum(layer.multiply_adds for layer in layers) < 30e6
    network = load_face_network("light_cnn_demo", random_seed=1)
    assert network.trunk(tf.zeros((2, 64, 64, 1))).shape[:3] == (2, 8, 8)


def test_mfm_is_the_larger_half():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 6)).astype(np.float32)
    np.testing.assert_array_equal(mfm(x), np_mfm(x))


@pytest.mark.parametrize("pool", ["max", "max+average"])
@pytest.mark.parametrize("fc", ["mfm", "linear"])
@pytest.mark.parametrize("order", ["gray", "bgr"])
def test_forward_pass_equals_numpy(pool, fc, order):
    spec = dataclasses.replace(TINY, pool=pool, fc=fc, order=order)
    network = with_biases(LightCNN(spec, seed=2))
    images = np.random.default_rng(1).uniform(0, 1, (2, 16, 16, spec.channels))
    trunk, embedding = network.trunk(tf.constant(images, tf.float32)), network(images)
    assert trunk.shape == (2, 2, 2, 5) and embedding.shape == (2, 6)
    for i in range(2):
        wanted_trunk, wanted = np_tiny(network, images[i])
        np.testing.assert_allclose(trunk[i], wanted_trunk, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(embedding[i], wanted, rtol=1e-4, atol=1e-5)


def test_max_pooling_rounds_up_on_odd_sizes():
    network = LightCNN(TINY, seed=0)
    x = tf.reshape(tf.range(25.0), (1, 5, 5, 1))
    wanted = [[6, 8, 9], [16, 18, 19], [21, 23, 24]]
    np.testing.assert_array_equal(network._pool(x)[0, ..., 0], wanted)


def test_the_trunk_is_the_start_of_the_network():
    network = load_face_network("light_cnn_demo", random_seed=4)
    images = faces(3, 64, 64, 1)
    np.testing.assert_array_equal(network.embed_trunk(network.trunk(images)), network.embed(images))
    np.testing.assert_array_equal(network(images), network.embed(images))


def test_initial_weights_follow_from_the_seed_and_differ_between_layers():
    one, same, other = (LightCNN(TINY, seed=seed) for seed in (1, 1, 2))
    kernel = [net.layers_by_name["block1.0.conv1"].kernel.numpy() for net in (one, same, other)]
    np.testing.assert_array_equal(kernel[0], kernel[1])
    assert np.abs(kernel[0] - kernel[2]).max() > 0.1
    assert np.abs(kernel[0] - one.layers_by_name["block1.0.conv2"].kernel.numpy()).max() > 0.1


def test_frozen_weights_never_train_and_the_gradient_reaches_the_image():
    network = load_face_network("light_cnn_demo", random_seed=4)
    images = tf.Variable(faces(2, 64, 64, 1))
    assert network.trainable_variables == []
    before = [weight.numpy() for weight in network.weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(network.embed(images)))
    gradient = tape.gradient(loss, images)
    assert np.abs(gradient).sum((1, 2, 3)).min() > 0
    model = keras.Sequential([network, keras.layers.Dense(1)])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=True) ** 2)
    variables = model.trainable_variables
    assert len(variables) == 2  # the new layer's
    keras.optimizers.SGD(1.0).apply_gradients(
        zip(tape.gradient(loss, variables), variables, strict=True)
    )
    for old, weight in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, weight)


def tiny_face_network(order: str) -> FaceNetwork:
    return FaceNetwork(LightCNN(dataclasses.replace(TINY, order=order), seed=0))


def test_input_convention_range_and_gray():
    network = tiny_face_network("gray")
    ramp = np.linspace(-1, 1, 256, dtype=np.float32).reshape(1, 16, 16, 1)
    np.testing.assert_allclose(network.preprocess(ramp), (ramp + 1) / 2, atol=1e-6)
    colour = np.broadcast_to(np.float32([1, 0, -1]), (1, 16, 16, 3))  # RGB 1, 1/2, 0
    np.testing.assert_allclose(network.preprocess(colour), 0.299 + 0.587 / 2, atol=1e-6)


def test_input_convention_bgr():
    network = tiny_face_network("bgr")
    colour = np.broadcast_to(np.float32([1, 0, -1]), (1, 16, 16, 3))
    np.testing.assert_allclose(network.preprocess(colour)[0, 0, 0], [0, 0.5, 1], atol=1e-6)
    gray = np.full((1, 16, 16, 1), 0.5, np.float32)
    np.testing.assert_allclose(network.preprocess(gray), np.full(gray.shape, 0.75), atol=1e-6)


def test_gray_is_three_equal_channels_to_a_network_of_three():
    network = with_biases(LightCNN(dataclasses.replace(TINY, order="bgr"), seed=2))
    gray = np.random.default_rng(1).uniform(0, 1, (2, 16, 16, 1)).astype(np.float32)
    three = np.repeat(gray, 3, axis=-1)
    np.testing.assert_allclose(network(gray), network(three), rtol=1e-5, atol=1e-6)


def test_input_convention_size():
    network = tiny_face_network("gray")
    large = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 1)).astype(np.float32)
    cells = (large.reshape(1, 16, 4, 16, 4, 1).mean((2, 4)) + 1) / 2
    np.testing.assert_allclose(network.preprocess(large), cells, atol=1e-6)
    for size in (8, 24, 64):
        images = tf.Variable(faces(1, size, size, 1))
        with tf.GradientTape() as tape:
            x = network.preprocess(images)
            total = tf.reduce_sum(x)
        assert x.shape == (1, 16, 16, 1)
        assert np.isfinite(tape.gradient(total, images)).all()
    flat = network.preprocess(tf.fill((1, 24, 24, 1), 0.5))
    np.testing.assert_allclose(flat, 0.75, atol=1e-6)


def test_weights_survive_both_kinds_of_file(tmp_path):
    made = load_face_network("light_cnn_demo", random_seed=7)
    with_biases(made.network)
    (tmp_path / "own.npz").write_bytes(pack_weights(made.network, "float32"))
    made.network.save_weights(tmp_path / "own.weights.h5")
    images = faces(2, 64, 64, 1)
    for name in ("own.npz", "own.weights.h5"):
        read = load_face_network("light_cnn_demo", tmp_path / name)
        np.testing.assert_array_equal(read.embed(images), made.embed(images))
    assert pack_weights(made.network) == pack_weights(made.network)


@pytest.mark.parametrize("committed", sorted(COMMITTED.glob("*.npz")), ids=lambda p: p.stem)
def test_committed_weights_are_those_that_their_record_describes(committed):
    record = json.loads(committed.with_suffix(".json").read_text())
    assert record["sha256"] == sha256_of(committed)
    assert committed.stat().st_size < 4_000_000
    network = load_face_network(committed.stem)
    assert network.embed(faces(2, 64, 64, 1)).shape == (2, SPECS[committed.stem].embedding)


def test_unknown_network():
    with pytest.raises(BadUse, match=naming("'light_cnn_9'", "light_cnn_29", "light_cnn_demo")):
        load_face_network("light_cnn_9")


def test_network_whose_weights_the_user_must_bring():
    with pytest.raises(BadUse, match=naming("light_cnn_29v2", "identity_weights")):
        load_face_network("light_cnn_29v2")
    with pytest.raises(BadUse, match=naming("nowhere/v2.npz")):
        load_face_network("light_cnn_29v2", "nowhere/v2.npz")


def test_damaged_and_foreign_weight_files(tmp_path):
    network = LightCNN(SPECS["light_cnn_demo"], seed=0)
    whole = pack_weights(network)
    other = LightCNN(dataclasses.replace(SPECS["light_cnn_demo"], embedding=16), seed=0)
    network.layers_by_name["fc"].bias.assign(
        np.full(network.layers_by_name["fc"].bias.shape, np.nan)
    )
    other.save_weights(tmp_path / "other.weights.h5")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, **{"conv1.kernel": np.array([object()], dtype=object)})
    bad = {
        "short.npz": whole[: len(whole) // 2],
        "empty.npz": b"",
        "text.npz": b"not an archive",
        "other.npz": pack_weights(other),
        "tiny.npz": pack_weights(LightCNN(TINY)),
        "nan.npz": pack_weights(network),
        "text.weights.h5": b"not an archive",
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    for name in (*bad, "other.weights.h5", "pickled.npz"):
        with pytest.raises(FailedWork, match=naming(name, "light_cnn_demo")):
            load_face_network("light_cnn_demo", tmp_path / name)
