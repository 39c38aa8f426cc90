"""Input conventions: what a network declares is applied and is right; another lowers its AUC.

On rendered people, with the committed network; `benchmarks.parity.face_verification` does the same
with photographs and Light CNN v4.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.parity.face_verification import main as benchmark
from fesr_tf.metrics.face_verification import rank_one, verification
from fesr_tf.networks.face_networks import FaceNetwork, load_face_network
from fesr_tf.networks.light_cnn import SPECS, LightCNN
from pipelines.common.errors import BadUse, FailedWork
from pipelines.dataset import examples
from pipelines.dataset.manifest import load as load_manifest
from pipelines.demo_faces import render_database
from pipelines.media import images
from pipelines.preprocess import main as preprocess
from tests.support.face_verification import (
    coarse,
    declared_otherwise,
    embed,
    read_photographs,
    separation,
)

DEMO = "light_cnn_demo"
# Whom the committed network never saw; turned heads and harsh lights, so that it errs.
SUBJECTS, SEED = 8, 4711


@dataclass(frozen=True)
class People:
    """Aligned faces uint8 (N, 128, 128, 3), who and what each shows."""

    chips: np.ndarray
    subjects: np.ndarray
    expressions: np.ndarray

    def auc(self, network: FaceNetwork, chips: np.ndarray | None = None) -> float:
        embeddings = embed(network, self.chips if chips is None else chips)
        return verification(embeddings, self.subjects, self.expressions).auc


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> People:
    folder = tmp_path_factory.mktemp("people")
    faces, data = folder / "faces", folder / "data"
    render_database(
        faces, SUBJECTS, SEED, frames=2, size=160, pose=20, light=True, jobs=1, progress=False
    )
    assert preprocess(["--input", str(faces), "--output", str(data), "--folds", "2"]) == 0
    records = [
        examples.decode(payload)
        for shard in load_manifest(data).shards
        for payload in examples.read_records(data / shard.path)
    ]
    return People(
        chips=np.stack([images.decode(record.image) for record in records]),
        subjects=np.array([record.subject for record in records]),
        expressions=np.array([record.class_name for record in records]),
    )


@pytest.fixture(scope="module")
def network() -> FaceNetwork:
    return load_face_network(DEMO)


@pytest.mark.slow
def test_fed_as_declared_it_tells_people_apart(people, network):
    assert people.auc(network) > 0.94


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value_range", "fall"),
    [((-1.0, 1.0), 0.05), ((0.0, 255.0), 0.02), ((1.0, 0.0), 0.1), ((0.0, 0.5), 0.01)],
)
def test_fed_another_range_it_does_worse(value_range, fall, people, network):
    other = declared_otherwise(network, value_range=value_range)
    assert people.auc(other) < people.auc(network) - fall


@pytest.mark.slow
def test_fed_other_colours_it_does_worse(people, network):
    right = people.auc(network)
    assert people.auc(network, people.chips[..., ::-1]) < right - 0.002  # BGR for RGB
    for channel, fall in ((0, 0.01), (1, 0.005), (2, 0.02)):
        one = people.chips[..., channel : channel + 1]
        assert people.auc(network, one) < right - fall, channel


@pytest.mark.slow
def test_upside_down_it_does_worse(people, network):
    assert people.auc(network, people.chips[:, ::-1]) < people.auc(network) - 0.05


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (1.0, 0.0)])
def test_the_declared_range_is_what_the_network_is_given(value_range, network):
    """The declaration is data: another one in the spec reaches the picture."""
    given = declared_otherwise(network, value_range=value_range)
    picture = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(1, 64, 64, 1)
    wanted = np.interp(picture, [-1, 1], value_range)
    np.testing.assert_allclose(given.preprocess(picture), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("order", "wanted"), [("bgr", [0.25, 0.5, 1.0]), ("rgb", [1.0, 0.5, 0.25])]
)
def test_the_declared_order_is_what_the_network_is_given(order, wanted):
    network = FaceNetwork(LightCNN(dataclasses.replace(SPECS[DEMO], order=order)))
    red = np.broadcast_to(np.float32([1.0, 0.0, -0.5]), (1, 64, 64, 3))
    np.testing.assert_allclose(network.preprocess(red)[0, 7, 7], wanted, atol=1e-6)


def test_separation_by_hand():
    embeddings = np.float64([[1, 0], [0.6, 0.8], [0, 1], [0.8, -0.6]])
    subjects, expressions = np.array(list("aabb")), np.array(list("xyxy"))
    # Pairs of other expressions: 0-1 (a) .6, 2-3 (b) -.6; 0-3 .8 and 1-2 .8, of two.
    same, different = np.array([0.6, -0.6]), np.array([0.8, 0.8])
    wanted = (same.mean() - different.mean()) / np.sqrt((same.var() + different.var()) / 2)
    assert separation(embeddings, subjects, expressions) == pytest.approx(wanted)


def test_coarse_pictures_lose_detail_and_keep_their_mean():
    chips = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3)).astype(np.uint8)
    np.testing.assert_array_equal(coarse(chips, 128), chips)
    small = coarse(chips, 8)
    assert small.shape == chips.shape and small.std() < chips.std() / 5
    assert small.mean() == pytest.approx(chips.mean(), abs=1)


def write_photographs(people: People, folder: Path, subjects: int) -> Path:
    for chip, subject, expression in zip(
        people.chips, people.subjects, people.expressions, strict=True
    ):
        path = folder / expression / f"{subject}_1.png"
        if expression in ("neutral", "anger") and int(subject[1:]) < subjects:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(images.encode_png(np.pad(chip, ((40, 40), (40, 40), (0, 0)), "edge")))
    return folder


@pytest.mark.slow
def test_the_benchmark_prints_every_input(people, tmp_path, capsys):
    folder = write_photographs(people, tmp_path / "photos", 4)
    assert benchmark([str(folder), "--identity", DEMO]) == 0
    lines = capsys.readouterr().out.splitlines()
    counts = [re.findall(r"\d+", line) for line in lines]
    assert ["8", "4"] in [found[:2] for found in counts]  # images and people
    assert ["4", "12"] in [found[:2] for found in counts]  # pairs of one person and of two
    for fed in ("[0.0, 1.0]", "[-1, 1]", "[0, 255]", "[1, 0]"):  # ranges fed
        assert sum(fed in line for line in lines) == 1, fed


def test_photographs_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(BadUse, match="absent"):
        read_photographs(tmp_path / "absent")
    for name in ("neutral", "anger"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a_1.png").write_bytes(images.encode_png(np.zeros((64, 64), np.uint8)))
    with pytest.raises(FailedWork, match=r"a_1\.png"):
        read_photographs(tmp_path)


def test_rank_one_by_hand():
    # By angle, b0 is nearest to a1, every other to its own person; c has no other expression.
    angles = np.radians([0, 10, 30, 90, 200])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], 1) * [[1], [3], [2], [1], [1]]
    subjects, expressions = np.array(list("aabbc")), np.array(list("xyxyx"))
    assert rank_one(embeddings, subjects, expressions) == 3 / 4
    assert np.isnan(rank_one(embeddings[:1], subjects[:1], expressions[:1]))
