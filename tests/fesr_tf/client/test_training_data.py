"""A model says what it learnt from, and who uses it is told where the input differs."""

from __future__ import annotations

import json
import shutil

import pytest

from fesr_tf import config
from fesr_tf.client import Client, training_data
from fesr_tf.client.__main__ import main
from fesr_tf.client.saved_model import EXTRA
from fesr_tf.data.origin import Origin
from fesr_tf.networks import face_networks
from fesr_tf.runs import read_info
from pipelines.dataset import manifest as manifests

PHOTOGRAPHS = Origin("images", rendered=False, alignment="detected", face_size=128)


@pytest.fixture(scope="module")
def cropped(demo_images, once):
    """`demo_images` as a user's own cropped faces: 2 folds."""
    from pipelines.preprocess import main

    def preprocess(folder):
        source = shutil.copytree(demo_images, folder / "faces", ignore=lambda *_: ["faces.csv"])
        words = ["--db", "images", "--input", source, "--output", folder / "data"]
        assert main([*map(str, words), "--prealigned", "--folds", "2"]) == 0

    return once("cropped", preprocess) / "data"


def test_a_model_records_its_training_data(exported_model):
    about = json.loads((exported_model / EXTRA / training_data.FILE).read_text())
    assert about["training_data"] == {
        "database": "demo", "rendered": True, "alignment": "detected", "face_size": 128,
        "subjects": "known", "varied": False,
    }  # fmt: skip
    assert about["face_network"] == {"name": "light_cnn_demo", "trained_on": "rendered people"}


def test_the_client_prints_one_line_on_a_model_of_rendered_people(
    exported_model, demo_images, tmp_path, capfd
):
    photo = sorted((demo_images / "happiness").glob("*.png"))[-1]
    words = [str(photo), "--model", str(exported_model), "--output", str(tmp_path)]
    assert main(words) == 0
    assert capfd.readouterr().err.count("note: ") == 1


@pytest.mark.parametrize(
    ("origin", "count"),
    [
        (PHOTOGRAPHS, 0),
        (Origin("images", rendered=False, alignment="prealigned"), 1),
        (Origin("images", rendered=False, alignment="prealigned", varied=True), 0),
        (Origin("tfd", rendered=False, alignment="both"), 1),
        (Origin("demo", rendered=True, alignment="prealigned"), 1),
        (None, 0),
    ],
)
def test_a_sentence_only_where_photographs_differ(origin, count):
    assert len(training_data.doubts(origin)) == count


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ('{"database": "demo"}', Origin("demo", rendered=True)),
        ('{"database": "ckplus"}', Origin("ckplus", rendered=False)),
        ('{"database": "ckplus", "training_data": {"database": 3}}', None),
        ("[1]", None),
        ("{", None),
    ],
)
def test_origins_of_earlier_and_damaged_exports(tmp_path, text, origin):
    path = tmp_path / training_data.FILE
    path.write_text(text)
    assert training_data.read(path) == origin


def test_a_damaged_export_still_answers(exported_model, tmp_path):
    model = shutil.copytree(exported_model, tmp_path / "model" / "1")
    (model / EXTRA / training_data.FILE).write_text("{")
    with Client(model=model) as client:
        assert client.origin is None and client.classes


def test_a_run_on_cropped_photographs_records_them_and_doubts_the_face_network(
    cropped, tiny_settings, tmp_path, capfd
):
    from fesr_tf.train import main as train

    assert manifests.load(cropped).alignment == "prealigned"
    words = ["--db", "images", "--data", str(cropped), "--runs", str(tmp_path)]
    words += ["--variant", "BASELINE", *tiny_settings, "trunk=light_cnn_demo"]
    assert train(words) == 0
    error = capfd.readouterr().err
    (doubt,) = (line for line in error.splitlines() if "light_cnn_demo" in line)
    assert "trunk=light_cnn_photo" in doubt
    info = read_info(tmp_path / "images" / "BASELINE" / "fold-00")
    assert info.origin == Origin("images", False, "prealigned", 128, info.origin.subjects)


def test_the_face_network_is_doubted_only_for_photographs():
    assert face_networks.doubts(config.resolve("images"), PHOTOGRAPHS) == []
    own = config.resolve("images", overrides=["trunk=null"])
    assert len(face_networks.doubts(own, PHOTOGRAPHS)) == 1
    assert face_networks.doubts(own, Origin("demo", rendered=True)) == []
    better = config.resolve("images", overrides=["identity=light_cnn_v4", "trunk=null"])
    assert face_networks.doubts(better, PHOTOGRAPHS) == []
    own_weights = ["trunk=light_cnn_demo", "trunk_weights=mine.npz"]
    assert face_networks.doubts(config.resolve("images", overrides=own_weights), PHOTOGRAPHS) == []


def test_a_folder_of_an_earlier_version_keeps_its_text(demo_data):
    manifest = manifests.load(demo_data)
    text = manifests.dataclasses.replace(manifest, alignment="").to_json()
    assert "alignment" not in json.loads(text) and '"alignment": "detected"' in manifest.to_json()
