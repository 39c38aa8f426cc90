"""The PyTorch port: its networks' sizes, and that the parity command agrees and can disagree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

torch = pytest.importorskip("torch", reason="only the extra `bench` installs PyTorch")

from fesr_tf import config  # noqa: E402
from fesr_tf.weights.light_cnn_torch import light_cnn  # noqa: E402
from tests.support.torch_port import parity, training  # noqa: E402
from tests.support.torch_port.draws import sample  # noqa: E402
from tests.support.torch_port.networks import FaceNetwork  # noqa: E402
from tests.support.torch_port.sharing import port_face_network  # noqa: E402
from tests.support.torch_port.training import JointTraining  # noqa: E402

TINY = ("image_size=32", "width=0.0625", "batch_size=4", "identity=light_cnn_demo")
ROOT = Path(__file__).parents[2]
SMALL = ["--size", "32", "--width", "0.0625", "--batch", "4", "--steps", "3"]


def count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("light_cnn_29", 12_573_280),
        # 29 with a plain fc: 256 outputs of 8192 inputs in place of 512.
        ("light_cnn_29v2", 12_573_280 - 256 * 8193),
        ("light_cnn_v4", 10_345_600),
    ],
)
def test_light_cnns_have_the_published_size(name, parameters):
    with torch.device("meta"):
        assert count(light_cnn(name)) == parameters


@pytest.mark.parametrize(
    ("name", "key", "shape"),
    [
        ("light_cnn_29", "conv1.filter.weight", (96, 1, 5, 5)),
        ("light_cnn_29", "block1.0.conv2.filter.weight", (96, 48, 3, 3)),
        ("light_cnn_29", "group1.conv_a.filter.weight", (96, 48, 1, 1)),
        ("light_cnn_29", "group2.conv.filter.weight", (384, 96, 3, 3)),
        ("light_cnn_29", "block4.3.conv1.filter.bias", (256,)),
        ("light_cnn_29", "fc.filter.weight", (512, 8192)),
        ("light_cnn_29v2", "fc.weight", (256, 8192)),
        ("light_cnn_v4", "conv2.filter.weight", (192, 48, 3, 3)),
        ("light_cnn_v4", "conv5.filter.weight", (256, 128, 3, 3)),
    ],
)
def test_light_cnn_keys_are_the_checkpoints(name, key, shape):
    with torch.device("meta"):
        assert light_cnn(name).state_dict()[key].shape == shape


def test_networks_at_width_1_have_the_papers_sizes():
    settings = config.resolve("ckplus")
    with torch.device("meta"):
        face_network = FaceNetwork(light_cnn("light_cnn_29"))
        port = JointTraining(settings, 7, face_network, (192, 16))
    assert count(port.encoder) == 12_192_768
    assert count(port.decoder) == 3_368_417
    assert count(port.image_critic) == 11_267_016
    assert count(port.code_critic) == 6_785
    assert count(port.recognizer) == 19_454_727


def test_sampled_draws_never_keep_the_label_and_fill_their_ranges():
    settings = config.resolve("ckplus", "FESR_JL", TINY)
    label = torch.arange(7).repeat(300)
    draws = sample(label, 7, 32, settings, torch.Generator().manual_seed(1))
    assert not (draws.target_label == label).any()
    assert set(draws.target_label.tolist()) == set(range(7))
    assert -1 <= draws.prior_code.min() < -0.9 < 0.9 < draws.prior_code.max() <= 1
    assert draws.keep.float().mean().item() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_the_shipped_face_network_gives_the_same_embedding(size):
    """At its own size, and resized both ways."""
    settings = config.resolve("ckplus", "FESR_JL", [*TINY, f"image_size={size}"])
    ours = parity.face_network(settings)
    theirs = port_face_network(ours)
    image = np.random.default_rng(2).uniform(-1, 1, (3, size, size, 1)).astype(np.float32)
    expected = ours.embed(tf.constant(image)).numpy()
    channels_first = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
    embedding = theirs.embed_trunk(theirs.trunk(channels_first)).numpy()
    np.testing.assert_allclose(embedding, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_goal_is_met_at_small_size(dtype):
    """In a process of its own: the float type holds for a whole process."""
    words = [sys.executable, "-m", "benchmarks.parity.torch_port", *SMALL, "--dtype", dtype]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MISSED" not in done.stdout
    if dtype == "float64":
        assert "0 rows are over their goal" in done.stdout


@pytest.mark.slow
def test_a_wrong_loss_is_found_and_named(monkeypatch):
    """-log D(g) in place of eq. 7's -log(1 - D(g)), as public re-implementations have it."""
    right = training.code_adversarial
    monkeypatch.setattr(training, "code_adversarial", lambda logits, prior: right(logits, True))
    found = parity.compare("FG", config.resolve("ckplus", "FG", TINY), stage=1, steps=1)
    missed = {row.name for row in found.rows if row.missed}
    assert {"L_advd_z", "D_z"} <= missed and "R" not in missed
